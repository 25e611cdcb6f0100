import HTTPTypes
import Hummingbird

/// The routes of the gateway.
struct RouteTable: Sendable {
    typealias Handler = @Sendable (Call) async throws -> Response

    /// What one method does on one path.
    struct Route: Sendable {
        let method: HTTPRequest.Method
        /// The scope that the key must have; nil where no key is needed.
        let scope: KeyScope?
        let handler: Handler
    }

    /// The routes of one path.
    struct Path: Sendable {
        /// The path in words, such as `/v1/jobs/{id}`.
        let pattern: String
        let segments: [String]
        var routes: [Route]

        /// The last segment of a path that takes all that follows, with its slashes.
        static let rest = "{name}"

        fileprivate func takesRest(of found: [String]) -> Bool {
            segments.last == Self.rest && found.count >= segments.count
        }
    }

    /// What was found for a path.
    struct Match {
        let path: Path
        /// What stands where the path has `{id}` and other names in braces, in this order.
        let identifiers: [String]
    }

    private(set) var paths: [Path] = []

    /// Adds a route.
    mutating func add(
        _ method: HTTPRequest.Method, _ pattern: String, _ scope: KeyScope?, _ handler: @escaping Handler
    ) {
        let route = Route(method: method, scope: scope, handler: handler)
        if let index = paths.firstIndex(where: { $0.pattern == pattern }) {
            paths[index].routes.append(route)
        } else {
            paths.append(
                Path(
                    pattern: pattern, segments: pattern.dropFirst().split(separator: "/").map(String.init),
                    routes: [route]))
        }
    }

    /// The path that fits; fixed paths come before those with an identifier if they are added before.
    func match(_ segments: [String]) -> Match? {
        for path in paths where path.segments.count == segments.count || path.takesRest(of: segments) {
            var identifiers: [String] = []
            let fits = zip(path.segments, segments).allSatisfy { expected, found in
                if expected == Path.rest { return true }
                guard expected.first == "{" else { return expected == found }
                identifiers.append(found)
                return !found.isEmpty
            }
            if fits { return Match(path: path, identifiers: identifiers) }
        }
        return nil
    }
}
