import Foundation
import SlipwayCore

/// What one check of `doctor` found.
struct Finding: Sendable {
    /// How good it is.
    enum Verdict: String, Sendable, Comparable {
        case ok, warn, fail

        static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

        private var rank: Int {
            switch self {
            case .ok: 0
            case .warn: 1
            case .fail: 2
            }
        }
    }

    let name: String
    let verdict: Verdict
    let detail: String
    /// What the user can do; nil when nothing needs to be done.
    let remedy: String?

    static func ok(_ name: String, _ detail: String) -> Finding {
        Finding(name: name, verdict: .ok, detail: detail, remedy: nil)
    }

    static func warn(_ name: String, _ detail: String, _ remedy: String) -> Finding {
        Finding(name: name, verdict: .warn, detail: detail, remedy: remedy)
    }

    static func fail(_ name: String, _ detail: String, _ remedy: String) -> Finding {
        Finding(name: name, verdict: .fail, detail: detail, remedy: remedy)
    }

    var json: JSONValue {
        [
            "name": .string(name), "verdict": .string(verdict.rawValue), "detail": .string(detail),
            "remedy": remedy.map(JSONValue.string) ?? .null,
        ]
    }

    var text: String {
        let word = verdict.rawValue.padding(toLength: 4, withPad: " ", startingAt: 0)
        let title = name.padding(toLength: max(18, name.count), withPad: " ", startingAt: 0)
        return "\(word)  \(title) \(Table.printable(detail))\n"
            + (remedy.map { String(repeating: " ", count: 25) + "-> \($0)\n" } ?? "")
    }
}
