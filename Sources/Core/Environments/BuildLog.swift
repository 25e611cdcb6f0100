import Synchronization

/// What a build says while it runs, for everybody who waits for it.
///
/// Who comes late hears what was said before, first. At most `limitBytes` are kept and told; what comes after is only
/// in the builder's own answer.
package final class BuildLog: Sendable {
    /// Takes text as it comes, in whole lines, without blocking.
    package typealias Listener = @Sendable (String) -> Void

    /// The most that is kept and told.
    package static let limitBytes = 64 << 10

    private struct State {
        var text = ""
        var listeners: [Int: Listener] = [:]
        var isFull = false
    }

    private let state = Mutex(State())

    package init() {}

    /// What was said so far.
    package var text: String { state.withLock { $0.text } }

    /// Adds whole lines and hands them to the listeners, in the same order to each.
    package func append(_ lines: String) {
        guard !lines.isEmpty else { return }
        state.withLock { state in
            guard !state.isFull else { return }
            var lines = lines
            if state.text.utf8.count + lines.utf8.count > Self.limitBytes {
                state.isFull = true
                lines = "[the rest of the build's output is left out]\n"
            }
            state.text += lines
            for listener in state.listeners.values { listener(lines) }
        }
    }

    /// Hands everything said so far, and everything to come, to a listener.
    package func listen(_ number: Int, _ listener: @escaping Listener) {
        state.withLock { state in
            if !state.text.isEmpty { listener(state.text) }
            state.listeners[number] = listener
        }
    }

    /// Tells a listener no more.
    package func forget(_ number: Int) { state.withLock { $0.listeners[number] = nil } }
}
