import Foundation
import Logging
import SlipwayCore

/// An engine of this process alone, in a temporary data folder, so that it runs beside any other.
struct EmbeddedEngine: Sendable {
    let engine: Engine
    private let folder: String
    private let engineID: String?

    /// Makes and starts an engine with at most one sandbox.
    ///
    /// - Throws: ``EngineError`` or ``CommandExit`` when jobs cannot run, with the reason.
    static func open(_ given: Configuration, logger: Logger) async throws -> EmbeddedEngine {
        let folder = try makeFolder()
        let configuration = adapted(given, folder: folder)
        do {
            let engine = try await Engine(configuration: configuration, logger: logger)
            let embedded = EmbeddedEngine(
                engine: engine, folder: folder, engineID: try engine.store.metaBlocking("engine_id"))
            do {
                try await engine.start()
                try await embedded.checkReadiness()
            } catch {
                // No job was submitted, so there is no sandbox.
                await engine.shutdown()
                throw error
            }
            return embedded
        } catch {
            remove(folder)
            throw error
        }
    }

    /// Stops the engine and removes whatever it has made.
    func close() async {
        await engine.shutdown()
        if let engineID { await EngineRemains.remove(of: engineID, engine.configuration) }
        Self.remove(folder)
    }

    /// The configuration of an engine for one job of the person at the terminal.
    private static func adapted(_ given: Configuration, folder: String) -> Configuration {
        var configuration = given
        configuration.data.directory = folder
        configuration.data.artifacts = nil
        configuration.data.socketDirectory = folder + "/s"
        configuration.pools.defaults.minIdle = 0
        configuration.pools.defaults.max = 1
        configuration.pools.defaults.onExhausted = .queue
        configuration.pools.defaults.slots = 1
        configuration.pools.defaults.pauseAfter = nil
        configuration.pools.classes = []
        configuration.store.walPrewarmBytes = 0
        configuration.jobs.drainTimeout = .seconds(2)
        // Output is shown as it comes and kept nowhere: what a gateway would cut out shall be seen here.
        configuration.jobs.logLimitBytes = max(given.jobs.logLimitBytes, 64 << 20)
        configuration.jobs.eventsMax = max(given.jobs.eventsMax, 500_000)
        return configuration
    }

    private func checkReadiness() async throws {
        let readiness = await engine.readiness()
        guard !readiness.ready else { return }
        var reason = readiness.reasons.joined(separator: "; ")
        // The engine's own reason is for everybody; the person at the terminal may see the address and the cause.
        if let client = try EngineRemains.client(engine.configuration) {
            do {
                try await client.ping()
            } catch {
                reason = CommandExit(error)?.message ?? reason
            }
            await client.shutdown()
        }
        if !reason.hasSuffix("?") { reason += "." }
        throw CommandExit(CommandExit.unreachable, "jobs cannot run here: \(reason) `slipway doctor` tells more.")
    }

    private static func makeFolder() throws -> String {
        var base = NSTemporaryDirectory()
        while base.count > 1, base.hasSuffix("/") { base.removeLast() }
        // The path of a socket below it has 107 bytes at most.
        if base.utf8.count > 32 { base = "/tmp" }
        var template = Array("\(base)/slipway-run-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw CommandExit(
                CommandExit.unreachable, "cannot make a folder in \(base): \(SystemError.words(errno))")
        }
        return String(cString: made)
    }

    private static func remove(_ folder: String) {
        do {
            try FileManager.default.removeItem(atPath: folder)
        } catch CocoaError.fileNoSuchFile {
            // It is gone, which is what was wanted.
        } catch {
            Console.note("the temporary folder \(folder) could not be removed: \(SystemError.reason(error))")
        }
    }
}
