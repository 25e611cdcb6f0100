import Foundation

/// Writes a tar archive (POSIX ustar), as the Engine API takes it to fill volumes.
///
/// Everything in it belongs to root and has no time of its own: the same content gives the same bytes.
package struct TarArchive: Sendable {
    private static let blockBytes = 512
    /// Room for a name in a header.
    private static let nameBytes = 100
    /// The archive's bytes so far, without its end.
    private var bytes: [UInt8] = []

    package init() {}

    /// The whole archive.
    package var finished: [UInt8] { bytes + Self.end }

    /// Adds a folder.
    package mutating func addFolder(_ name: String, mode: Int = 0o755) { bytes += Self.folder(name, mode: mode) }

    /// Adds a file.
    package mutating func addFile(_ name: String, _ content: some Collection<UInt8>, mode: Int = 0o644) {
        bytes += Self.fileStart(name, sizeBytes: content.count, mode: mode)
        bytes += content
        bytes += Self.padding(after: content.count)
    }

    /// The bytes of a folder.
    static func folder(_ name: String, mode: Int) -> [UInt8] {
        entry(name.hasSuffix("/") ? name : name + "/", mode: mode, size: 0, kind: "5")
    }

    /// The bytes before the content of a file.
    static func fileStart(_ name: String, sizeBytes: Int, mode: Int) -> [UInt8] {
        entry(name, mode: mode, size: sizeBytes, kind: "0")
    }

    /// The bytes of a symbolic link.
    static func link(_ name: String, to target: String) -> [UInt8] {
        entry(name, mode: 0o777, size: 0, kind: "2", link: target)
    }

    /// What fills the last block of a file's content.
    static func padding(after sizeBytes: Int) -> [UInt8] {
        [UInt8](repeating: 0, count: -sizeBytes & (blockBytes - 1))
    }

    /// What ends an archive.
    static let end = [UInt8](repeating: 0, count: 2 * blockBytes)

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

    /// The header of an entry; names that do not fit come before it as files of their own, as GNU tar writes them.
    private static func entry(
        _ name: String, mode: Int, size: Int, kind: Unicode.Scalar, link: String = ""
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        for (text, longKind) in [(link, "K"), (name, "L")] as [(String, Unicode.Scalar)]
        where text.utf8.count > nameBytes {
            let content = Array(text.utf8) + [0]
            bytes += header(Array("././@LongLink".utf8), mode: 0o644, size: content.count, kind: longKind, link: [])
            bytes += content + padding(after: content.count)
        }
        return bytes + header(Array(name.utf8), mode: mode, size: size, kind: kind, link: Array(link.utf8))
    }

    private static func header(
        _ name: [UInt8], mode: Int, size: Int, kind: Unicode.Scalar, link: [UInt8]
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: blockBytes)
        func put(_ bytes: some Collection<UInt8>, at offset: Int) {
            block.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
        func octal(_ value: Int, digits: Int) -> String.UTF8View {
            let text = String(value, radix: 8)
            return (String(repeating: "0", count: max(0, digits - text.count)) + text).utf8
        }
        put(name.prefix(nameBytes), at: 0)
        put(octal(mode, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(size, digits: 11), at: 124)
        put(octal(0, digits: 11), at: 136)
        block[156] = UInt8(kind.value)
        put(link.prefix(nameBytes), at: 157)
        put("ustar".utf8, at: 257)
        put("00".utf8, at: 263)
        // The sum counts its own field as blanks.
        block.replaceSubrange(148..<156, with: repeatElement(0x20, count: 8))
        let sum = block.reduce(0) { $0 + Int($1) }
        put(octal(sum, digits: 6), at: 148)
        block[154] = 0
        return block
    }
}
