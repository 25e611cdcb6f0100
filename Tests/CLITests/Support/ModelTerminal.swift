import Foundation

/// A terminal of 80 columns, as far as the tool uses one.
struct ModelTerminal {
    private static let columns = 80

    private var rows: [[Unicode.Scalar]] = [[]]
    private var row = 0
    private var column = 0
    private var wraps = true

    /// What has been written and not wiped out, without lines that are empty.
    var lines: [String] {
        rows.map { row in String(String.UnicodeScalarView(row)).trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
    }

    init(_ output: String) {
        var rest = output.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\r": column = 0
            case "\n": advance()
            case "\u{1B}": control(&rest)
            default: put(scalar)
            }
        }
    }

    /// Runs the tool on a terminal until it ends; gives its exit code and what it wrote.
    ///
    /// - Parameter frames: After so many pictures of a live table Ctrl-C is pressed; 0 for never.
    static func run(_ tool: CommandLineTool, _ arguments: String..., frames: Int = 0) async throws
        -> CommandLineTool.Output
    {
        try await RunningTool(
            URL(fileURLWithPath: "/usr/bin/env"), ["python3", "-c", program, "\(frames)", tool.path] + arguments,
            environment: tool.environment.merging(["TERM": "xterm"]) { $1 }, folder: tool.folder
        ).end()
    }

    private static let program = """
        import fcntl, os, pty, signal, struct, sys, termios

        frames = int(sys.argv[1])
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(sys.argv[2], sys.argv[2:])
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        seen = b""
        while True:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            if not data:
                break
            os.write(1, data)
            seen += data
            if frames and seen.count(b"\\x1b[J") >= frames:
                os.kill(pid, signal.SIGINT)
                frames = 0
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """

    private mutating func put(_ scalar: Unicode.Scalar) {
        if column == Self.columns {
            guard wraps else { return rows[row][column - 1] = scalar }
            advance()
            column = 0
        }
        while rows[row].count <= column { rows[row].append(" ") }
        rows[row][column] = scalar
        column += 1
    }

    private mutating func advance() {
        row += 1
        if row == rows.count { rows.append([]) }
    }

    /// Obeys what follows an escape character.
    private mutating func control(_ rest: inout Substring.UnicodeScalarView) {
        guard rest.popFirst() == "[" else { return }
        var parameter = ""
        while let scalar = rest.popFirst() {
            guard scalar.properties.isAlphabetic else {
                parameter.unicodeScalars.append(scalar)
                continue
            }
            switch scalar {
            case "K": rows[row].removeSubrange(min(column, rows[row].count)...)
            case "J":
                rows[row].removeSubrange(min(column, rows[row].count)...)
                rows.removeSubrange((row + 1)...)
            case "A": row = max(0, row - (Int(parameter) ?? 1))
            case "h" where parameter == "?7": wraps = true
            case "l" where parameter == "?7": wraps = false
            default: break
            }
            return
        }
    }
}
