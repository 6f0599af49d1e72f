"""Pings from a network namespace of its own, as a pod has one; runs in it, and prints what became of two probes.

    unshare --net python alone.py EXPORTER MODULES PING_GROUP_RANGE [CAPABILITY]

The exporter listens there with no capability but the one that is named, in the group that the chart gives it. It is
asked to ping the loopback address, once while the kernel answers and once while it does not.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

IPV4 = Path("/proc/sys/net/ipv4")

PORT = 9115

# <linux/sockios.h>, <linux/if.h>
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1

SECONDS = 60
PATIENCE = {"answered": 20, "ignored": 2.5}
"""Seconds: an answer may come late where the machine is busy, and where none comes nobody wants to wait."""


def main(exporter: str, modules: str, group_range: str, capability: str = "") -> int:
    """Runs the exporter, pings twice, and prints both answers as JSON."""
    _bring_loopback_up()
    _allow_ping_sockets(group_range)
    command = [*_stripped(capability), exporter, f"--config.file={modules}", f"--web.listen-address=127.0.0.1:{PORT}"]
    with subprocess.Popen(command, stdout=sys.stderr) as process:
        try:
            answered = _ping(PATIENCE["answered"])
            (IPV4 / "icmp_echo_ignore_all").write_text("1")
            print(json.dumps({"answered": answered, "ignored": _ping(PATIENCE["ignored"])}))  # noqa: T201 (its answer)
        finally:
            process.terminate()
    return 0


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        wanted = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack("16xh14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, wanted))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _allow_ping_sockets(group_range: str) -> None:
    path = IPV4 / "ping_group_range"
    if path.read_text().split() == group_range.split():
        return
    try:
        path.write_text(group_range)
    except OSError:
        # A user namespace in which there is no other group than that of whoever runs the tests.
        first, _ = group_range.split()
        path.write_text(f"{first} {first}")


def _stripped(capability: str) -> list[str]:
    kept = f"-all,+{capability}" if capability else "-all"
    command = ["setpriv", "--no-new-privs", "--inh-caps", "-all", "--bounding-set", kept]
    # The user stays, who may read the exporter's files. Other groups are known outside of user namespaces alone.
    if Path("/proc/self/gid_map").read_text().split()[2] != "1":
        command += ["--regid", "65532", "--clear-groups"]
    return command


def _ping(patience: float) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/probe?module=ping&target=127.0.0.1&debug=true",
        headers={"X-Prometheus-Scrape-Timeout-Seconds": str(patience)},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(urllib.error.URLError), opener.open(request, timeout=SECONDS) as answer:
            return str(answer.read().decode())
        if time.monotonic() > deadline:
            message = "the exporter does not answer"
            raise TimeoutError(message)
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
