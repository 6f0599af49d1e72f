"""The command line: one file a command, each of which gives an exit code.

``run`` 0 after SIGTERM, 1 otherwise; ``check`` 0, 1 (something to fix) or 2 (could not tell); ``resume`` 0, 1 (nothing
to close) or 2 (could not). Wrong usage is 2. ``main`` is the console script.
"""

from remediator.cli.main import main

__all__ = ["main"]
