"""What a forked process does at its end with the executors of its parent."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys, threading, time, slipway

# The sender goes on trying: nobody is there.
executor = slipway.Executor(slipway.Client("http://127.0.0.1:9", "slw_x"))
executor.submit(pow, 2, 3)
time.sleep(0.2)
held, over = threading.Event(), threading.Event()

def hold():
    with executor._core.changed:
        held.set()
        over.wait()

if sys.argv[1] == "held":
    threading.Thread(target=hold, daemon=True).start()
    held.wait()
child = os.fork()
if child == 0:
    sys.exit(7)
over.set()
end = time.monotonic() + 8
while time.monotonic() < end:
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        print("the child ended with", os.waitstatus_to_exitcode(status))
        break
    time.sleep(0.02)
else:
    os.kill(child, 9)
    os.waitpid(child, 0)
with executor._core.changed:
    print("closed" if executor._core.closed else "open")
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("lock", ["free", "held"])
def test_a_forked_process_ends_without_the_executors_of_its_parent(lock: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, lock],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == ["the child ended with 7", "open"], done.stderr
