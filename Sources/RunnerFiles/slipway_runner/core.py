"""The supervisor: speaks with the host, owns the slots, trusts neither tasks nor host.

It runs no code of a task and imports none.
"""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from typing import TYPE_CHECKING, Any, Deque, Dict, Iterator, List, Optional, Set, Tuple

from . import checks, frames, linux, outcomes
from .channel import Channel
from .checks import Key
from .frames import Violation
from .jobs import Job, begun_or_not
from .loop import Loop
from .nursery import Nursery
from .pulse import Pulse, processors
from .sanitation import make_sanitation
from .slot import IDLE, Slot
from .spawn import spawn

if TYPE_CHECKING:
    from .attach import AttachChannel

ENDED_REMEMBERED = 64
UNACKNOWLEDGED = 256


class Supervisor:
    """Everything that one sandbox knows.

    Parameters
    ----------
    settings
        The JSON object of the command line.
    zygote
        The first zygote, as `spawn` returned it.
    ends
        What `attach.claim` returned, where there is no socket to dial.
    """

    def __init__(
        self,
        settings: Dict[str, Any],
        zygote: Tuple[int, int],
        ends: Optional[Tuple[int, int]] = None,
    ) -> None:
        self.settings = settings
        self.loop = Loop()
        self.python = "%d.%d" % sys.version_info[:2]
        self.jobs: Dict[Key, Job] = {}
        self._ended: Deque[Key] = collections.deque(maxlen=ENDED_REMEMBERED)
        self._batch: Optional[List[frames.Whole]] = None
        self._open = False
        self._welcomed_before = False
        self._configured: Optional[str] = None
        #: The limits of what tasks may leave; None where nothing is kept.
        self.output_limits: Optional[Dict[str, int]] = None
        self._configuring: Optional[Dict[str, Any]] = None
        self._retired: Set[int] = set()
        uids = settings.get("uids")
        self._uids = [uids["zygote"], *uids["tasks"]] if uids else None
        count = settings.get("slots", 1)
        pairs = uids["tasks"] if uids else [None] * (2 * count)
        self.sanitation = make_sanitation(self, settings["tmp"], bool(uids))
        self.slots = [
            Slot(self, index, list(pairs[2 * index : 2 * index + 2]))
            for index in range(count)
        ]
        self.pulse = Pulse(self)
        self._processors = processors()
        self.gid: Optional[int] = None
        self.nursery = self._new_nursery(zygote)
        self.channel = self._new_channel(ends)

    def _new_nursery(self, process: Tuple[int, int]) -> Nursery:
        folder = self.settings["tmp"]
        nursery = Nursery(self.loop, process, self._uids, folder)
        nursery.on_ready = self._zygote_ready
        nursery.on_failed = self.zygote_failed
        nursery.on_stale = self.settled
        return nursery

    def _new_channel(
        self, ends: Optional[Tuple[int, int]]
    ) -> "Channel | AttachChannel":
        reconnect = float(self.settings.get("reconnect", 30.0))
        channel: Channel | AttachChannel
        if ends is None:
            channel = Channel(self.loop, self.settings["socket"], reconnect)
        else:
            from .attach import AttachChannel

            channel = AttachChannel(self.loop, ends, reconnect)
        channel.on_open = self._hello
        channel.on_lost = self._lost
        channel.on_gone = self.shut_down
        channel.on_frame = self._frame
        channel.on_violation = lambda message: self.fault("violation", message)
        channel.on_drained = self._drained
        return channel

    def run(self) -> None:
        """Serve until the process ends."""
        self.loop.catch_signals()
        self.loop.on_child = self._reap
        self.loop.on_terminate = self.shut_down
        self.channel.dial()
        self.loop.run()

    # Towards the host

    def emit(self, job: Job, made: List[frames.Whole]) -> None:
        """Send frames of `job`, unless the host has given it up."""
        if not made or job.dropped:
            return
        if self._batch is not None:
            self._batch += made
        elif self._open:
            self.channel.send(made)

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Send all frames that are emitted inside in one write."""
        self._batch = []
        try:
            yield
        finally:
            made, self._batch = self._batch, None
            if made and self._open:
                self.channel.send(made)

    def _hello(self) -> None:
        running, results, queued = [], [], []
        waiting = [slot.queued for slot in self.slots]
        for job in self.jobs.values():
            if job.result is not None:
                results.append(job.reference)
            elif job in waiting:
                queued.append(job.reference)
            else:
                running.append(job.reference)
        header = {
            "protocol": frames.PROTOCOL,
            "sandbox": self.settings["sandbox"],
            "pid": os.getpid(),
            "python": ".".join(map(str, sys.version_info[:3])),
            "implementation": sys.implementation.name,
            "abi": EXTENSION_SUFFIXES[0].split(".")[1],
            "libc": linux.c_library(),
            "degraded": self._degraded(),
            "cgroup": self.sanitation.cgroup,
            "processors": self._processors,
            "kept": now if (now := processors()) != self._processors else None,
            "configured": self._configured,
            "running": running,
            "results": results,
            "queued": queued,
            "slots": [slot.told() for slot in self.slots],
        }
        self.channel.send([frames.encode(frames.HELLO, header)])

    def _degraded(self) -> List[str]:
        found = list(self.sanitation.degraded)
        if not linux.available():
            found.append("no-ctypes")
        return found

    def _lost(self) -> None:
        self._open = False
        for slot in self.slots:
            slot.suspend()

    def _drained(self) -> None:
        for slot in self.slots:
            slot.pace()

    @property
    def connected(self) -> bool:
        """Whether a host listens."""
        return self._open

    @property
    def backlog(self) -> int:
        """Bytes that the host has not read yet."""
        return self.channel.queued_bytes

    @property
    def busy(self) -> int:
        """How many slots run a task or are not yet clean again."""
        return sum(slot.state != IDLE for slot in self.slots)

    def fault(self, code: str, message: str) -> None:
        """Tell the host why this sandbox ends, and end it."""
        self.nursery.kill()
        begun, unstarted = begun_or_not(self.jobs.values(), self.slots)
        header = {"code": code, "message": message[:4000]}
        header.update(begun=begun, unstarted=unstarted)
        self.channel.last_words(frames.encode(frames.FAULT, header))
        self._end(1)

    def shut_down(self) -> None:
        """End everything in here."""
        self.channel.drop()
        self._end(0)

    def _end(self, code: int) -> None:
        self.sanitation.kill_everything()
        # Nothing is left to flush, and no handler may run on after this.
        os._exit(code)

    # From the host

    def _frame(self, kind: int, header: Dict[str, Any], body: bytes) -> None:
        if kind == frames.WELCOME:
            self._welcome(header)
        elif not self._open:
            raise Violation("the first frame is not WELCOME")
        elif kind == frames.START:
            self._start(header, body)
        elif kind == frames.ACK:
            self._acknowledged(checks.key(header))
        elif kind == frames.INPUT:
            self._input(header, body)
        elif kind == frames.CANCEL:
            self._cancel(header)
        elif kind == frames.CONFIGURE:
            self._configure(header)
        else:
            self.shut_down()

    def _welcome(self, header: Dict[str, Any]) -> None:
        if self._open:
            raise Violation("WELCOME was sent before")
        resumed: Set[Key] = set(checks.keys(header, "resume"))
        if resumed - set(self.jobs):
            raise Violation("resume names a job that HELLO did not")
        self._open = True
        for key in [key for key in self.jobs if key not in resumed]:
            self._forget(key)
        for job in self.jobs.values():
            made = job.replay()
            if made:
                self.channel.send(made)
        for slot in self.slots:
            slot.resume()
        self.pulse.start()

    def _forget(self, key: Key) -> None:
        job = self.jobs.pop(key)
        job.dropped = True
        self._ended.append(key)
        for slot in self.slots:
            if slot.queued is job:
                slot.queued = None
            elif slot.job is job:
                slot.kill("cancelled")
                slot.let_go()

    def _configure(self, header: Dict[str, Any]) -> None:
        settings = checks.configure(header)
        if self.busy or any(slot.queued for slot in self.slots):
            raise Violation("CONFIGURE while a task runs")
        if self._configuring is not None:
            raise Violation("CONFIGURE before READY")
        env = settings["env"]
        env.setdefault("PATH", os.defpath + ":/usr/local/bin:/usr/bin")
        if settings["path"]:
            env.setdefault("PYTHONPATH", ":".join(settings["path"]))
        self._configuring = settings
        self.output_limits = settings["outputs"]
        self.gid = settings["gid"] if self._uids else None
        self._configured = None
        self.settled()

    def _start(self, header: Dict[str, Any], body: bytes) -> None:
        key = checks.key(header)
        fields = checks.start(header, len(self.slots))
        if self._configured is None and self._configuring is None:
            raise Violation("START before CONFIGURE")
        if key in self.jobs or key in self._ended:
            raise Violation("START names an attempt that was started before")
        if len(self.jobs) >= UNACKNOWLEDGED:
            raise Violation("too many results are not acknowledged")
        if len(body) > fields["size"]:
            raise Violation("START carries more than its size")
        job = Job(key, fields)
        job.input.append(body)
        job.received = len(body)
        self.jobs[key] = job
        self.slots[fields["slot"]].accept(job)

    def _input(self, header: Dict[str, Any], body: bytes) -> None:
        job = self._known(checks.key(header))
        if job is None or job.result is not None:
            return
        job.received += len(body)
        if job.received > job.fields["size"]:
            raise Violation("INPUT carries more than the size of START")
        for slot in self.slots:
            if slot.job is job:
                slot.more(body)
                return
        job.input.append(body)

    def _known(self, key: Key) -> Optional[Job]:
        job = self.jobs.get(key)
        if job is None and key not in self._ended:
            raise Violation("a frame names a job that was never started")
        return job

    def _cancel(self, header: Dict[str, Any]) -> None:
        key, reason = checks.cancel(header)
        job = self._known(key)
        if job is None or job.result is not None:
            return
        for slot in self.slots:
            if slot.queued is job:
                slot.queued = None
                slot.refuse(job, outcomes.blank(reason))
            elif slot.job is job:
                slot.kill(reason)

    def _acknowledged(self, key: Key) -> None:
        job = self._known(key)
        if job is None:
            return
        if job.result is None:
            raise Violation("ACK of a job without a result")
        del self.jobs[key]
        self._ended.append(key)
        if job.has_outputs:
            job.acknowledged = True
            for slot in self.slots:
                slot.let_go()

    # The zygote

    @property
    def ready(self) -> bool:
        """Whether tasks can be forked."""
        return self._configured is not None

    def zygote_failed(self, message: str) -> None:
        """End the sandbox: without a zygote no task can run."""
        for slot in self.slots:
            slot.starved()
        self.fault("zygote", message)

    def _zygote_ready(self, fields: Dict[str, Any]) -> None:
        settings, self._configuring = self._configuring, None
        if settings is None:
            self.zygote_failed("the zygote was ready before it was asked")
            return
        header = {"key": settings["key"], **fields}
        if settings["ahead"]:
            # Nobody's yet: no task is forked before it is somebody's.
            self.channel.send([frames.encode(frames.READY, header)])
            return
        self.sanitation.set_baseline()
        self._configured = settings["key"]
        self.channel.send([frames.encode(frames.READY, header)])
        for slot in self.slots:
            slot.prepare()

    @property
    def unsettled(self) -> bool:
        """Whether a child was asked for that has not reported yet."""
        return any(slot.unsettled for slot in self.slots)

    def settled(self) -> None:
        """Go on with what waited for a child to report, or for an old zygote to end."""
        if self._configuring is not None and not self.unsettled:
            self._reconfigure()
            return
        for slot in self.slots:
            slot.check()

    def _reconfigure(self) -> None:
        settings = self._configuring
        if self.nursery.state == "ready":
            if settings is not None and self.nursery.can_adopt(settings):
                self.nursery.adopt(settings)
                return
            self._retire()
        if self._retired or settings is None:
            return
        if self.nursery.state == "retired":
            self.nursery = self._new_nursery(spawn())
        if self.nursery.state == "fresh":
            self.nursery.configure(settings)

    def _retire(self) -> None:
        for slot in self.slots:
            child, slot.waiting = slot.waiting, None
            if child is not None and child.pid is not None:
                self._retired.add(child.pid)
                child.close()
                os.kill(child.pid, signal.SIGKILL)
        self._retired.add(self.nursery.pid)
        self.nursery.retire()

    # Children

    def _reap(self) -> None:
        changed = False
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            changed = True
            self._ended_child(pid, status, usage)
        if changed:
            self.settled()

    def _ended_child(self, pid: int, status: int, usage: Any) -> None:
        if pid in self._retired:
            self._retired.remove(pid)
            return
        if pid == self.nursery.pid:
            self.nursery.pid = 0
            self.zygote_failed("the zygote ended with status %d" % status)
            return
        for slot in self.slots:
            for child in (slot.active, slot.waiting):
                if child is not None and child.pid is None:
                    child.receive()
                if child is not None and child.pid == pid:
                    slot.exited(child, status, usage)
                    return
            if slot.helper == pid:
                slot.help_ended(status)
                return
            if slot.reaped(pid):
                return
        for slot in self.slots:
            if slot.state != IDLE:
                slot.adopt(usage)
                return

    def remove_folder(self, folder: str) -> None:
        """Remove a task's folder where it is empty; the checks find it otherwise."""
        try:
            os.rmdir(folder)
        except OSError:
            pass  # Not empty, or removed by the task.

    def remove_output(self, folder: str) -> bool:
        """Remove a task's output folder; False where something may be in it."""
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def known_processes(self) -> Set[int]:
        """Return the children that we have ourselves to thank for."""
        known = {self.nursery.pid, *self._retired}
        for slot in self.slots:
            known |= slot.readers
            for child in (slot.active, slot.waiting):
                if child is not None and child.pid is not None:
                    known.add(child.pid)
        return known

    def cleaned(self, slot: Slot) -> None:
        """Go on after a slot was proved clean."""
        slot.prepare()

    def clean_up(self, slot: Slot, uid: Optional[int]) -> Optional[int]:
        """Return None when nothing of `slot` is left, else how much was removed."""
        return self.sanitation.clean_up(slot, uid)

    def oom_kills(self) -> int:
        """Return how often the kernel killed for memory in here."""
        return self.sanitation.oom_kills()

    def task_limits(self, wanted: Dict[str, int]) -> Dict[str, int]:
        """Return the limits that a task gets."""
        return self.sanitation.task_limits(wanted)
