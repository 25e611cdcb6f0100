import Foundation
import Synchronization

/// One line at the foot of a terminal that says what goes on, with the time since the command began.
///
/// It writes nothing where standard error is no terminal.
final class ProgressLine: Sendable {
    private struct State {
        var text = ""
        var isShown = false
        /// Whether the cursor stands at the start of a line, so that a line of ours disturbs no output.
        var isAtLineStart = true
    }

    /// Whether anything is written at all.
    let isActive: Bool
    private let began = ContinuousClock.now
    private let state = Mutex(State())

    init(isActive: Bool = Console.showsProgress) { self.isActive = isActive }

    /// Shows a text in the place of the one before.
    func show(_ text: String) {
        guard isActive else { return }
        state.withLock { state in
            state.text = text
            draw(&state)
        }
    }

    /// Takes the line away, since output follows; it comes back below output that ends with a line.
    func hide(endsLine: Bool) {
        guard isActive else { return }
        state.withLock { state in
            if state.isShown { Console.error("\r\u{1B}[K") }
            state.isShown = false
            state.text = ""
            state.isAtLineStart = endsLine
        }
    }

    /// Writes a line that stays, above the place of the line that changes.
    func leave(_ text: String) {
        hide(endsLine: true)
        Console.error(text + "\n")
    }

    /// Keeps the time of the line current until the task is cancelled.
    func tick() async {
        guard isActive else { return }
        while (try? await Task.sleep(for: .milliseconds(500))) != nil {
            state.withLock { state in
                if state.isShown { draw(&state) }
            }
        }
    }

    private func draw(_ state: inout State) {
        guard state.isAtLineStart, !state.text.isEmpty else { return }
        let seconds = (ContinuousClock.now - began).components.seconds
        // Cut by the terminal at its edge: what goes on in a second line would not be taken away again.
        Console.error("\r\u{1B}[K\u{1B}[?7l[\(seconds)s] \(state.text.prefix(100))\u{1B}[?7h")
        state.isShown = true
    }
}
