"""Starts one Python worker of a model server: `python3 worker.py PROGRAM`, with its channel as file descriptor 3.

PROGRAM is a module of berth_worker with a `main(channel)`.
"""

import importlib
import sys


def die_with_parent() -> None:
    """User code that never returns would not see that the channel is closed."""
    if sys.platform == "linux":
        ctypes = importlib.import_module("ctypes")
        # prctl(PR_SET_PDEATHSIG, SIGKILL)
        ctypes.CDLL(None).prctl(1, 9)


def main() -> None:
    die_with_parent()
    # This file's folder must not shadow what user code imports: only the package below it, under its own name, stays.
    sys.dont_write_bytecode = True
    for stream in (sys.stdout, sys.stderr):
        # Whole lines, so that those of several workers do not mix in one log.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    program = importlib.import_module("berth_worker." + sys.argv[1])
    channel = importlib.import_module("berth_worker.channel").Channel(3)
    sys.path.pop(0)
    program.main(channel)


if __name__ == "__main__":
    main()
