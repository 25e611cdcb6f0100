"""One task of the host: what it needs to start, and what is kept until ACK."""

from __future__ import annotations

import marshal
import os
import time
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Tuple

from . import frames
from .checks import Key
from .joblog import LogWindow

if TYPE_CHECKING:
    from .slot import Slot

EVENT_BYTES = 65536
EVENT_COUNT = 10000
EVENTS_RETAINED = 1048576
#: So begins the event that carries an exception, as the client's code writes it.
EXCEPTION = b'{"type":"exception",'
LOG_CHUNK = 65536
STREAMS = ("stdout", "stderr")
UNBORN_SECONDS = 0.25


class Job:
    """A START that was accepted.

    Parameters
    ----------
    key
        Job id, attempt and nonce.
    fields
        The checked fields of START.
    """

    def __init__(self, key: Key, fields: Dict[str, Any]) -> None:
        self.key = key
        self.fields = fields
        self.input: List[bytes] = []
        self.received = 0
        self.logs = {name: LogWindow(fields["log_limit"]) for name in STREAMS}
        self.events: List[bytes] = []
        self.events_bytes = 0
        self.events_dropped = 0
        self.exception_kept = False
        self.result: Optional[List[frames.Whole]] = None
        self.clean: Optional[bytes] = None
        self.forced: Optional[str] = None
        self.misuse: Optional[str] = None
        self.begun = 0.0
        #: The host gave it up when it reconnected: nothing more is sent.
        self.dropped = False
        #: Files are to be read before RESULT, and stay until ACK.
        self.has_outputs = False
        self.acknowledged = False
        #: Fields and body of RESULT, while outputs are read.
        self.pending: Optional[Tuple[Dict[str, Any], List[bytes]]] = None

    def header(self, **fields: Any) -> Dict[str, Any]:
        """Return a frame header that names this job first."""
        job, attempt, nonce = self.key
        return {"job": job, "attempt": attempt, "nonce": nonce, **fields}

    def start_header(self, limits: bytes) -> bytes:
        """Return what a child is told of this job before its input.

        Parameters
        ----------
        limits
            The resource limits that it gets, packed.
        """
        fields = self.fields
        env = dict(fields["env"])
        env["SLIPWAY_JOB"] = self.key[0]
        env["SLIPWAY_ATTEMPT"] = str(self.key[1])
        return marshal.dumps(
            (
                fields["kind"],
                [(os.fsencode(name), os.fsencode(env[name])) for name in env],
                fields["encoding"],
                fields["size"],
                fields["inflated"],
                fields["result_limit"],
                limits,
            )
        )

    @property
    def reference(self) -> Dict[str, Any]:
        """Job, attempt and nonce as HELLO and FAULT list them."""
        return self.header()

    def output(self, stream: str, data: bytes) -> List[bytes]:
        """Keep output and return the frames to send now."""
        offset, live = self.logs[stream].feed(data)
        return self._log_frames(stream, offset, live)

    def _log_frames(
        self, stream: str, offset: int, data: bytes, skipped: int = 0
    ) -> List[bytes]:
        made = []
        for start in range(0, len(data), LOG_CHUNK):
            header = self.header(stream=stream, offset=offset + start)
            if skipped and not start:
                header["skipped"] = skipped
            body = data[start : start + LOG_CHUNK]
            made.append(frames.encode(frames.LOG, header, body))
        return made

    def tails(self) -> List[bytes]:
        """Return the frames with the last bytes of both streams."""
        made: List[bytes] = []
        for stream in STREAMS:
            tail = self.logs[stream].tail()
            if tail is not None:
                offset, skipped, data = tail
                made += self._log_frames(stream, offset, data, skipped)
        return made

    def event(self, body: bytes) -> List[bytes]:
        """Keep an event that is one JSON object; count it where it is not kept."""
        if len(body) > EVENT_BYTES or not self._has_room(body) or not _is_object(body):
            self.events_dropped += 1
            return []
        self.events_bytes += len(body)
        self.events.append(body)
        return [self._event_frame(len(self.events), body)]

    def _has_room(self, body: bytes) -> bool:
        # What all others leave free is kept for one that says what the task raised: it
        # comes last, so a task that tells much would lose it.
        room = EVENTS_RETAINED - EVENT_BYTES - self.events_bytes
        if len(body) <= room and len(self.events) < EVENT_COUNT:
            return True
        if self.exception_kept or not body.startswith(EXCEPTION):
            return False
        self.exception_kept = True
        return True

    def _event_frame(self, sequence: int, body: bytes) -> bytes:
        return frames.encode(frames.EVENT, self.header(seq=sequence), body)

    def finish(self, fields: Dict[str, Any], parts: List[bytes]) -> List[frames.Whole]:
        """Keep the result, whose bytes come in short `parts`; return its frames."""
        size = sum(map(len, parts))
        made: List[frames.Whole] = []
        body: List[bytes] = []
        start = length = 0
        for part in parts:
            if length + len(part) > frames.MAX_BODY:
                header = self.header(offset=start, size=size)
                made.append(frames.encode_parts(frames.RESULT_PART, header, body))
                start += length
                body, length = [], 0
            body.append(part)
            length += len(part)
        header = self.header(
            **fields,
            size=size,
            log_bytes={name: self.logs[name].total for name in STREAMS},
            events_dropped=self.events_dropped,
        )
        made.append(frames.encode_parts(frames.RESULT, header, body))
        self.result = made
        self.input = []
        return made

    def last_words(self) -> List[frames.Whole]:
        """Return the frames of RESULT, and the output before it."""
        return [*self.tails(), *(self.result or [])]

    def replay(self) -> List[frames.Whole]:
        """Return every retained frame, from the first byte of output on.

        Not RESULT where outputs go before it: they are read again first.
        """
        made: List[frames.Whole] = []
        for stream in STREAMS:
            made += self._log_frames(stream, 0, bytes(self.logs[stream].head))
        for sequence, body in enumerate(self.events, 1):
            made.append(self._event_frame(sequence, body))
        if self.result is not None and not self.has_outputs:
            made += self.last_words()
        if self.clean is not None:
            made.append(self.clean)
        return made


