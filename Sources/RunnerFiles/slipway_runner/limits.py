"""What a task's process, the zygote and the supervisor agree on."""

import struct

#: Exit status of a task that could not hand its result over.
EXIT_NO_CHANNEL = 213
#: The most bytes of an error's message and traceback.
MESSAGE_BYTES = 16384
TRACEBACK_BYTES = 65536

#: What the path of an output may have: bytes below the folder, folders on the way.
OUTPUT_NAME_BYTES = 1024
OUTPUT_DEPTH = 32

#: What the supervisor asks the zygote for: uid or -1, slot, whether to rehearse.
FORK_REQUEST = struct.Struct("qi?")


def task_folder(top: str, slot: int) -> str:
    """Return the folder that each task of a slot makes for itself."""
    return "%s/task-%d" % (top, slot)


def output_folder(top: str, slot: int) -> str:
    """Return the folder in which each task of a slot may leave files.

    Beside the task's own folder, which the supervisor cannot enter: so it can tell an
    empty one by removing it.
    """
    return "%s/output-%d" % (top, slot)


def clip(text: str, limit: int) -> str:
    """Return `text` as valid UTF-8 of at most `limit` bytes: its head and tail."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > limit:
        half = max(0, limit - 32) // 2
        data = data[:half] + b"\n[...]\n" + data[len(data) - half :]
    return data.decode("utf-8", "ignore")
