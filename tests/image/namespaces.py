"""A folder as the root of the file system, by Linux' namespaces and util-linux alone.

A command runs there as process 1, like in a container: as root of a user namespace, or as a plain user without a
capability. Nothing of it shows outside but what it writes into folders that are mounted writable. It needs no right
of the machine's root, where the kernel lets everybody make user namespaces.

`python -m tests.image.namespaces` is what `make test` runs before it builds anything: where the machine allows none, it
says so, and which tests will fail for it. It stops nobody: in many a container nothing can be done about it, and all
other tests are worth running there too.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.rig.console import say

NEEDED = ("unshare", "mount", "setpriv", "sh")
_SEPARATE = ("--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child")
_KEPT = {
    os.ST_NOSUID: "nosuid",
    os.ST_NODEV: "nodev",
    os.ST_NOEXEC: "noexec",
    os.ST_NOATIME: "noatime",
    os.ST_NODIRATIME: "nodiratime",
    os.ST_RELATIME: "relatime",
}
"""Flags of a mount that a user namespace may not take away from it (user_namespaces(7), mount_namespaces(7))."""


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine at a place of the root."""

    source: Path
    target: str
    writable: bool = False


def network() -> list[str]:
    """What runs the command behind it in a network of its own, which it may configure; it is ended with this."""
    return ["unshare", "--net", *([] if os.getuid() == 0 else ["--map-root-user"]), "--kill-child"]


def why_not() -> str:
    """Why this machine lets no command run in a root or network of its own, with what to do; empty where it does."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not found on the PATH; they come with util-linux (Linux only)"
    # Some containers allow the namespaces, but not the /proc that a root of its own needs.
    for command in (["unshare", *_SEPARATE, "mount", "-t", "proc", "proc", "/proc"], [*network(), "true"]):
        tried = subprocess.run(command, check=False, capture_output=True, text=True)
        if tried.returncode:
            return (
                f"user namespaces are not allowed here ({tried.stderr.strip()}); allow them: on Ubuntu `sysctl -w "
                "kernel.apparmor_restrict_unprivileged_userns=0`, elsewhere see /proc/sys/user/max_user_namespaces; a "
                "container needs --privileged for it, and in a chroot there are none"
            )
    return ""


def main() -> int:
    """Says which tests will fail where namespaces are not allowed, and why. Gives the exit code, which is 0."""
    if said := why_not():
        say(f"warning: the tests of the image and of ping will fail: {said}")
    return 0


def inside(
    root: Path, command: Sequence[str], *, mounts: Iterable[Mount], writable: bool, user: int = 0, folder: str = "/"
) -> list[str]:
    """The command line that runs ``command`` with ``root`` as ``/`` and ``folder`` as the working directory.

    Places to mount at are made in ``root`` where they are missing. The process gets the environment of whoever starts
    this; it ends with the command's exit code, and is ended with it.
    """
    lines = ["set -e", *_bound(Mount(root, "", writable=True), root)]
    for mount in mounts:
        _make_place(mount, root)
        lines += _bound(mount, root)
    (root / "proc").mkdir(exist_ok=True)
    lines.append(shlex.join([_path("mount"), "-t", "proc", "proc", str(root / "proc")]))
    if not writable:
        lines.append(_remounted(root, root))
    mapped = [] if user == 0 else ["--user", f"--map-user={user}", f"--map-group={user}"]
    lines.append(shlex.join(["exec", _path("unshare"), *mapped, f"--root={root}", f"--wd={folder}", "--", *command]))
    return [_path("unshare"), *_SEPARATE, _path("sh"), "-c", "\n".join(lines)]


def _bound(mount: Mount, root: Path) -> list[str]:
    target = Path(f"{root}{mount.target}")
    bound = shlex.join([_path("mount"), "--rbind", str(mount.source), str(target)])
    return [bound] if mount.writable else [bound, _remounted(mount.source, target)]


def _remounted(source: Path, target: Path) -> str:
    flags = os.statvfs(source).f_flag
    kept = [name for flag, name in _KEPT.items() if flags & flag]
    return shlex.join([_path("mount"), "-o", ",".join(["remount", "bind", "ro", *kept]), str(target)])


def _make_place(mount: Mount, root: Path) -> None:
    place = Path(f"{root}{mount.target}")
    if mount.source.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    elif not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def _path(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        message = f"{name} not found on the PATH; it comes with util-linux"
        raise FileNotFoundError(message)
    return found


if __name__ == "__main__":
    sys.exit(main())