def begun_or_not(
    jobs: Iterable[Job], slots: "List[Slot]"
) -> Tuple[List[Dict[str, Any]], List[Dict[str, Any]]]:
    """Return which jobs have or may have begun, and which never did.

    The zygote is dead or dies: that it ended may be seen before it let go of what it
    was handed for the children that it has not made.
    """
    deadline = time.monotonic() + UNBORN_SECONDS
    for slot in slots:
        slot.await_word(deadline)
    begun: List[Dict[str, Any]] = []
    unstarted: List[Dict[str, Any]] = []
    for job in jobs:
        # One that has a result keeps it: the host may not have it yet.
        ran = job.result is not None or any(slot.may_have_begun(job) for slot in slots)
        (begun if ran else unstarted).append(job.reference)
    return begun, unstarted


def _is_object(body: bytes) -> bool:
    if body[:1] != b"{":
        return False
    try:
        frames.object_from(body)
    except frames.Violation:
        return False
    return True


class JsonLines:
    """Finds the lines of a stream that are JSON objects, however it is split."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> List[bytes]:
        """Take bytes and return the whole lines that look like JSON objects."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if self._skipping and lines:
            lines.pop(0)
            self._skipping = False
        if len(self._rest) > EVENT_BYTES:
            self._rest = b""
            self._skipping = True
        return [line.strip() for line in lines if self._candidate(line)]

    def last(self) -> List[bytes]:
        """Return the last line where the stream ended without a newline."""
        rest, self._rest = self._rest, b""
        if self._skipping or not self._candidate(rest):
            return []
        return [rest.strip()]

    @staticmethod
    def _candidate(line: bytes) -> bool:
        return line.lstrip()[:1] == b"{" and line.rstrip()[-1:] == b"}"
