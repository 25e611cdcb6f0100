import SlipwayCore
import SlipwayGateway
import Testing

@Suite("OpenAPI description")
struct OpenAPITests {
    @Test("it describes exactly the routes that exist")
    func routes() throws {
        let description = try JSONValue(parsing: OpenAPI.bytes)
        guard case .object(let paths)? = description["paths"] else {
            Issue.record("there are no paths")
            return
        }
        let methods: Set<String> = ["get", "post", "put", "patch", "delete"]
        let described = paths.flatMap { path, item -> [String] in
            guard case .object(let members) = item else { return [] }
            return members.keys.filter(methods.contains).map { "\($0.uppercased()) \(path)" }
        }
        #expect(described.sorted() == GatewayService.routeList.sorted())
    }

    @Test("every route of jobs tells that a request without sense is 400, and one without a key 401")
    func refusals() throws {
        let description = try JSONValue(parsing: OpenAPI.bytes)
        for route in GatewayService.routeList where route.contains(" /v1/jobs") {
            let words = route.split(separator: " ").map(String.init)
            let answers = description["paths"]?[words[1]]?[words[0].lowercased()]?["responses"]
            #expect(answers?["400"] != nil, "\(route)")
            #expect(answers?["401"] != nil, "\(route)")
        }
    }

    @Test("every reference leads somewhere, and every schema is used")
    func references() throws {
        let description = try JSONValue(parsing: OpenAPI.bytes)
        var references: Set<String> = []
        func collect(_ value: JSONValue) {
            switch value {
            case .object(let members):
                if let reference = members["$ref"]?.text { references.insert(reference) }
                members.values.forEach(collect)
            case .array(let elements): elements.forEach(collect)
            case .null, .bool, .integer, .number, .string: break
            }
        }
        collect(description)
        for reference in references {
            let found = reference.dropFirst(2).split(separator: "/").reduce(Optional(description)) { $0?[String($1)] }
            #expect(found != nil, "\(reference)")
        }
        guard case .object(let components)? = description["components"] else { return }
        for (group, entries) in components where group != "securitySchemes" {
            guard case .object(let entries) = entries else { continue }
            for name in entries.keys {
                #expect(references.contains("#/components/\(group)/\(name)"))
            }
        }
    }
}
