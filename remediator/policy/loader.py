"""From a file to a :class:`PolicyFile`, or to all of its problems at once."""

from __future__ import annotations

import os
import stat

from remediator.errors import PolicyError, Problem
from remediator.policy import resolve, source
from remediator.policy.fields import DefaultFields, FileFields, PolicyFields, SafetyFields
from remediator.policy.nodes import Listing, Mapping, Node, Place, locate
from remediator.policy.policies import PolicyFile
from remediator.policy.resolve import Written
from remediator.policy.sections import Problems, Section, keys, read_section, report_unknown

MAX_EXPRESSIONS = 2000
"""So many lie in all the lists of a file's matches at most; each takes up to 2 ms to compile."""


def load(path: str | os.PathLike[str], *, sample_interval: int, own_namespace: str = "") -> PolicyFile:
    """Read the policy file at a path; the arguments are those of :func:`parse`.

    Raises PolicyError with every problem of the file, or with the one that keeps it from being read.
    """
    name = os.fspath(path)
    try:
        content = _content(name)
    except (OSError, ValueError) as exc:
        raise PolicyError([Problem(name, 1, 1, "", _unreadable(exc))]) from exc
    return parse(content, file=name, sample_interval=sample_interval, own_namespace=own_namespace)


def parse(
    content: str | bytes, *, sample_interval: int, file: str = "policy.yaml", own_namespace: str = ""
) -> PolicyFile:
    """Read the text of a policy file.

    ``sample_interval`` is how many seconds lie between two samples of memory in Prometheus: the defaults of
    ``for`` and ``maxSampleAge`` follow from it. ``own_namespace`` is excluded whatever the file says.
    ``file`` is what problems call the file.

    Raises PolicyError with every problem of the file.
    """
    if sample_interval < 1:
        message = f"sample_interval is {sample_interval} and must be a second or more"
        raise ValueError(message)
    problems = Problems(file)
    root, found = source.read(content, file=file)
    problems.extend(found)
    top = keys(FileFields)
    unknown = [(key, place) for key, place in root.keys.items() if key not in top]
    meant = {report_unknown(place, key, known=top, later=(), problems=problems) for key, place in unknown}
    if "policies" not in {*root.keys, *meant}:
        problems.add(root.place, "there are no policies; write `policies:` and a list below it", path="policies")
    safety = read_section(SafetyFields, root.entries.get("safety"), name="safety", problems=problems)
    written = _policies(root, problems)
    for one in written:
        resolve.check(one, sample_interval=sample_interval, problems=problems)
    _check_names(written, problems)
    problems.raise_if_any()
    resolved = resolve.safety(safety.fields)
    return PolicyFile(
        policies=tuple(resolve.policy(one, sample_interval=sample_interval) for one in written),
        safety=resolved.excluding(own_namespace) if own_namespace else resolved,
    )


def _policies(root: Mapping, problems: Problems) -> list[Written]:
    defaults = read_section(DefaultFields, root.entries.get("defaults"), name="defaults", problems=problems)
    if "defaults" in root.unusable:
        defaults = Section(defaults.fields, defaults.node, frozenset(keys(DefaultFields)))
    resolve.check_defaults(defaults, problems)
    node = root.entries.get("policies")
    if node is None:
        return []
    if not isinstance(node, Listing):
        problems.add(node.place, "this must be a list; begin each policy with `- name: `")
        return []
    if not node.items:
        message = "the list is empty; write one policy at least, or `safety: {paused: true}` with it"
        problems.add(node.place, message)
    if sum(_expressions(item) for item in node.items) > MAX_EXPRESSIONS:
        problems.add(node.place, f"more than {MAX_EXPRESSIONS} expressions in all; write fewer, wider ones")
        return []
    sections = [read_section(PolicyFields, item, name="policies", problems=problems) for item in node.items]
    return [Written(section, defaults) for section in sections]


def _expressions(item: Node) -> int:
    match = locate(item, ("match",))
    lists = match.entries.values() if isinstance(match, Mapping) else ()
    return sum(len(node.items) for node in lists if isinstance(node, Listing))


def _check_names(written: list[Written], problems: Problems) -> None:
    seen: dict[str, Place] = {}
    for one in written:
        name = one.policy.fields.name
        if name is None:
            continue
        place = one.policy.place("name")
        if name in seen:
            message = f"another policy is called {name} as well (line {seen[name].line}); give each its own name"
            problems.add(place, message)
        else:
            seen[name] = place


def _content(path: str) -> bytes:
    # Without O_NONBLOCK a named pipe that nobody writes to would stop us here for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123  (a descriptor, not a path)
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(path)
        if stat.S_ISFIFO(mode):
            os.set_blocking(descriptor, True)  # (`check /dev/stdin`, behind a pipe)
        elif not stat.S_ISREG(mode):
            message = "it is a device or socket"
            raise ValueError(message)
        return file.read(source.MAX_BYTES + 1)


def _unreadable(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file; name another one, or mount the policy's ConfigMap there"
        case IsADirectoryError():
            return "this is a directory; name the file in it, such as policy.yaml"
        case NotADirectoryError():
            return "a part of the path is a file, not a directory; name another path"
        case PermissionError():
            return f"user {os.getuid()} may not read the file; mend its mode (a volume's defaultMode)"
        case OSError():
            return f"the file can't be read ({error.strerror or error}); check the path and the volume"
    return f"the file can't be read ({error}); name a regular file"
