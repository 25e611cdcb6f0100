"""One slot of a sandbox: runs one task at a time and is clean in between."""

from __future__ import annotations

import marshal
import time
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Set

from . import frames, outcomes
from .child import Child
from .collect import Collection
from .frames import Violation
from .jobs import Job
from .limits import output_folder
from .loop import Timer

if TYPE_CHECKING:
    from .core import Supervisor

IDLE, RUNNING, ENDING, SWEEPING = "idle", "running", "ending", "sweeping"
KILL_AFTER_RESULT = 1.0
FORK_SECONDS = 30.0
FORK_FAILURES = 5
DIRTY_SECONDS = 30.0
RECHECK_SECONDS = 0.002
HOT_SECONDS = 0.002
#: Shorter tasks are not asked for the sandbox's peak of memory.
PEAK_SECONDS = 0.01


class Slot:
    """Dispatches tasks to children and proves that nothing of them stays.

    Parameters
    ----------
    host
        The supervisor.
    index
        Which slot this is.
    uids
        Two uids to alternate between, or None twice.
    """

    def __init__(self, host: Supervisor, index: int, uids: List[Optional[int]]) -> None:
        self._host = host
        self.index = index
        self._uids = uids
        self._turn = 0
        self.state = IDLE
        #: Whether tasks come so close that every processor has better things to do
        #: than to rehearse.
        self.hot = False
        self.waiting: Optional[Child] = None
        self.active: Optional[Child] = None
        self.job: Optional[Job] = None
        self.queued: Optional[Job] = None
        self.helper: Optional[int] = None
        #: Where a task may leave files.
        self.output = output_folder(host.settings["tmp"], index)
        #: The helpers that read such files, until they are reaped.
        self.readers: Set[int] = set()
        self._collection: Optional[Collection] = None
        self._timer: Optional[Timer] = None
        #: Set while a job waits for another child, since its first one never was ready.
        self._again: Optional[Timer] = None
        self._failures = 0
        self._oom_before = 0
        self._usage: Dict[str, Any] = {}
        self._ended_at = 0.0
        self._recheck: Optional[Timer] = None
        #: How often the helper was launched for the last task, and when it may again.
        self.helped = 0
        self.next_help = 0.0
        #: Whether the last one got through.
        self.helper_succeeded = False
        self._swept = 0
        self._scrubbed = 0
        self._uid: Optional[int] = None
        #: The limits of the last task, which those to come inherit from the zygote.
        self._limits = b""

    @property
    def unsettled(self) -> bool:
        """Whether a fork was asked for that has not shown itself yet."""
        return any(
            child is not None and child.pid is None and child.status is None
            for child in (self.waiting, self.active)
        )

    def await_word(self, deadline: float) -> None:
        """Wait until it is known whether the child of a task came to be."""
        if self.active is not None:
            self.active.await_word(deadline)

    def may_have_begun(self, job: Job) -> bool:
        """Whether something of `job` may have run here."""
        if self.job is not job or self._again is not None:
            return False
        return self.active is None or not self.active.is_void

    def told(self) -> Dict[str, Any]:
        """Return what HELLO says of this slot."""
        task = self.job if self.job is not None else self.queued
        reference = task.reference if task is not None else None
        return {"slot": self.index, "state": self.state, "task": reference}

    # Starting

    def accept(self, job: Job) -> None:
        """Run `job` now, or after the task before it is proved gone."""
        rested = time.monotonic() - self._ended_at
        self.hot = self.state != IDLE or rested < HOT_SECONDS
        if self.state == IDLE and self._host.ready:
            self._dispatch(job)
        elif self.queued is None:
            self.queued = job
        else:
            raise Violation("slot %d has a task waiting already" % self.index)

    def prepare(self) -> None:
        """Serve the task that waits, or fork ahead for the next."""
        if self.state == IDLE and self.queued is not None:
            job, self.queued = self.queued, None
            self._dispatch(job)
        elif self.waiting is None and self._host.ready:
            self.waiting = self._fork()

    def fork_ahead(self) -> None:
        """Have the next child made while this task ends."""
        if self.waiting is None and self._host.ready:
            self.waiting = self._fork()

    def _fork(self) -> Child:
        uid = self._uids[self._turn]
        self._turn ^= 1
        child = self._host.nursery.fork(uid, self.index, not self.hot, self._limits)
        child.on_ready = self._ready
        child.on_silent = self._silent
        child.on_misuse = self._host.zygote_failed
        timer = self._host.loop.after(FORK_SECONDS, lambda: self._overdue(child))
        child.timer = timer
        return child

    def _overdue(self, child: Child) -> None:
        if child.pid is None and child in (self.waiting, self.active):
            self._host.zygote_failed("the zygote does not fork")

    def _ready(self, child: Child) -> None:
        self._failures = 0
        child.timer.cancel()
        if child is self.active:
            if self.job is not None:
                self.job.input = []
            child.on_misuse = self._misuse
            if child.kill_when_known:
                child.kill()
        self._host.settled()

    def _silent(self, child: Child) -> None:
        """A child went away before it was ready, so it never saw its task."""
        child.timer.cancel()
        child.close()
        self._failures += 1
        if self._failures >= FORK_FAILURES:
            self._host.zygote_failed("children end before they are ready")
            return
        pause = 0.05 * self._failures
        if child is self.waiting:
            self.waiting = None
            if self.state == IDLE:
                self._host.loop.after(pause, self.prepare)
        elif child is self.active and self.job is not None:
            # The slot stays the job's: it can be cancelled, and others wait for it.
            self.active = None
            if self._timer is not None:
                self._timer.cancel()
            self._again = self._host.loop.after(pause, self._start_again)
        self._host.settled()

    def _start_again(self) -> None:
        job, self.job, self._again = self.job, None, None
        self.state = IDLE
        if job is None:
            return
        if job.forced:
            self.refuse(job, outcomes.blank(job.forced))
            self.prepare()
        else:
            self._dispatch(job)

    def _dispatch(self, job: Job) -> None:
        fields = job.fields
        if fields["kind"] == "callable" and fields["python"] not in (
            None,
            self._host.python,
        ):
            message = (
                "the task was pickled by Python %s and this sandbox runs %s: use an "
                "image with the same version" % (fields["python"], self._host.python)
            )
            result = outcomes.blank("python_mismatch")
            result["error"] = outcomes.error("PythonMismatch", message)
            self.refuse(job, result)
            self.prepare()
            return
        child = self.waiting if self.waiting is not None else self._fork()
        self.waiting = None
        self.active, self.job, self.state = child, job, RUNNING
        self._uid = child.uid
        child.may_tell_lines = fields["kind"] == "command"
        child.result_limit = fields["result_limit"]
        if child.pid is not None:
            child.on_misuse = self._misuse
        child.on_output = self._output
        child.on_event = self._event
        child.on_answer = self._answer
        # Before the task begins: it can be out of memory before the next line runs.
        self._oom_before = self._host.oom_kills()
        job.begun = time.monotonic()
        limits = marshal.dumps(self._host.task_limits(fields["rlimits"]))
        if self._uid is not None:
            self._limits = limits
        child.start(job.start_header(limits), job.input)
        if child.pid is not None:
            job.input = []
        self._host.pulse.work()
        if (timeout := fields["timeout"]) is not None:
            self._timer = self._host.loop.after(timeout, lambda: self.kill("timeout"))
        if self.hot:
            # One after the other: the next child is made while this one works.
            self.fork_ahead()

    def more(self, data: bytes) -> None:
        """Hand over more of the input of the task in this slot."""
        child = self.active
        if child is not None:
            child.more(data)
        if self.job is not None and (child is None or child.pid is None):
            self.job.input.append(data)  # Another child may have to be asked for.

    def refuse(self, job: Job, result: Dict[str, Any]) -> None:
        """Answer for a task that never ran: RESULT and CLEAN at once."""
        made = job.finish(result, [])
        job.clean = self._clean_frame(job, outcomes.blank("")["usage"], 0.0)
        self._host.emit(job, made + [job.clean])

    # While it runs

    def _output(self, stream: str, data: bytes) -> None:
        job = self.job
        if job is None:
            return
        made = job.output(stream, data)
        for line in self.active.lines_of(stream, data) if self.active else ():
            made += job.event(line)
        if made and job.result is None:
            self._host.emit(job, made)

    def _event(self, body: bytes) -> None:
        if self.job is not None:
            self._host.emit(self.job, self.job.event(body))

    def _answer(self, header: Dict[str, Any], body: List[bytes], size: int) -> None:
        fields = outcomes.from_child(header)
        if fields is None or (
            fields["encoding"] == "identity" and fields["inflated"] != size
        ):
            self._misuse("the task sent a malformed result")
            return
        if self.job is not None and not self.job.forced:
            self._finish(fields, body)
            self.state = ENDING
            if self.job.pending is None:
                self._release()

    def _release(self) -> None:
        child = self.active
        if child is not None:
            child.release()
            self._timer = self._host.loop.after(KILL_AFTER_RESULT, child.kill)

    def _finish(self, fields: Dict[str, Any], body: List[bytes]) -> None:
        job, child = self.job, self.active
        if job is None or child is None or job.result is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        if (
            not self._host.remove_output(self.output)
            and fields["outcome"] in outcomes.WITH_OUTPUTS
            and self._host.output_limits is not None
        ):
            child.drain()
            for line in child.last_lines():
                self._host.emit(job, job.event(line))
            job.has_outputs = True
            job.pending = fields, body
            self._collect()
        else:
            self._conclude(job, fields, body)

    def _conclude(self, job: Job, fields: Dict[str, Any], body: List[bytes]) -> None:
        if fields["run"] >= PEAK_SECONDS:
            peak = self._host.sanitation.memory_peak()
            if peak is not None:
                fields["usage"]["sandbox_memory_peak"] = peak
        with self._host.batch():
            if self.active is not None:
                self.active.drain()
                for line in self.active.last_lines():
                    self._host.emit(job, job.event(line))
            tails = job.tails()
            self._host.emit(job, tails + job.finish(fields, body))

    def _misuse(self, message: str) -> None:
        if self.job is not None and self.job.forced is None:
            self.job.misuse = message
            self.kill("protocol")

    def kill(self, reason: str) -> None:
        """End the running task; RESULT names `reason` as its outcome."""
        if self.job is None or self.job.result is not None or self.job.forced:
            return
        self.job.forced = reason
        if self.job.pending is not None:
            self._forgo_outputs(self.job, reason)
        if self.active is not None:
            self.active.kill()

    # What it left behind

    def _collect(self) -> None:
        """Read the output folder, as soon as a host listens."""
        job, limits = self.job, self._host.output_limits
        if job is None or limits is None or not self._host.connected:
            return
        collection = Collection(self._host.loop, job, self._emit_output)
        collection.on_done = self._collected
        self._collection = collection
        collection.start(self._uid, self._host.gid, self.output, limits)
        if collection.pid is not None:
            self.readers.add(collection.pid)

    def _emit_output(self, made: List[bytes]) -> None:
        if self.job is not None:
            self._host.emit(self.job, made)
            self.pace()

    def pace(self) -> None:
        """Read outputs as fast as the host takes them."""
        if self._collection is not None:
            self._collection.pace(self._host.backlog)

    def suspend(self) -> None:
        """Stop reading: the host is gone, and gets everything again."""
        if self._collection is not None:
            self._collection.abort()
            self._collection = None

    def resume(self) -> None:
        """Read again what the host may have lost: nothing of it was removed."""
        if self.job is not None and self._holds(self.job):
            self._collect()

    def _collected(self) -> None:
        job, self._collection = self.job, None
        if job is None:
            return
        if job.pending is not None:
            (fields, body), job.pending = job.pending, None
            self._conclude(job, fields, body)
        else:
            self._host.emit(job, job.last_words())
        if self.state == ENDING and self.active is not None:
            self._release()

    def _forgo_outputs(self, job: Job, reason: str) -> None:
        self.suspend()
        fields = outcomes.blank(reason)
        if job.pending is not None:
            fields["usage"] = job.pending[0]["usage"]
            job.pending = None
        job.has_outputs = False
        self._conclude(job, fields, [])

    def let_go(self) -> None:
        """Sweep, if that was put off until the host had the outputs."""
        job = self.job
        if job is not None and job.has_outputs and not self._holds(job):
            self._ended_at = time.monotonic()
            self.check()

    @staticmethod
    def _holds(job: Job) -> bool:
        return job.has_outputs and not (job.acknowledged or job.dropped)

    def reaped(self, pid: int) -> bool:
        """Take the end of a process; False when it read no outputs for this slot."""
        if pid not in self.readers:
            return False
        self.readers.remove(pid)
        if self._collection is not None and self._collection.pid == pid:
            self._collection.pid = None
        return True

    # Afterwards

    def exited(self, child: Child, status: int, usage: Any) -> None:
        """Take the end of a child of this slot."""
        child.receive_all()
        child.status = status
        if child is self.waiting:
            self._silent(child)
            return
        job = self.job
        if job is not None and job.result is None and job.pending is None:
            oom = job.forced is None and self._host.oom_kills() > self._oom_before
            fields = outcomes.of_end(job, status, usage, oom)
            fields["run"] = time.monotonic() - job.begun
            self._finish(fields, [])
        if self._timer is not None:
            self._timer.cancel()
        self._usage = outcomes.usage_of(usage)
        child.close()
        self.active = None
        self.state = SWEEPING
        self._ended_at = time.monotonic()
        self.helped = 0
        self.next_help = 0.0
        self.helper_succeeded = False
        self._swept = self._scrubbed = 0
        self._host.remove_folder(child.folder)

    def starved(self) -> None:
        """End the task as out of memory, if the zygote ended of that since it began."""
        job = self.job
        if job is None or self.active is None or job.result is not None or job.pending:
            return
        if self._host.oom_kills() > self._oom_before:
            fields = outcomes.blank("oom")
            fields["run"] = time.monotonic() - job.begun
            self._finish(fields, [])

    def help_ended(self, status: int) -> None:
        """Take the end of the helper."""
        self.helper = None
        self.helper_succeeded = status == 0

    def adopt(self, usage: Any) -> None:
        """Count an orphan of this slot's task that ended."""
        self._swept += 1
        more = outcomes.usage_of(usage)
        if self._usage:
            self._usage["cpu_seconds"] += more["cpu_seconds"]
            self._usage["max_rss"] = max(self._usage["max_rss"], more["max_rss"])

    def check(self) -> None:
        """Go on towards a proof that the slot is clean."""
        if self.state != SWEEPING or self.helper is not None or self._host.unsettled:
            return
        if self.readers or (self.job is not None and self._holds(self.job)):
            return
        removed = self._host.clean_up(self, self._uid)
        if removed is None:
            self._cleaned()
            return
        self._scrubbed += removed
        if time.monotonic() - self._ended_at > DIRTY_SECONDS:
            self._host.fault("dirty", "a task's leftovers could not be removed")
        elif self._recheck is None:
            pause = max(RECHECK_SECONDS, self.next_help - time.monotonic())
            self._recheck = self._host.loop.after(pause, self._check_again)

    def _check_again(self) -> None:
        self._recheck = None
        self.check()

    def _clean_frame(self, job: Job, usage: Dict[str, Any], seconds: float) -> bytes:
        header = job.header(
            slot=self.index,
            usage=usage,
            swept=self._swept,
            scrubbed=self._scrubbed,
            seconds=seconds,
        )
        return frames.encode(frames.CLEAN, header)

    def _cleaned(self) -> None:
        job, self.job = self.job, None
        self.state = IDLE
        if job is not None:
            seconds = time.monotonic() - self._ended_at
            job.clean = self._clean_frame(job, self._usage, seconds)
            self._host.emit(job, [job.clean])
        self._host.cleaned(self)
