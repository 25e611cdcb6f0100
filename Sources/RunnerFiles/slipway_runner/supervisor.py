"""Entry point: ``python3 -I -S -B supervisor.py JSON``; see docs/runner.md.

Without `site`: what an image has installed is none of the supervisor's business.
"""

from __future__ import annotations

import _signal
import os
import sys


def _bootstrap() -> None:
    package = type(sys)("_slipway")
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]  # type: ignore
    sys.modules["_slipway"] = package


def main() -> None:
    """Run the supervisor with the settings of the command line."""
    _bootstrap()
    from _slipway.spawn import spawn

    os.umask(0o022)
    # A host with threads may block signals, and blocked ones are inherited.
    _signal.pthread_sigmask(_signal.SIG_SETMASK, [])
    # The zygote's interpreter starts while we load the rest of ours.
    zygote = spawn()
    import json

    settings = json.loads(sys.argv[1])
    ends = None
    if settings["socket"] is None:
        from _slipway import attach

        # Before anything else is started that could inherit the channel.
        ends = attach.claim()
    from _slipway import linux
    from _slipway.core import Supervisor

    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    Supervisor(settings, zygote, ends).run()


if __name__ == "__main__":
    main()
