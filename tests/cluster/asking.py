"""Requests that somebody may not make: how one is sent, and what tells a refusal from a mistake in writing it down.

A path with a typing error is refused by RBAC as well, and a body with one by validation. So each request is sent twice:
by the account, which must be refused in the very words that name its right, and by the admin, who must not be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.rig.api import Api, ApiError, path

Json = dict[str, Any]

_METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
_TRIES = 20
MERGE = "application/merge-patch+json"
LABEL: Json = {"metadata": {"labels": {"remediator-was": "here"}}}
"""The smallest change of an object."""


@dataclass(frozen=True)
class Ask:
    """One request. In `namespace`, `name` and `body` a text in angle brackets stands for what the stage knows by it."""

    verb: str
    kind: str
    """As `tests.rig.api.path` has it, `pods` or `apps/v1/deployments`; or a path that is no resource's, `/metrics`."""
    namespace: str | None = None
    name: str = ""
    subresource: str = ""
    body: Json | None = None
    """None for an update is the object as it is; for a patch it is `LABEL`."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: str = MERGE
    """Of a patch."""
    words: str = ""
    """What RBAC says instead of the verb and the resource, where it says something else."""
    admin: str = ""
    """What the admin is answered, who gets through to what can't be had here; empty: it is done."""

    def __str__(self) -> str:
        where = self.namespace or "the cluster"
        what = "/".join(filter(None, (self.kind.rpartition("/")[2], self.name, self.subresource)))
        return f"{self.verb} {what} in {where}"

    def refusal(self, stage: Mapping[str, str]) -> str:
        """RBAC's words."""
        if self.words:
            return self.words
        if self.kind.startswith("/"):
            return f'cannot {self.verb} path "{self.kind}"'
        group, _, rest = self.kind.rpartition("/")[0].partition("/")
        group = group if rest else ""
        resource = "/".join(filter(None, (self.kind.rpartition("/")[2], self.subresource)))
        # To RBAC a namespace is within itself.
        namespace = _filled(self.namespace or (self.name if self.kind == "namespaces" else None), stage)
        where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
        return f'cannot {self.verb} resource "{resource}" in API group "{group}"{where}'

    def send(self, api: Api, stage: Mapping[str, str], *, admin: Api, dry_run: bool = False) -> Json:
        """Send it. Raises `ApiError`."""
        where = self.kind
        if not where.startswith("/"):
            where = path(self.kind, _filled(self.namespace, stage), _filled(self.name, stage), self.subresource)
        query = {**self.query, **({"watch": "1", "timeoutSeconds": "1"} if self.verb == "watch" else {})}
        method = _METHODS[self.verb]
        body = _filled(self.body, stage)
        if body is None and self.verb == "patch":
            body = LABEL
        if body is None and self.verb == "update":
            body = admin.request("GET", where)
        return api.request(
            method,
            where,
            body=body,
            parameters={**query, **({"dryRun": "All"} if dry_run and method != "GET" else {})},
            content_type=self.content if self.verb == "patch" else "application/json",
            headers=self.headers,
        )


def refused_by_rbac(ask: Ask, stage: Mapping[str, str], *, api: Api, admin: Api) -> None:
    """Asserts that RBAC refuses it to the API's user, and that it is a request that somebody may make."""
    with pytest.raises(ApiError) as caught:
        ask.send(api, stage, admin=admin)
    assert (caught.value.code, caught.value.reason) == (403, "Forbidden"), caught.value
    assert ask.refusal(stage) in caught.value.message, caught.value.message
    well_formed(ask, stage, admin=admin)


def well_formed(ask: Ask, stage: Mapping[str, str], *, admin: Api) -> None:
    """Asserts that the admin, who may do everything, is not refused; what can be done is not done, but run dry."""
    said = ""
    for _ in range(_TRIES):
        try:
            ask.send(admin, stage, admin=admin, dry_run=not ask.admin)
        except ApiError as error:
            said = str(error)
            if ask.verb == "update" and error.code == 409:
                # Whoever looks after the object has written it since it was read.
                continue
        else:
            said = ""
        break
    assert ask.admin in said if ask.admin else not said, said


def _filled(value: Any, stage: Mapping[str, str]) -> Any:  # noqa: ANN401 (any part of a body)
    match value:
        case str() if value.startswith("<") and value.endswith(">"):
            return stage[value[1:-1]]
        case dict():
            return {key: _filled(inner, stage) for key, inner in value.items()}
        case list():
            return [_filled(inner, stage) for inner in value]
    return value
