import Foundation
import SlipwayCore

/// Files of the user that a job takes along.
enum LocalFile {
    /// More than a gateway takes of a task.
    static let limitBytes = 64 << 20

    /// Reads a whole file.
    ///
    /// - Throws: ``CommandExit`` with code 2 and the reason.
    static func read(_ path: String) throws -> [UInt8] {
        try bytes(of: path) {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer {
                // Nothing was written: closing cannot lose anything.
                try? file.close()
            }
            return try file.read(upToCount: limitBytes + 1)
        }
    }

    /// Reads a whole file of text.
    ///
    /// - Throws: ``CommandExit`` with code 2 and the reason, also for what is not UTF-8.
    static func readText(_ path: String) throws -> String {
        guard let text = String(validating: try read(path), as: UTF8.self) else {
            throw CommandExit(CommandExit.usage, "\(path) is not UTF-8: save it as UTF-8.")
        }
        return text
    }

    /// Reads what a task shall find on its standard input; `-` is that of this process, to its end.
    ///
    /// - Throws: ``CommandExit`` with code 2 and the reason.
    static func readInput(_ path: String) throws -> [UInt8] {
        guard path == "-" else { return try read(path) }
        return try bytes(of: "standard input") { try FileHandle.standardInput.read(upToCount: limitBytes + 1) }
    }

    private static func bytes(of path: String, _ take: () throws -> Data?) throws -> [UInt8] {
        do {
            let data = try take() ?? Data()
            guard data.count <= limitBytes else {
                throw CommandExit(CommandExit.usage, "\(path) has more than \(Quantity.text(bytes: limitBytes)).")
            }
            return Array(data)
        } catch let exit as CommandExit {
            throw exit
        } catch {
            let reason =
                switch (error as? CocoaError)?.code {
                case .fileNoSuchFile, .fileReadNoSuchFile: "there is no such file"
                case .fileReadNoPermission: "its permissions do not allow it"
                default: "it is no file that can be read"
                }
            throw CommandExit(CommandExit.usage, "cannot read \(path): \(reason).")
        }
    }

    /// A file's content as a task carries it: text, or base64 of anything else.
    static func content(_ bytes: [UInt8]) -> JSONValue {
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        return ["encoding": "base64", "data": .string(Data(bytes).base64EncodedString())]
    }
}
