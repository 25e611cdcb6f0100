/// The OpenAPI description of the routes.
enum OpenAPI {
    /// The description as JSON.
    static let bytes: [UInt8] = Array("{}".utf8)
}
