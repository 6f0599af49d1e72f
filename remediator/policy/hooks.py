"""The hooks of a policy, from what was written to what is called."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.model.hooks import ExecCall, Hook, HttpCall, Method, OnFailure, Scheme
from remediator.policy.fields import DefaultFields, ExecFields, Fields, HookFields, HttpFields, PolicyFields
from remediator.policy.nodes import Listing, Mapping, Node, locate, plain
from remediator.policy.sections import Problems, Section, keys

TIMEOUT = 30
_WANTED: dict[str, tuple[type[Fields], dict[str, str]]] = {
    "http": (HttpFields, {"port": "8080", "path": "/drain"}),
    "exec": (ExecFields, {"container": "app", "command": "[/bin/drain, --now]"}),
}
"""What a call can't do without, with an example of each."""


def check(section: Section[DefaultFields] | Section[PolicyFields], problems: Problems) -> None:
    """Report what is missing from the hooks of a section, and what does not go together in one of them.

    What is wrong with a value, or is no key at all, is reported already; who wrote `Port` has not forgotten it.
    """
    listing = locate(section.node, ("before",))
    for hook in listing.items if isinstance(listing, Listing) else ():
        if not isinstance(hook, Mapping) or _strange(hook, HookFields):
            continue
        there = [what for what in _WANTED if what in hook.keys]
        if len(there) == 1:
            _check_call(hook.entries.get(there[0]), *_WANTED[there[0]], problems)
        else:
            which = "`http` and `exec`" if there else "neither `http` nor `exec`"
            problems.add(hook.place, f"the hook has {which}; write one of them, and another item for another one")


def _check_call(call: Node | None, model: type[Fields], wanted: dict[str, str], problems: Problems) -> None:
    if not isinstance(call, Mapping) or _strange(call, model):
        return
    for key, example in wanted.items():
        if key not in call.keys:
            message = f"the hook has no {key}; write such as {key}: {example}"
            problems.add(call.place, message, path=f"{call.place.path}.{key}")
    if "body" in call.keys and plain(locate(call, ("method",))) == Method.GET:
        problems.add(locate(call, ("body",)).place, "a GET has no body; write method: POST, or remove the line")


def _strange(node: Mapping, model: type[Fields]) -> set[str]:
    return set(node.keys) - set(keys(model))


def resolved(written: Sequence[HookFields]) -> tuple[Hook, ...]:
    """Give what :func:`check` found nothing wrong with."""
    return tuple(
        Hook(_call(one), timeout=one.timeout or TIMEOUT, on_failure=one.on_failure or OnFailure.ABORT)
        for one in written
    )


def _call(hook: HookFields) -> HttpCall | ExecCall:
    if hook.exec:
        return ExecCall(hook.exec.container or "", hook.exec.command or ())
    http = hook.http
    if http is None or http.port is None or http.path is None:
        message = "a hook that was not checked"
        raise ValueError(message)
    body, content_type = http.body or (b"", "")
    method, scheme = http.method or Method.POST, http.scheme or Scheme.HTTP
    return HttpCall(http.port, http.path, method, scheme, body, content_type)
