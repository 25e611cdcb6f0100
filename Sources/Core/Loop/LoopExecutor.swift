import NIOCore

/// Runs Swift concurrency jobs on one NIO event loop, as a serial executor and as a task executor.
///
/// The engine's actor, the runner channels and the gateway's handlers share this loop, so that a warm job
/// passes between them without a thread hop. Nothing on it may block.
package final class LoopExecutor: SerialExecutor, TaskExecutor {
    /// The loop that runs everything.
    package let loop: any EventLoop

    package init(loop: any EventLoop) { self.loop = loop }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute {
            job.runSynchronously(
                isolatedTo: self.asUnownedSerialExecutor(), taskExecutor: self.asUnownedTaskExecutor())
        }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    package func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }

    package func checkIsolated() { loop.preconditionInEventLoop() }

    package func isIsolatingCurrentContext() -> Bool? { loop.inEventLoop }
}
