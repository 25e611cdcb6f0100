/// Collects the faults of one request.
///
/// The list is bounded: the faults of a hostile request are not worth their memory.
package final class FaultList {
    /// The most faults of one list.
    package static let limit = 100

    /// What has been found.
    package private(set) var faults: [EngineError.Fault] = []
    private let prefix: String
    /// Where the elements stood that were taken from a list of which others were left out.
    private var places: [String: [Int]] = [:]

    /// Starts a list whose pointers all begin with `prefix`.
    package init(prefix: String = "") { self.prefix = prefix }

    /// Adds a fault.
    package func add(_ pointer: String, _ code: String, _ detail: String) {
        guard faults.count < Self.limit else { return }
        faults.append(.init(pointer: prefix + pointer, code: code, detail: detail))
    }

    /// Notes that of the list at `pointer` only the elements at these places were taken.
    package func note(places: [Int], at pointer: String) {
        self.places[prefix + pointer] = places
    }

    /// Adds what was found in the values that were taken, except where nothing was taken for a fault of its own.
    ///
    /// Their pointers have the list's prefix already.
    package func add(found: [EngineError.Fault]) {
        let own = faults.map(\.pointer)
        for var fault in found {
            fault.pointer = original(fault.pointer)
            guard faults.count < Self.limit else { return }
            guard !own.contains(where: { fault.pointer == $0 || fault.pointer.hasPrefix($0 + "/") }) else { continue }
            faults.append(fault)
        }
    }

    /// The pointer in the request of one in what was taken.
    private func original(_ pointer: String) -> String {
        for (list, places) in places where pointer.hasPrefix(list + "/") {
            var parts = pointer.dropFirst(list.count + 1).split(separator: "/", omittingEmptySubsequences: false)
            guard let place = parts.first.flatMap({ Int($0) }), places.indices.contains(place) else { continue }
            parts[0] = Substring(String(places[place]))
            return list + "/" + parts.joined(separator: "/")
        }
        return pointer
    }

    /// The pointer of a member, its name escaped as RFC 6901 says.
    package static func pointer(_ base: String, _ name: String) -> String {
        guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else {
            return "\(base)/\(name)"
        }
        var escaped = ""
        for character in name.unicodeScalars {
            switch character {
            case "~": escaped += "~0"
            case "/": escaped += "~1"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return "\(base)/\(escaped)"
    }
}

extension EngineError {
    /// The error that stands for all of these faults.
    ///
    /// Its code is the common kind of the faults, when they have one, else `invalidRequest`.
    package static func invalid(_ faults: [Fault]) -> EngineError {
        let codes = Set(faults.map(\.code))
        let code = codes.count == 1 ? codes.first.flatMap(Code.init(rawValue:)) : nil
        let count = faults.count == 1 ? "one fault" : "\(faults.count) faults"
        switch code {
        case .limitExceeded?:
            return EngineError(.limitExceeded, "The request asks for more than is allowed.", faults: faults)
        case .notAllowed?:
            return EngineError(.notAllowed, "The request asks for something that is not allowed.", faults: faults)
        case .notSupported?:
            return EngineError(.notSupported, "The request asks for something that does not exist.", faults: faults)
        default:
            return EngineError(.invalidRequest, "The request has \(count).", faults: faults)
        }
    }
}
