/// What can be wrong with a payload that came from outside.
enum PayloadFault: String {
    /// A character outside the alphabet, a missing or misplaced padding, or bits behind the end.
    case badBase64 = "bad-base64"
    /// The bytes are no zlib stream, or its checksum differs.
    case badZlib = "bad-zlib"
    /// The zlib stream ends too early.
    case truncated
    /// Bytes follow the end of the zlib stream.
    case trailingData = "trailing-data"

    /// The error that reports the fault, with one fault at the request's root.
    var error: EngineError {
        EngineError(
            .invalidRequest, detail, faults: [EngineError.Fault(pointer: "", code: rawValue, detail: detail)])
    }

    private var detail: String {
        switch self {
        case .badBase64: "The data is not base64 (RFC 4648, padded, without line breaks)."
        case .badZlib: "The decoded data is not a valid zlib stream (RFC 1950)."
        case .truncated: "The zlib stream ends before its checksum; send all of it."
        case .trailingData: "Bytes follow the end of the zlib stream; send one stream only."
        }
    }

    /// The error for a payload beyond a limit.
    static func tooLarge(_ what: String, limitBytes: Int) -> EngineError {
        EngineError(.payloadTooLarge, "The payload is larger \(what) than the limit of \(limitBytes) bytes.")
    }
}
