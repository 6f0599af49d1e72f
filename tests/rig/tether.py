"""Becomes a program that the kernel kills when its owner dies: `python tether.py OWNER PROGRAM ARGUMENT...`.

A script of its own, and not a function between fork and exec, because the owner may have threads, and then
nothing but exec is safe there. It imports as little as it can: a component starts through it in 20 ms.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ties this process to its parent, whose process ID is the first argument, and executes the rest."""
    owner, program, *arguments = sys.argv[1:]
    # See prctl(2); it survives exec, and means the death of the thread that started us.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The owner may have died before the line above; then nobody would send the signal.
    if os.getppid() != int(owner):
        sys.exit(f"the owner, process {owner}, has ended")
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main()
