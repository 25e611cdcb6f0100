"""Entry point: ``python3 -I -B supervisor.py JSON``; see docs/runner.md."""

from __future__ import annotations

import json
import os
import signal
import sys
import types


def _bootstrap() -> None:
    package = types.ModuleType("_slipway")
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]  # type: ignore
    sys.modules["_slipway"] = package


def main() -> None:
    """Run the supervisor with the settings of the command line."""
    _bootstrap()
    from _slipway.spawn import spawn

    os.umask(0o022)
    # A host with threads may block signals, and blocked ones are inherited.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    settings = json.loads(sys.argv[1])
    ends = None
    if settings["socket"] is None:
        from _slipway import attach

        # Before anything is started that could inherit the channel.
        ends = attach.claim()
    # The zygote's interpreter starts while we load the rest of ours.
    zygote = spawn()
    from _slipway import linux
    from _slipway.core import Supervisor

    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    Supervisor(settings, zygote, ends).run()


if __name__ == "__main__":
    main()
