import ArgumentParser
import Foundation
import SlipwayCore

/// Runs Python tasks in warm, isolated containers.
@main
struct Slipway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slipway",
        abstract: "Runs Python tasks and commands in warm, pooled, isolated containers.",
        discussion: """
            Exit codes: 0 done, 1 the job failed (a command passes its own code on), 2 wrong usage, 3 something cannot \
            be reached or started, 130 interrupted.
            """,
        version: slipwayVersion,
        subcommands: [
            ServeCommand.self, RunCommand.self, SubmitCommand.self, StatusCommand.self, WaitCommand.self,
            LogsCommand.self, ResultCommand.self, ArtifactsCommand.self, CancelCommand.self, ListCommand.self,
            PoolCommand.self, EnvCommand.self, TenantsCommand.self, KeysCommand.self, DoctorCommand.self,
            ConfigCommand.self, BenchCommand.self, VersionCommand.self,
        ])

    /// Runs the command that the arguments name, and ends the process with its code.
    static func main() async {
        // A reader that goes away shows as EPIPE where we write, so that a job can still be cancelled and cleaned up.
        signal(SIGPIPE, SIG_IGN)
        // A gateway that is told to reload while it starts does so when it has started.
        if CommandLine.arguments.dropFirst().first == ServeCommand.configuration.commandName { EarlyReload.watch() }
        let code: Int32
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            code = CommandExit.done
        } catch {
            code = report(error)
        }
        fflush(nil)
        // Not exit(): its handlers free what libcurl's libraries still use on a thread that is ending.
        _exit(code)
    }

    /// Tells the user why a command ended, and says with which code.
    private static func report(_ error: any Error) -> Int32 {
        if let failure = CommandExit(error) {
            if let message = failure.message { Console.note(message) }
            return failure.code
        }
        let message = fullMessage(for: error)
        guard exitCode(for: error).isSuccess else {
            Console.error(message + "\n")
            return CommandExit.usage
        }
        // Help and version.
        do {
            try Console.out(message + "\n")
        } catch let exit as CommandExit where exit.code != CommandExit.brokenPipe {
            return report(exit)
        } catch {
            // A reader that went away has seen enough of it.
        }
        return CommandExit.done
    }
}
