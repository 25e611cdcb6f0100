"""Numbers that a task's process and the supervisor agree on."""

#: Exit status of a task that could not hand its result over.
EXIT_NO_CHANNEL = 213
#: The most bytes of an error's message and traceback.
MESSAGE_BYTES = 16384
TRACEBACK_BYTES = 65536
