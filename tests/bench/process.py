"""What a process uses, as the kernel counts it."""

import time
from pathlib import Path


def resident(pid: int) -> int:
    """Bytes of memory that it has now."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> int:
    """The most bytes of memory that it has had at once."""
    return _status(pid, "VmHWM")


def _status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) << 10
    message = f"process {pid} has no {field}: it has ended"
    raise ProcessLookupError(message)


def processor_seconds(pid: int) -> float:
    """Seconds of processor time that all its threads have used so far, exact to the nanosecond."""
    # What clock_getcpuclockid(3) gives: the clock of another process.
    return time.clock_gettime((~pid << 3) | 2)
