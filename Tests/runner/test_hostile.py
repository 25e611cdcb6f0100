"""Tasks that attack the runner or leave things behind, in hardened containers."""

from __future__ import annotations

import pytest
from harness import Host

PROBE = "import os\ndef main():\n    return sorted(os.listdir('/tmp'))"


def healthy(sandbox: Host) -> None:
    """Assert that the next task finds nothing but its own folder."""
    code = (
        "import os, glob\n"
        "def main():\n"
        "    me = os.getuid()\n"
        "    owned = [p for p in glob.glob('/proc/[0-9]*') if os.stat(p).st_uid == me]\n"
        "    ipc = [len(open('/proc/sysvipc/' + k).readlines()) for k in ('shm', 'sem', 'msg')]\n"
        "    return [len(owned), ipc, os.listdir('/dev/shm'), os.listdir('/dev/mqueue'),\n"
        "            [n for n in os.listdir('/tmp')"
        "             if n not in (os.path.basename(os.getcwd()), 'output-0')]]\n"
    )
    # Twice, since the uids of tasks alternate.
    for _ in range(2):
        result = sandbox.run(code)
        owned, ipc, shm, queues, others = result.value()
        assert (owned, ipc, shm, queues) == (1, [1, 1, 1], [], [])
        assert others == [] or (len(others) == 1 and len(others[0]) == 16)


def test_no_process_but_its_own_can_be_touched(container: Host) -> None:
    code = """
import ctypes, os, resource, signal
libc = ctypes.CDLL(None, use_errno=True)

def attempts(pid):
    yield 'mem', lambda: open('/proc/%d/mem' % pid, 'r+b')
    yield 'environ', lambda: open('/proc/%d/environ' % pid, 'rb').read()
    yield 'maps', lambda: open('/proc/%d/maps' % pid).read()
    yield 'oom', lambda: open('/proc/%d/oom_score_adj' % pid, 'w').write('1000')
    yield 'list', lambda: os.listdir('/proc/%d/fd' % pid)
    for fd in range(40):
        for mode in ('wb', 'rb'):
            yield 'fd', lambda: open('/proc/%d/fd/%d' % (pid, fd), mode)
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGCHLD, 0):
        yield 'kill', lambda: os.kill(pid, number)
    if os.getpgid(pid) > 1:  # Group 1 would mean everybody, which the kernel never refuses.
        yield 'killpg', lambda: os.killpg(os.getpgid(pid), signal.SIGKILL)
    yield 'renice', lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)
    yield 'affinity', lambda: os.sched_setaffinity(pid, {0})
    yield 'scheduler', lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    yield 'prlimit', lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3))

def main():
    me = os.getpid()
    broken = []
    pids = [int(n) for n in os.listdir('/proc') if n.isdigit()]
    for pid in pids:
        if pid == me:
            continue
        for name, attempt in attempts(pid):
            try:
                attempt()
            except OSError:
                continue
            broken.append((pid, name))
        for request in (16, 0x4206):  # PTRACE_ATTACH, PTRACE_SEIZE
            if libc.ptrace(request, pid, None, None) == 0:
                broken.append((pid, 'ptrace'))
        fd = libc.syscall(434, pid, 0)  # pidfd_open
        if fd >= 0:
            for number in range(16):
                if libc.syscall(438, fd, number, 0) >= 0:  # pidfd_getfd
                    broken.append((pid, 'pidfd_getfd'))
    return [len(pids), broken]
"""
    result = container.run(code)
    count, broken = result.value()
    assert count >= 3, "supervisor, zygote and the task itself are there"
    assert broken == []
    healthy(container)


def test_kernel_doors_are_shut(container: Host) -> None:
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def main():
    broken = []
    for name, call in {
        'setuid0': lambda: libc.setuid(0),
        'setresuid_zygote': lambda: libc.setresuid(20000, 20000, 20000),
        'setresuid_other': lambda: libc.setresuid(20001 + 20002 - os.getuid(), -1, -1),
        'setgid': lambda: libc.setgid(0),
        'setgroups': lambda: libc.setgroups(0, None),
        'chroot': lambda: libc.chroot(b'/tmp'),
        'mount': lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, None),
        'umount': lambda: libc.umount(b'/tmp'),
        'unshare_user': lambda: libc.unshare(0x10000000),
        'unshare_mount': lambda: libc.unshare(0x00020000),
        'keyctl': lambda: libc.syscall(250, 0, -3, 0),
        'add_key': lambda: libc.syscall(248, b'user', b'a', b'b', 1, -3),
        'bpf': lambda: libc.syscall(321, 0, None, 0),
    }.items():
        if call() >= 0:
            broken.append(name)
    for path in ('/run/slipway/x', '/opt/slipway/runner/x', '/etc/x', '/dev/x', '/x', '/sys/x'):
        try:
            open(path, 'w'); broken.append(path)
        except OSError:
            pass
    return broken
"""
    assert container.run(code).value() == []
    healthy(container)


def test_the_host_does_not_take_a_task_for_the_supervisor(container: Host) -> None:
    code = (
        "import socket\n"
        "def main():\n"
        "    s = socket.socket(socket.AF_UNIX); s.connect('/run/slipway/s'); s.close()\n"
        "    return True\n"
    )
    assert container.run(code).value()
    # The listener's queue holds the stranger; the next accept passes it by.
    container.drop()
    container.accept()
    healthy(container)


def test_daemons_and_pid_hoppers_are_gone(container: Host) -> None:
    code = """
