import SlipwayCore

/// The OpenAPI 3.1 description of the routes, served at `GET /openapi.json`.
package enum OpenAPI {
    /// The description as JSON.
    package static let bytes: [UInt8] = Array(
        """
        {"openapi":"3.1.0",
        "info":{"title":"Slipway","version":"\(slipwayVersion)",
        "description":"Runs Python tasks and commands in warm, isolated containers.",
        "license":{"name":"See the repository"}},
        "servers":[{"url":"/"}],
        "security":[{"key":[]}],
        "tags":[{"name":"jobs"},{"name":"environments"},{"name":"engine"},{"name":"admin"}],
        "paths":\(paths),
        "components":{
        "securitySchemes":{"key":{"type":"http","scheme":"bearer","description":"A key such as slw_ID_SECRET."}},
        "parameters":\(parameters),
        "headers":\(headers),
        "responses":\(responses),
        "schemas":\(schemas)}}
        """.utf8)
}
