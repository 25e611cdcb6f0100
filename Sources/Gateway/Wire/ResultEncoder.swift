import Foundation
import SlipwayCore

/// Writes results as JSON.
enum ResultEncoder {
    /// The answer of `GET /v1/jobs/{id}/result`.
    static func bytes(_ outcome: JobOutcome) -> [UInt8] {
        let payload = (outcome.result?.bytes.count ?? 0) + (outcome.packedText?.count ?? 0)
        var writer = JSONWriter(capacity: 256 + payload)
        writer.object { writer in
            writer.name("job_id")
            writer.value(outcome.job.id.description)
            writer.name("state")
            writer.value(outcome.job.state.rawValue)
            if let result = outcome.result {
                writeMembers(result, packedText: outcome.packedText, to: &writer)
            } else if let code = outcome.job.exitCode {
                writer.name("exit_code")
                writer.value(code)
            }
            writer.name("error")
            JobEncoder.write(outcome.job.error, to: &writer)
        }
        return writer.bytes
    }

    /// Writes the members that say what a result is.
    ///
    /// JSON stands as `value`, in the bytes that the task returned; everything else as `data`, in base64, with
    /// `encoding` saying whether zlib is inside.
    static func writeMembers(_ result: JobResult, packedText: [UInt8]?, to writer: inout JSONWriter) {
        writer.name("media_type")
        writer.value(result.media.rawValue)
        switch result.media {
        // A task writes its result itself: what is not JSON must not break the answer that it stands in.
        case .json where JSONParser.isJSON(result.bytes, depth: 512):
            writer.name("value")
            writer.raw(result.bytes)
        case .text:
            break
        case .json, .pickle, .bytes:
            writer.name("encoding")
            writer.value(packedText == nil ? "base64" : "zlib+base64")
            writer.name("data")
            writer.plainString(packedText ?? Array(Data(result.bytes).base64EncodedData()))
        }
        if let code = result.exitCode {
            writer.name("exit_code")
            writer.value(code)
        }
    }
}
