import Crypto
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// What a builder's container reads, and where it finds it.
struct BuilderInputs {
    /// The folder of the builder's program.
    var program: String
    /// The file of authorities.
    var bundle: String?
    /// The folders of wheels, and addresses as they are, in the order of the configuration.
    var links: [String] = []
    var mounts: [ContainerSpec.Mount] = []

    /// The authorities and folders of wheels of a configuration, checked.
    struct Sources {
        var bundle: String?
        /// The host's folders among `links`.
        var folders: [String]
        var links: [String]

        init(_ options: EnvironmentOptions) throws {
            bundle = options.caBundle
            links = options.findLinks
            folders = links.filter { $0.hasPrefix("/") }
            let manager = FileManager.default
            if let bundle, !manager.fileExists(atPath: bundle) {
                throw EngineError(.dependency, "the file of environments.ca_bundle is missing: \(bundle)")
            }
            for folder in folders where !manager.fileExists(atPath: folder) {
                throw EngineError(.dependency, "a folder of environments.find_links is missing: \(folder)")
            }
        }
    }
}

/// The authorities and wheels of the host as they are sent to a container engine elsewhere.
struct BuilderBaggage {
    /// The most files that all folders of wheels may have together.
    private static let filesMax = 20_000

    /// Names the content: files count by name, size and time, as reading them all would take long.
    let version: String
    let entries: [ArchiveStream.Entry]

    init(_ sources: BuilderInputs.Sources) throws {
        var hash = SHA256()
        var entries: [ArchiveStream.Entry] = []
        if let bundle = sources.bundle {
            guard let content = FileManager.default.contents(atPath: bundle) else {
                throw EngineError(.dependency, "the engine may not read the file of environments.ca_bundle: \(bundle)")
            }
            hash.update(data: content)
            entries.append(.bytes(Self.bundleName, Array(content), mode: 0o644))
        }
        var count = 0
        for (place, folder) in sources.folders.enumerated() {
            let name = Self.folderName(place)
            entries.append(.folder(name, mode: 0o755))
            // Installers look at the folder itself only.
            for file in try Self.names(in: folder) {
                var status = stat()
                guard stat("\(folder)/\(file)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
                count += 1
                guard count <= Self.filesMax else {
                    throw EngineError(
                        .dependency, "the folders of environments.find_links have more than \(Self.filesMax) files")
                }
                let time = status.st_mtim
                hash.update(
                    data: Array("\(name)/\(file)\n\(status.st_size) \(time.tv_sec) \(time.tv_nsec)\n".utf8))
                entries.append(
                    .file(
                        "\(name)/\(file)", path: "\(folder)/\(file)", sizeBytes: Int(status.st_size), mode: 0o644))
            }
        }
        version = hash.finalize().prefix(8).hexadecimal
        self.entries = entries
    }

    static let bundleName = "ca.crt"

    static func folderName(_ place: Int) -> String { "links-\(place)" }

    private static func names(in folder: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        } catch {
            throw EngineError(
                .dependency, "a folder of environments.find_links is none, or the engine may not read it: \(folder)",
                cause: error)
        }
    }
}

extension Sequence<UInt8> {
    /// Two lower-case digits for each byte.
    var hexadecimal: String { map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }
}
