import Logging
import ServiceLifecycle
import SlipwayCore
import UnixSignals

/// Reads the configuration again on SIGHUP, for as long as the gateway serves.
struct ReloadService: Service {
    let engine: Engine
    let logger: Logger
    /// Reads the file and the environment as at the start.
    let read: @Sendable () throws -> Configuration

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        if EarlyReload.take() { await reload() }
        for await _ in signals.cancelOnGracefulShutdown() { await reload() }
    }

    private func reload() async {
        do {
            await engine.reload(try read())
        } catch {
            // What runs goes on as it was: a typing error must not end a gateway.
            let reason = CommandExit(error)?.message ?? "\(error)"
            logger.error(
                "the configuration was not read again: it has faults", metadata: ["reason": "\(reason)"])
        }
    }
}
