/// Text in columns for terminals.
struct Table {
    private var rows: [[String]]

    init(_ titles: String...) { rows = [titles] }

    /// Adds a row; control characters of its texts, which tasks choose, are shown as `?`.
    mutating func add(_ cells: [String]) {
        rows.append(cells.map(Self.printable))
    }

    /// The table, one line a row.
    var text: String {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: max(0, width - cell.count))
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    /// A text without what could move a terminal's cursor.
    static func printable(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : Character($0) })
    }

    /// The same with line ends kept; lines after the first begin with so many spaces.
    static func printableLines(_ text: String, indent: Int = 0) -> String {
        text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { printable(String($0)) }
            .joined(separator: "\n" + String(repeating: " ", count: indent))
    }
}
