import Foundation
import SlipwayCore
import Synchronization

/// Follows a job to its end, and cancels it when the user wants to leave.
struct JobWatch: Sendable {
    private enum Turn: Sendable {
        case ended
        case abandoned(Int32)
        case nothing
    }

    /// The signal that cancelled the job.
    private final class Noted: Sendable {
        let number = Mutex<Int32?>(nil)
    }

    private let interrupts: Interrupts
    private let progress: ProgressLine
    private let keepsOutput: Bool

    /// - Parameter keepsOutput: Whether standard output is kept for JSON.
    init(_ interrupts: Interrupts, _ progress: ProgressLine, _ keepsOutput: Bool) {
        self.interrupts = interrupts
        self.progress = progress
        self.keepsOutput = keepsOutput
    }

    /// Shows the events of a job until it ends.
    ///
    /// The first signal cancels the job and waits for its end; the second leaves it.
    ///
    /// - Parameters:
    ///   - events: Hands each event of the job to its argument, and returns after the last.
    ///   - cancel: Asks for the end of the job.
    /// - Returns: The number of the signal that cancelled the job; nil without one.
    func follow(
        _ events: @escaping @Sendable (_ show: ([UInt8]) throws -> Void) async throws -> Void,
        cancel: @escaping @Sendable () async throws -> Void
    ) async throws -> Int32? {
        let seen = Noted()
        return try await withThrowingTaskGroup(of: Turn.self) { group in
            group.addTask { [progress, keepsOutput] in
                let printer = EventPrinter(progress: progress, keepsOutput: keepsOutput)
                try await events { try printer.show($0) }
                return .ended
            }
            group.addTask {
                for await number in interrupts.signals {
                    if seen.number.withLock({ $0 }) != nil { return .abandoned(number) }
                    seen.number.withLock { $0 = number }
                    progress.hide(endsLine: true)
                    Console.note("cancelling the job")
                    await Self.ask(cancel)
                }
                return .nothing
            }
            group.addTask {
                await progress.tick()
                return .nothing
            }
            defer { group.cancelAll() }
            do {
                while let turn = try await group.next() {
                    switch turn {
                    case .ended: return seen.number.withLock { $0 }
                    case .abandoned(let number): throw CommandExit(128 + number)
                    case .nothing: continue
                    }
                }
            } catch let exit as CommandExit where exit.isOutputFailure {
                await Self.ask(cancel)
                throw exit
            }
            return nil
        }
    }

    private static func ask(_ cancel: @Sendable () async throws -> Void) async {
        do {
            try await cancel()
        } catch let error as EngineError where error.code == .alreadyTerminal {
            // It ended by itself in the meantime, and its end is on its way.
        } catch let problem as GatewayProblem where problem.status == 409 {
            // The same, seen by a gateway.
        } catch {
            Console.note("the job could not be cancelled: \(CommandExit(error)?.message ?? "\(error)")")
        }
    }
}
