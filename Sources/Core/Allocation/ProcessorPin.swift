/// Whether a sandbox is kept to some of its processors, and what its runtime is to be asked for next.
///
/// A pure value; times are seconds of one monotonic clock. One change is under way at a time. One that fails is tried
/// again after `pauseSeconds`, and not more often than `triesMax` times in a row. A sandbox that is to use all its
/// processors by then and may still be kept to some is worn.
package struct ProcessorPin: Sendable {
    /// What a runtime is asked for.
    package enum Change: Sendable, Equatable {
        /// Keep the sandbox to these.
        case keep(ProcessorList)
        /// Let it use all that it began with.
        case free
    }

    /// What became of the changes so far.
    private enum Held: Sendable, Equatable {
        /// It may use all that it began with.
        case all
        /// It is kept to these.
        case these(ProcessorList)
        /// A change was not answered: it may have been made.
        case unknown
    }

    /// The changes that may fail in a row.
    package static let triesMax = 5
    /// The seconds from a change that failed to the next try.
    package static let pauseSeconds = 10.0

    /// What it is to be kept to; nil for all that it began with.
    package private(set) var wanted: ProcessorList?
    /// The changes that failed in a row.
    package private(set) var failures = 0
    private var held = Held.all
    private var underWay: Change?
    private var notBefore = -Double.infinity

    /// Makes one of a sandbox that may use all its processors, or was found kept to some.
    package init(kept: ProcessorList? = nil) {
        wanted = kept
        if let kept { held = .these(kept) }
    }

    /// Whether it is kept to some processors, or may be.
    package var isPinned: Bool {
        switch underWay {
        case .keep?: true
        case .free?: false
        case nil: held != .all
        }
    }

    /// The processors that it takes from others; nil where it may use all.
    package var place: ProcessorList? {
        if let wanted { return wanted }
        if case .these(let kept) = held { return kept }
        return nil
    }

    /// Whether it is kept to what it is to be kept to, and nothing failed.
    package var isSettled: Bool { underWay == nil && failures == 0 && change == nil && wanted != nil }

    /// Whether it is to use all its processors, may be kept to some, and nothing more is tried.
    package var isWorn: Bool {
        underWay == nil && failures >= Self.triesMax && wanted == nil && held != .all
    }

    /// Whether another change may be tried at all.
    package var mayTry: Bool { failures < Self.triesMax }

    /// Wants it kept to some processors.
    package mutating func keep(to processors: ProcessorList) {
        guard failures < Self.triesMax else { return }
        wanted = processors
    }

    /// Wants it to use all its processors.
    package mutating func free() { wanted = nil }

    /// The change to ask its runtime for now, which is under way from then on; nil when there is none to make.
    package mutating func nextChange(at now: Double) -> Change? {
        guard underWay == nil, failures < Self.triesMax, now >= notBefore, let next = change else { return nil }
        underWay = next
        return next
    }

    /// Notes that the runtime has made the change that was under way.
    package mutating func succeeded() {
        switch underWay {
        case .keep(let processors)?: held = .these(processors)
        case .free?: held = .all
        case nil: return
        }
        underWay = nil
        failures = 0
        notBefore = -.infinity
    }

    /// Notes that the change that was under way failed.
    ///
    /// - Parameter isRefused: Whether the runtime said so: then nothing changed. Without an answer it may have.
    package mutating func failed(isRefused: Bool, at now: Double) {
        guard let change = underWay else { return }
        underWay = nil
        failures += 1
        notBefore = now + Self.pauseSeconds
        guard isRefused else {
            held = .unknown
            return
        }
        // Only a sandbox that is busy again is to be kept again.
        guard case .keep = change, wanted != nil else { return }
        if case .these(let kept) = held { wanted = kept } else { wanted = nil }
    }

    /// What would make what holds what is wanted.
    private var change: Change? {
        let wish = wanted.map { Change.keep($0) } ?? Change.free
        switch held {
        case .all: return wish == .free ? nil : wish
        case .these(let kept): return wish == .keep(kept) ? nil : wish
        case .unknown: return wish
        }
    }
}