import os, signal, time
def hop():
    while True:
        if os.fork():
            os._exit(0)
def main():
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    for _ in range(20):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for fd in range(3): os.close(fd)
                time.sleep(1000)
            os._exit(0)
    for _ in range(8):
        if os.fork() == 0: hop()
    return True
"""
    result = container.run(code)
    assert result.value() and result.clean["swept"] > 20
    healthy(container)


def test_fork_bomb(container: Host) -> None:
    code = """
import os
def main():
    while True:
        try: os.fork()
        except OSError: pass
"""
    result = container.run(code, timeout=1.0)
    assert result.outcome == "timeout" and result.clean["swept"] > 50
    healthy(container)


def test_a_killer_of_its_own_uid_does_not_stop_the_sweep(container: Host) -> None:
    code = """
import os, signal
def main():
    for _ in range(10):
        if os.fork() == 0:
            while True:
                if os.fork() == 0:
                    continue
                try: os.kill(-1, signal.SIGSTOP)
                except OSError: pass
    return 1
"""
    result = container.run(code, timeout=2.0)
    assert result.outcome in ("ok", "timeout", "exception")
    healthy(container)


def test_ipc_leftovers_are_removed(container: Host) -> None:
    code = """
import ctypes, os
from multiprocessing import shared_memory
libc = ctypes.CDLL(None, use_errno=True)
librt = ctypes.CDLL('librt.so.1', use_errno=True)
def main():
    made = [libc.shmget(i, 4096, 0o1777) for i in range(1, 4)]
    made += [libc.semget(i, 1, 0o1777) for i in range(1, 4)]
    made += [libc.msgget(i, 0o1777) for i in range(1, 4)]
    queue = librt.mq_open(b'/planted', os.O_CREAT | os.O_RDWR, 0o600, None)
    open('/dev/shm/planted', 'w').close()
    return [min(made) >= 0, queue >= 0]
"""
    result = container.run(code)
    assert result.value() == [True, True]
    healthy(container)


@pytest.mark.parametrize(
    "body",
    [
        "os.chmod('.', 0)",
        "os.makedirs('/tmp/a/b'); open('/tmp/a/b/c', 'w'); os.chmod('/tmp/a/b', 0); os.chmod('/tmp/a', 0)",
        "open(b'/tmp/\\n\\xff \\x01', 'w'); open('/tmp/-rf', 'w')",
        "os.symlink('/', '/tmp/root'); os.symlink('/run/slipway', 'l'); os.mkfifo('/tmp/f')",
        "open('f', 'w'); os.link('f', '/tmp/g'); os.link('f', '/dev/shm/h') if 0 else None",
        "[os.mkdir(('d' * 200)) or os.chdir('d' * 200) for _ in range(2000)]",
        "[open('/tmp/%d' % i, 'w').close() for i in range(5000)]",
        "os.rmdir(os.getcwd())",
        "import socket; socket.socket(socket.AF_UNIX).bind('/tmp/sock')",
        "[os.mkdir('.%d' % i) for i in range(99)]; os.rename(os.getcwd(), '/tmp/moved')",
    ],
)
def test_planted_files_are_removed(container: Host, body: str) -> None:
    result = container.run("import os\ndef main():\n    %s\n    return 1" % body)
    assert result.outcome == "ok", result.header
    healthy(container)


def test_full_tmp(container: Host) -> None:
    code = """
def main():
    try:
        with open('/tmp/big', 'wb') as f:
            while True: f.write(b'x' * 1048576)
    except OSError as error:
        return error.errno
"""
    assert container.run(code).value() == 28
    healthy(container)


def test_memory_hog_is_named(container: Host) -> None:
    code = "def main():\n    x = []\n    while True: x.append(bytearray(b'x') * 10_000_000)"
    assert container.run(code).outcome == "oom"
    healthy(container)
    code = "import os\ndef main():\n    os.kill(os.getpid(), 9)"
    assert container.run(code).outcome == "signal"


def test_accounting_counts_children(container: Host) -> None:
    code = (
        "import os, time\n"
        "def main():\n"
        "    if os.fork() == 0:\n"
        "        end = time.process_time() + 0.3\n"
        "        while time.process_time() < end: pass\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )
    usage = container.run(code).clean["usage"]
    assert usage["cpu_seconds"] >= 0.3
    assert usage["max_rss"] > 1 << 20


def test_alternating_uids_and_no_capabilities(container: Host) -> None:
    code = (
        "import os\n"
        "def main():\n"
        "    status = dict(l.split(':', 1) for l in open('/proc/self/status'))\n"
        "    caps = {status[k].strip() for k in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb')}\n"
        "    return [os.getresuid(), os.getresgid(), os.getgroups(), sorted(caps),\n"
        "            status['NoNewPrivs'].strip()]\n"
    )
    seen = set()
    for _ in range(4):
        uids, gids, groups, caps, privileges = container.run(code).value()
        seen.add(tuple(uids))
        assert (gids, groups, caps) == ([30000] * 3, [], ["0" * 16])
        assert privileges == "1"
    assert seen == {(20001,) * 3, (20002,) * 3}


def test_many_tasks_then_nothing_has_grown(container: Host) -> None:
    before = container.run(PROBE).value()
    for _ in range(200):
        assert container.run("def main():\n    return 1").value() == 1
    assert len(container.run(PROBE).value()) <= len(before) + 1
