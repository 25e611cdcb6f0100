import Foundation
import SlipwayCore

/// Writes the files that a job left.
package enum ArtifactEncoder {
    /// The answer of `GET /v1/jobs/{id}/artifacts`.
    package static func bytes(_ artifacts: [JobArtifact], of id: JobID) -> [UInt8] {
        var writer = JSONWriter(capacity: 64 + artifacts.count * 256)
        writer.object { writer in
            writer.name("job_id")
            writer.value(id.description)
            writer.name("artifacts")
            writer.array { writer in
                for artifact in artifacts {
                    writer.object { writer in
                        writer.name("name")
                        writer.value(artifact.name)
                        artifact.writeMembers(of: id, to: &writer)
                    }
                }
            }
        }
        return writer.bytes
    }

    /// The `Content-Disposition` (RFC 6266) under which a browser saves a file and never shows it.
    static func disposition(of name: String) -> String {
        let last = PathRules.parts(of: name).last.map(String.init) ?? name
        let plain = String(
            decoding: last.utf8.map { (0x20..<0x7F).contains($0) && !"\"\\%".utf8.contains($0) ? $0 : 0x5F },
            as: UTF8.self)
        let allowed = CharacterSet(
            charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
        let encoded = last.addingPercentEncoding(withAllowedCharacters: allowed) ?? plain
        return "attachment; filename=\"\(plain)\"" + (plain == last ? "" : "; filename*=UTF-8''\(encoded)")
    }
}
