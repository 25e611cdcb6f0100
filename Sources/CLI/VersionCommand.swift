import ArgumentParser
import Foundation
import SlipwayCore

/// Shows versions.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Show the versions of slipway and of what it is linked with.")

    @OptionGroup var common: CommonOptions

    func run() throws {
        let versions: KeyValuePairs = [
            "slipway": slipwayVersion, "swift": Self.swiftVersion, "libcurl": CurlLibrary.version,
            "libyaml": YAMLEventReader.libraryVersion, "zlib": ZlibLibrary.version,
            "sqlite": try SQLiteLibrary.version(),
        ]
        if common.json {
            var writer = JSONWriter()
            writer.object { writer in
                for (name, version) in versions {
                    writer.name(escaping: name)
                    writer.value(version)
                }
            }
            return try Console.json(writer.bytes)
        }
        for (name, version) in versions {
            try Console.line("\(name.padding(toLength: 8, withPad: " ", startingAt: 0)) \(version)")
        }
    }

    /// The compiler's version, as far as it can be asked for.
    private static var swiftVersion: String {
        #if compiler(>=6.5)
            "6.5 or later"
        #elseif compiler(>=6.4)
            "6.4"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }
}
