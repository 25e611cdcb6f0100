import Foundation
import Synchronization

/// Decides to which registries a job's image may send the container engine.
///
/// The engine connects from the host's network, and how it fails tells what is there: a name that a caller makes up must
/// not lead to an address that only the host reaches. What the operator named is left alone.
package final class RegistryGuard: Sendable {
    /// Finds the addresses of a host; none where it has none, or nobody knows them.
    ///
    /// It may block.
    package typealias Lookup = @Sendable (String) -> [RegistryAddress]

    /// The longest wait for the addresses of a host.
    private static let lookupSeconds = 5
    /// The most lookups at a time: each holds a thread until the resolver answers.
    private static let lookupsMax = 8

    private let patterns: [String]
    private let registries: Set<String>
    private let lookup: Lookup
    private let running = Mutex(0)

    /// - Parameters:
    ///   - patterns: Those of the images that jobs may name, which may begin with a registry.
    ///   - registries: Those for which credentials are configured.
    package init(
        patterns: [String], registries: [String], lookup: @escaping Lookup = { RegistryAddress.all(of: $0) }
    ) {
        self.patterns = patterns
        self.registries = Set(registries)
        self.lookup = lookup
    }

    /// Whether the operator named a registry: by its own name, not by a pattern that fits everything.
    package func isNamed(_ registry: String) -> Bool {
        registry == ImageName.defaultRegistry || registries.contains(registry)
            || patterns.contains { $0.hasPrefix(registry + "/") }
    }

    /// Lets a registry pass that has a public name and only public addresses, or none that can be found from here.
    ///
    /// - Throws: `.notAllowed` with a fault at `/image`; `.unavailable` when the addresses cannot be found out now.
    package func check(_ registry: String) async throws {
        guard !isNamed(registry) else { return }
        guard Self.isPublicName(registry), try await addresses(of: registry).allSatisfy(\.isPublic) else {
            let text =
                "The registry \(registry) is an address, has a port, or is not public: the operator can name it in "
                + "sandbox.image_allow, as \(registry)/*"
            throw EngineError(
                .notAllowed, text, faults: [.init(pointer: "/image", code: "not-allowed", detail: text)])
        }
    }

    /// Whether a registry is a name of the public kind: no address in whatever notation, no port, not this machine.
    private static func isPublicName(_ registry: String) -> Bool {
        let name = registry.lowercased()
        let labels = name.split(separator: ".")
        guard !name.contains(":"), labels.count > 1, let last = labels.last, last != "localhost" else { return false }
        // No top-level domain begins with a digit; addresses end with a number, also as 127.1 and 0x7f.1.
        return last.first?.isNumber == false
    }

    private func addresses(of host: String) async throws -> [RegistryAddress] {
        let isFree = running.withLock { running in
            guard running < Self.lookupsMax else { return false }
            running += 1
            return true
        }
        guard isFree else {
            throw EngineError(.unavailable, "too many registries are looked up at a time", retryAfterSeconds: 5)
        }
        let found: [RegistryAddress]? = await withCheckedContinuation { continuation in
            let answer = Answer(continuation)
            // A thread of its own: one that blocks must take none from those that run everything else.
            Thread.detachNewThread { [self] in
                let found = lookup(host)
                running.withLock { $0 -= 1 }
                answer.give(found)
            }
            DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Self.lookupSeconds)) { answer.give(nil) }
        }
        guard let found else {
            throw EngineError(
                .unavailable, "the addresses of the registry \(host) are not known in time", retryAfterSeconds: 5)
        }
        return found
    }
}

/// Whichever comes first: the addresses, or the end of the patience.
private final class Answer: Sendable {
    private let continuation: Mutex<CheckedContinuation<[RegistryAddress]?, Never>?>

    init(_ continuation: CheckedContinuation<[RegistryAddress]?, Never>) {
        self.continuation = Mutex(continuation)
    }

    func give(_ addresses: [RegistryAddress]?) {
        let waiting = continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        waiting?.resume(returning: addresses)
    }
}
