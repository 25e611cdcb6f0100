import Foundation

/// Writes a tar archive (POSIX ustar), as the Engine API takes it to fill volumes.
///
/// Everything in it belongs to root and has no time of its own: the same content gives the same bytes.
package struct TarArchive: Sendable {
    private static let blockBytes = 512
    /// The archive's bytes so far, without its end.
    private var bytes: [UInt8] = []

    package init() {}

    /// The whole archive.
    package var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 2 * Self.blockBytes) }

    /// Adds a folder.
    ///
    /// - Throws: `.internalFault` for a name of more than 100 bytes.
    package mutating func addFolder(_ name: String, mode: Int = 0o755) throws {
        bytes += try Self.header(name.hasSuffix("/") ? name : name + "/", mode: mode, size: 0, kind: "5")
    }

    /// Adds a file.
    ///
    /// - Throws: `.internalFault` for a name of more than 100 bytes.
    package mutating func addFile(_ name: String, _ content: some Collection<UInt8>, mode: Int = 0o644) throws {
        bytes += try Self.header(name, mode: mode, size: content.count, kind: "0")
        bytes += content
        bytes += [UInt8](repeating: 0, count: -content.count & (Self.blockBytes - 1))
    }

    /// The first regular file of an archive; nil where there is none, or it is larger than `limitBytes`.
    package static func firstFile(of archive: [UInt8], limitBytes: Int) -> [UInt8]? {
        var start = 0
        while start + blockBytes <= archive.count {
            let header = archive[start..<start + blockBytes]
            guard let size = number(header, at: 124, length: 12), size <= limitBytes else { return nil }
            let body = start + blockBytes
            let kind = header[start + 156]
            if kind == UInt8(ascii: "0") || kind == 0, header[start] != 0 {
                return body + size <= archive.count ? Array(archive[body..<body + size]) : nil
            }
            start = body + size + (-size & (blockBytes - 1))
        }
        return nil
    }

    private static func number(_ header: ArraySlice<UInt8>, at offset: Int, length: Int) -> Int? {
        let field = header.dropFirst(offset).prefix(length).prefix { $0 != 0 && $0 != 0x20 }
        return field.isEmpty ? 0 : Int(String(decoding: field, as: UTF8.self), radix: 8)
    }

    private static func header(_ name: String, mode: Int, size: Int, kind: Unicode.Scalar) throws -> [UInt8] {
        var block = [UInt8](repeating: 0, count: blockBytes)
        guard name.utf8.count <= 100 else {
            throw EngineError(.internalFault, "a name is too long for an archive: \(name)")
        }
        func put(_ text: String, at offset: Int) {
            block.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        func octal(_ value: Int, digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        put(name, at: 0)
        put(octal(mode, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(size, digits: 11), at: 124)
        put(octal(0, digits: 11), at: 136)
        block[156] = UInt8(kind.value)
        put("ustar", at: 257)
        put("00", at: 263)
        // The sum counts its own field as blanks.
        block.replaceSubrange(148..<156, with: repeatElement(0x20, count: 8))
        let sum = block.reduce(0) { $0 + Int($1) }
        put(octal(sum, digits: 6), at: 148)
        block[154] = 0
        return block
    }
}
