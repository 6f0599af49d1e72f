"""What the daemon asks of the API server: counted in the audit log by its account, and once more in the metrics.

The API server's metrics know no account. What others ask at the same time is kept out by counting only the verbs and
resources that the daemon's role allows, watches of whole kinds left out: those are the controllers'. The audit log has
the account, so it is the figure, and the metrics are its check.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tests.bench.samples import Page
from tests.rig.audit import AuditEvent

REQUESTS = "apiserver_request_total"
_VERBS = {"get": "GET", "list": "LIST", "watch": "WATCH", "create": "POST", "update": "PUT", "patch": "PATCH"}
"""RBAC's verbs and the metrics'."""
_WORDS = {theirs: ours for ours, theirs in _VERBS.items()}
LEASES = "leases"

Right = tuple[str, str, str, str]
"""Verb, group, resource, subresource, as the metrics have them."""


def by_account(events: Iterable[AuditEvent], account: str, *, since: datetime, until: datetime) -> Counter[str]:
    """The requests of an account beside those for the lease, such as `list pods`, by when they came."""
    return Counter(
        _words(event)
        for event in events
        if event.user == account and since <= event.received <= until and event.resource != LEASES
    )


def _words(event: AuditEvent) -> str:
    resource = f"{event.resource}/{event.subresource}" if event.subresource else event.resource
    return f"{event.verb} {resource or event.uri}"


def rights(roles: Iterable[Mapping[str, Any]]) -> set[Right]:
    """What the rules of some roles allow, leases left out."""
    allowed = set()
    for role in roles:
        for rule in role.get("rules") or ():
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    plural, _, subresource = resource.partition("/")
                    allowed |= {(_VERBS[verb], group, plural, subresource) for verb in rule["verbs"] if verb in _VERBS}
    return {right for right in allowed if right[2] != LEASES}


def by_metrics(before: Page, after: Page, allowed: set[Right]) -> Counter[str]:
    """The requests between two pages of the API server that the daemon may have sent, in the words of `by_account`."""
    counted: Counter[str] = Counter()
    for labels, value in after.items(REQUESTS):
        verb, group, resource, subresource = (labels[name] for name in ("verb", "group", "resource", "subresource"))
        if (verb, group, resource, subresource) not in allowed or (verb == "WATCH" and labels["scope"] == "cluster"):
            continue
        more = value - before.values.get((REQUESTS, frozenset(labels.items())), 0.0)
        what = f"{resource}/{subresource}" if subresource else resource
        counted[f"{_WORDS[verb]} {what}"] += round(more)
    return +counted


def told(counted: Counter[str]) -> str:
    """The requests in words: `2 list pods, 1 create pods/eviction`."""
    return ", ".join(f"{number} {what}" for what, number in sorted(counted.items()))
