"""The requests of the daemon in a whole run of the tests, compared with the rights that deploy/ gives it.

RBAC refuses what is outside; that nothing outside is even asked for, and that no right is there which nothing uses, is
seen here. The audit log has every request, whatever was answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.rig.audit import AuditEvent

Json = dict[str, Any]
Right: TypeAlias = tuple[str, str, str]
"""API group, resource with its subresource, and verb."""

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_OURS = re.compile(r"system:serviceaccount:home-[0-9-]+:remediator")
"""The accounts that `tests.rig.daemon.create_account` makes for a daemon, in namespaces of the fixture `home`."""
_EXEC = ("", "pods/exec")
_OF_KUBERNETES = ("", "apps", "batch", "policy")


def asked(events: Iterable[AuditEvent]) -> frozenset[Right]:
    """What the daemons have asked for; discovery, which everybody may, is not in it."""
    found = {
        (event.group, "/".join(filter(None, (event.resource, event.subresource))), event.verb)
        for event in events
        if event.resource and _OURS.fullmatch(event.user)
    }
    # A command begins as a GET, and the API server asks for both rights.
    return frozenset(found | {(*_EXEC, "create")} if (*_EXEC, "get") in found else found)


def given() -> frozenset[Right]:
    """What the manifests in deploy/ allow."""
    manifests = (
        document for file in sorted(DEPLOY.rglob("*rbac*.yaml")) for document in yaml.safe_load_all(file.read_text())
    )
    rules: list[Json] = [rule for manifest in manifests for rule in manifest.get("rules") or ()]
    return frozenset(
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )


def outside(events: Iterable[AuditEvent]) -> frozenset[Right]:
    """What was asked for and is not allowed, but for what a cluster may add: custom workloads, and their scale."""
    return frozenset(right for right in asked(events) - given() if not _is_a_custom_workload(right))


def unused(events: Iterable[AuditEvent]) -> frozenset[Right]:
    """What is allowed and was never asked for."""
    return given() - asked(events)


def _is_a_custom_workload(right: Right) -> bool:
    group, resource, verb = right
    is_custom = group not in _OF_KUBERNETES and not group.endswith(".k8s.io")
    return is_custom and resource.partition("/")[2] in {"", "scale"} and verb == "get"
