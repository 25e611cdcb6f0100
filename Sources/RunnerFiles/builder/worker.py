"""Runs the installer, which runs code of packages, as a user without rights."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable

from _builder.output import Output

_LOOK_SECONDS = 2.0


class Outcome:
    """How a program ended and what it printed last."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.stopped: str | None = None
        self.ran_out_of_memory = False
        self.text = ""

    @property
    def ok(self) -> bool:
        """Whether it ended by itself and well."""
        return self.status == 0 and self.stopped is None


class Worker:
    """Programs of one user until a deadline.

    Parameters
    ----------
    user
        The user and group id; None runs programs as the own user.
    deadline
        The end, as ``time.monotonic`` counts.
    output
        Where the programs' output goes.
    """

    def __init__(self, user: int | None, deadline: float, output: Output) -> None:
        self._user = user
        self._deadline = deadline
        self._output = output
        self._sessions: list[int] = []

    def give(self, path: str) -> None:
        """Make the user own a file or folder."""
        if self._user is not None:
            os.chown(path, self._user, self._user, follow_symlinks=False)

    def own(self, target: str, cache: str | None) -> None:
        """Make the user own the folder to fill and the cache."""
        for folder in (target, cache):
            if folder is not None:
                self.give(folder)
                os.chmod(folder, 0o700)

    def make_folder(self, path: str) -> None:
        """Make a folder of the user."""
        os.mkdir(path, 0o700)
        self.give(path)

    def run(
        self,
        command: list[str],
        variables: dict[str, str],
        exceeds: Callable[[], bool] | None = None,
        shows_output: bool = True,
    ) -> Outcome:
        """Run a program to its end, the deadline, or until it exceeds a limit."""
        outcome = Outcome()
        mark = self._output.mark()
        kills_before = _memory_kills()
        process = subprocess.Popen(
            command,
            env=variables,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # The builder has one thread at this point, and only this hook can drop the user.
            preexec_fn=self._become_user,  # noqa: PLW1509
        )
        self._sessions.append(process.pid)
        outcome.stopped = self._follow(process, exceeds, shows_output)
        if outcome.stopped is None:
            try:
                process.wait(max(0.0, self._deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                outcome.stopped = "timeout"
        if outcome.stopped:
            self.sweep()
        outcome.status = process.wait()
        outcome.ran_out_of_memory = (
            outcome.status != 0 and _memory_kills() > kills_before
        )
        outcome.text = self._output.since(mark)
        return outcome

    def _follow(
        self,
        process: subprocess.Popen[bytes],
        exceeds: Callable[[], bool] | None,
        shows_output: bool,
    ) -> str | None:
        """Read the output; return why the program has to be stopped."""
        assert process.stdout is not None
        reader = process.stdout.fileno()
        next_look = time.monotonic() + _LOOK_SECONDS
        while True:
            now = time.monotonic()
            if now >= self._deadline:
                return "timeout"
            if exceeds is not None and now >= next_look:
                if exceeds():
                    return "too_large"
                next_look = time.monotonic() + _LOOK_SECONDS
            if select.select([reader], [], [], 0.5)[0]:
                piece = os.read(reader, 65_536)
                if not piece:
                    return None
                if shows_output:
                    self._output.take(piece)
            elif process.poll() is not None:
                # Something that it left behind holds the pipe open.
                return None

    def sweep(self) -> None:
        """End every process that the programs left behind."""
        if self._user is None:
            for session in self._sessions:
                try:
                    os.killpg(session, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    continue
            return
        for _ in range(20):
            # Without the right to signal others, only the user itself can.
            child = os.fork()
            if child == 0:
                self._end_all()
            os.waitpid(child, 0)
            if not self._has_processes():
                return
            time.sleep(0.05)
        raise RuntimeError("processes of the installer cannot be ended")

    def _end_all(self) -> None:
        try:
            self._drop()
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)

    def _has_processes(self) -> bool:
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(
                    f"/proc/{name}/status", encoding="utf-8", errors="replace"
                ) as file:
                    fields = dict(line.split(":", 1) for line in file if ":" in line)
            except OSError:
                continue
            state = fields.get("State", "").split()
            if (
                state[:1] not in (["Z"], ["X"])
                and str(self._user) in fields.get("Uid", "").split()
            ):
                return True
        return False

    def _become_user(self) -> None:
        os.umask(0o022)
        try:
            # When memory runs out, the installer goes and not what reports it.
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("500")
        except OSError:
            pass
        if self._user is not None:
            self._drop()

    def _drop(self) -> None:
        assert self._user is not None
        os.setgroups([])
        os.setresgid(self._user, self._user, self._user)
        os.setresuid(self._user, self._user, self._user)


def _memory_kills() -> int:
    """Count how often the kernel ended a process of this container for memory."""
    for path in (
        "/sys/fs/cgroup/memory.events",
        "/sys/fs/cgroup/memory/memory.oom_control",
    ):
        try:
            with open(path, encoding="ascii") as file:
                for line in file:
                    name, _, value = line.partition(" ")
                    if name == "oom_kill":
                        return int(value)
        except (OSError, ValueError):
            continue
    return 0
