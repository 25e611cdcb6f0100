extension EngineCore {
    /// What a runner's result means for the job.
    static func ending(of result: RunnerMessage.Result, job: ActiveJob) -> Ending {
        func failed(_ kind: JobError.Kind, _ message: String, type: String? = nil) -> Ending {
            Ending(
                state: .error,
                error: JobError(
                    kind: kind, type: type ?? result.errorType, message: message, traceback: result.traceback),
                exitCode: result.exitCode ?? result.signal.map { 128 + $0 })
        }
        let said = result.errorMessage
        switch result.outcome {
        case .ok:
            return Ending(state: .completed, exitCode: result.exitCode, media: media(of: result))
        case .exception:
            return failed(.exception, said ?? "the task raised an exception")
        case .unpicklable:
            return failed(.exception, said ?? "the result cannot be pickled", type: result.errorType ?? "PicklingError")
        case .resultTooLarge:
            return failed(
                .exception, said ?? "the result is larger than jobs.result_limit", type: "ResultTooLarge")
        case .exit:
            return failed(.exit, said ?? "the task ended itself with exit code \(result.exitCode ?? 0)")
        case .signal:
            return failed(.exit, said ?? "the task was ended by signal \(result.signal ?? 0)")
        case .timeout:
            return failed(.timeout, "the task ran longer than its timeout of \(job.plan.timeoutSeconds) s")
        case .cancelled:
            return job.job.cancelRequested
                ? Ending(state: .cancelled) : failed(.lost, "the task was ended with its sandbox")
        case .oom:
            return failed(
                .oom, said ?? "the task used more than its memory of \(job.plan.memoryBytes) bytes (resources.memory)")
        case .protocol:
            return failed(.protocol, said ?? "the task broke the runner protocol")
        case .pythonMismatch:
            return failed(.protocol, said ?? "the Python versions differ", type: "PythonMismatch")
        case .dependency:
            return failed(.dependency, said ?? "a module is missing")
        }
    }

    private static func media(of result: RunnerMessage.Result) -> JobResult.Media {
        switch result.media {
        case "json": .json
        case "pickle": .pickle
        case "text", nil: .text
        default: .bytes
        }
    }
}
