"""Mutated frames on the supervisor's side: nothing invalid is taken, nothing crashes.

`SLIPWAY_TEST_SOAK=1` runs the long versions too, `SLIPWAY_TEST_SEED` replays one seed.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
from typing import Any, Dict, Iterator, List, Tuple

import fuzz
import pytest
from harness import Host, frames, process_sandbox
from slipway_runner import checks

SOAK = os.environ.get("SLIPWAY_TEST_SOAK") == "1"
SEED = int(os.environ.get("SLIPWAY_TEST_SEED", "1"))
FRAMES, SOAK_FRAMES = 10_000, 1_000_000
STREAMS, SOAK_STREAMS = 12, 1_000


def taken(kind: int, header: Dict[str, Any], body: bytes) -> None:
    """Check a frame as the supervisor does before it acts; raise Violation."""
    if kind == frames.WELCOME:
        checks.keys(header, "resume")
    elif kind == frames.CONFIGURE:
        checks.configure(header)
    elif kind == frames.CANCEL:
        checks.cancel(header)
    elif kind != frames.SHUTDOWN:
        checks.key(header)
        if kind == frames.START:
            fields = checks.start(header, 1)
            if len(body) > fields["size"]:
                raise frames.Violation("START carries more than its size")


def pieces(draw: random.Random, data: bytes) -> Iterator[bytes]:
    """Split `data` as a stream may be."""
    if draw.random() < 0.7:
        yield data
        return
    start = 0
    while start < len(data):
        end = start + draw.choice((1, 3, 11, 12, 13, 1000))
        yield data[start:end]
        start = end


def accepted(draw: random.Random, data: bytes) -> Tuple[List[frames.Frame], bool]:
    """Return the frames that are taken from `data`, and whether it was refused."""
    reader = frames.Reader(frames.FROM_HOST)
    found: List[frames.Frame] = []
    try:
        for piece in pieces(draw, data):
            for frame in reader.feed(piece):
                taken(*frame)
                found.append(frame)
    except frames.Violation:
        return found, True
    return found, False


def expected(data: bytes) -> Tuple[List[frames.Frame], bool]:
    """Return the same by the documentation alone."""
    found: List[frames.Frame] = []
    while True:
        try:
            parts = fuzz.split(data)
        except EOFError:
            return found, False
        if parts is None:
            return found, True
        kind, text, body, data = parts
        header = fuzz.parsed(text)
        if header is None or not fuzz.allowed(kind, header, body):
            return found, True
        found.append((kind, header, body))


def fuzzed(seed: int, count: int) -> None:
    """Feed `count` mutated frames, each before a valid one, to reader and checks."""
    draw = random.Random(seed)
    refused = 0
    for number in range(count):
        data = fuzz.mutate(draw)
        kind, header, body = fuzz.valid(draw)
        stream = data + fuzz.pack(kind, fuzz.dumps(header), body)
        try:
            got = accepted(draw, stream)
        except Exception as error:
            raise AssertionError((seed, number, stream[:2000])) from error
        wanted = expected(stream)
        # What came in one piece with a violation is dropped with it.
        kept = wanted[0][: len(got[0])] if wanted[1] else wanted[0]
        assert got == (kept, wanted[1]), (seed, number, stream[:2000])
        refused += got[1]
    # A mutator that harms nothing would find nothing.
    assert count // 3 < refused < count


def test_what_is_valid_is_taken() -> None:
    draw = random.Random(SEED)
    for _ in range(2000):
        kind, header, body = fuzz.valid(draw)
        data = fuzz.pack(kind, fuzz.dumps(header), body)
        assert accepted(draw, data) == ([(kind, header, body)], False)


def test_mutated_frames() -> None:
    fuzzed(SEED, FRAMES)


@pytest.mark.skipif(not SOAK, reason="runs with make soak")
def test_soak_mutated_frames() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(SEED, SEED + SOAK_FRAMES // FRAMES):
        fuzzed(seed, FRAMES)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 64 << 10, "memory grew from %d to %d KiB" % (before, after)
    print("soak: %d mutated frames at the supervisor's side" % SOAK_FRAMES)


def hostile_stream(seed: int) -> None:
    """Send mutated frames to a supervisor until it refuses one: it says so and ends."""
    draw = random.Random(seed)
    with process_sandbox() as host:
        process = host.process  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            for _ in range(200):
                data = fuzz.mutate(draw)
                # Neither leaves an incomplete frame behind nor ends it as asked.
                with contextlib.suppress(EOFError):
                    parts = fuzz.split(data)
                    if parts is None or parts[0] != fuzz.SHUTDOWN:
                        host.connection.sendall(data)  # type: ignore[union-attr]
        ended(host)
        assert process.wait(30) == 1, (seed, process.returncode)
        assert [n for n, _, _ in host.others if n == "FAULT"] == ["FAULT"], seed


def ended(host: Host) -> None:
    """Read to the end of the connection."""
    with contextlib.suppress(ConnectionError):
        host.wait(lambda: False, 30)


@pytest.mark.parametrize("seed", range(SEED, SEED + STREAMS))
def test_a_supervisor_that_is_sent_garbage_says_so_and_ends(seed: int) -> None:
    hostile_stream(seed)


@pytest.mark.skipif(not SOAK, reason="runs with make soak")
def test_soak_streams() -> None:
    for seed in range(SEED, SEED + SOAK_STREAMS):
        hostile_stream(seed)
    print("soak: %d supervisors were sent garbage" % SOAK_STREAMS)
