"""What the daemons of a run asked for, against what deploy/ allows: too much and too little is seen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.rig import rights
from tests.rig.audit import AuditEvent

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(verb: str, resource: str, **more: Any) -> AuditEvent:  # noqa: ANN401
    """A request by a daemon of the tests."""
    usual: dict[str, Any] = {
        "user": "system:serviceaccount:home-123-4:remediator",
        "group": "",
        "verb": verb,
        "resource": resource,
        "subresource": "",
        "namespace": "shop",
        "name": "web",
        "code": 200,
        "request": None,
        "received": NOW,
        "answered": NOW,
        "user_agent": "",
        "stage": "ResponseComplete",
        "uri": "",
        "reason": "",
        "message": "",
    }
    return AuditEvent(**{**usual, **more})


def test_what_is_not_allowed_is_seen_even_where_it_was_refused() -> None:
    """A request for a Secret is a defect, whatever the API server said to it."""
    assert rights.outside([event("get", "secrets", code=403)]) == {("", "secrets", "get")}
    assert rights.outside([event("deletecollection", "pods")]) == {("", "pods", "deletecollection")}


def test_what_is_allowed_is_not_complained_about() -> None:
    """Reads, evictions, discovery, and a custom workload with its scale, which a cluster may allow."""
    events = [
        event("get", "pods"),
        event("create", "pods", subresource="eviction"),
        event("patch", "pods"),
        event("get", ""),
        event("get", "games", subresource="scale", group="games.example"),
        event("get", "games", group="games.example"),
    ]
    assert rights.outside(events) == frozenset()
    assert rights.outside([event("get", "deployments", subresource="scale", group="apps")])
    assert rights.outside([event("list", "games", group="games.example")])
    assert rights.outside([event("get", "games", subresource="status", group="games.example")])


def test_only_the_daemons_count() -> None:
    """Not the tests' own hands, nor accounts of other names."""
    assert (
        rights.outside([event("get", "secrets", user=user) for user in ("admin", "system:serviceaccount:x:y")]) == set()
    )


def test_a_command_in_a_container_uses_both_of_its_rights() -> None:
    """The audit log has the GET alone."""
    command = event("get", "pods", subresource="exec")
    assert rights.asked([command]) == {("", "pods/exec", "get"), ("", "pods/exec", "create")}
    assert rights.outside([command]) == frozenset()


def test_what_is_never_used_is_seen() -> None:
    """Each verb by itself."""
    assert ("", "pods", "watch") in rights.unused([event("get", "pods")])
    assert ("", "pods", "get") not in rights.unused([event("get", "pods")])
