"""Numbers that a task's process and the supervisor agree on."""

#: Exit status of a task that could not hand its result over.
EXIT_NO_CHANNEL = 213
#: The most bytes of an error's message and traceback.
MESSAGE_BYTES = 16384
TRACEBACK_BYTES = 65536


def clip(text: str, limit: int) -> str:
    """Return `text` as valid UTF-8 of at most `limit` bytes: its head and tail."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > limit:
        half = max(0, limit - 32) // 2
        data = data[:half] + b"\n[...]\n" + data[len(data) - half :]
    return data.decode("utf-8", "ignore")
