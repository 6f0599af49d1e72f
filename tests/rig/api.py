"""A small JSON client of the API server, for the tests' own hands.

It is deliberately not the Kubernetes client that the product uses: a test that set the stage and looked at
the result through the same library as the daemon would share its mistakes.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

# Seconds to connect, with the TLS handshake, and to wait for an answer: on a busy machine either can take long.
_TIMEOUT = (30.0, 60.0)

# The same for a watch, which is quiet for as long as nothing changes: longer than a test may take.
_WATCH_TIMEOUT = (30.0, 600.0)

Json = dict[str, Any]

# The body of a request: an object, or a JSON patch.
Body = Json | list[Json]


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, request: str, code: int, body: Json) -> None:
        super().__init__(f"{request}: {code} {body.get('reason', '')}: {body.get('message', '')}")
        self.code = code
        """The HTTP status."""
        self.reason: str = body.get("reason", "")
        self.message: str = body.get("message", "")
        self.causes: list[Json] = (body.get("details") or {}).get("causes") or []
        """The `details.causes` of the answer; an eviction refused by a budget has one whose
        `reason` is DisruptionBudget."""
        self.body = body


class Api:
    """The API server, spoken to as one user.

    Objects are the JSON of the API, as dicts. Where a method takes a kind, it takes the plural of the core
    API ("pods") or with the group and version before it ("apps/v1/deployments",
    "policy/v1/poddisruptionbudgets").
    """

    def __init__(
        self, url: str, *, ca_file: str, certificate: tuple[str, str] | None = None, token: str | None = None
    ) -> None:
        """`certificate` is the path of a client certificate and of its key; `token` a bearer token."""
        self.url = url
        self._session = requests.Session()
        # Else REQUESTS_CA_BUNDLE, a proxy or a .netrc of the machine would have a say.
        self._session.trust_env = False
        self._session.verify = ca_file
        self._session.cert = certificate
        if token is not None:
            self._session.headers["Authorization"] = f"Bearer {token}"
        self._plurals: dict[str, dict[str, tuple[str, bool]]] = {}
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        parameters: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """Sends one request and gives the answer's JSON. Raises `ApiError` for every status from 400 on."""
        with self._lock:
            answer = self._session.request(
                method,
                self.url + path,
                json=body,
                params=parameters,
                headers={**({"Content-Type": content_type} if body is not None else {}), **(headers or {})},
                timeout=_TIMEOUT,
            )
        try:
            content = answer.json()
        except requests.JSONDecodeError:
            content = {"message": answer.text}
        if answer.status_code >= 400:
            msg = f"{method} {path}"
            raise ApiError(msg, answer.status_code, content)
        return dict(content)

    def get(self, kind: str, namespace: str | None, name: str) -> Json:
        """One object. Raises `ApiError` 404."""
        return self.request("GET", path(kind, namespace, name))

    def find(self, kind: str, namespace: str | None, name: str) -> Json | None:
        """One object, or None where there is none."""
        try:
            return self.get(kind, namespace, name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> "list[Json]":
        """The objects of a namespace, or of all, that a label selector and a field selector choose."""
        chosen = {"labelSelector": labels, "fieldSelector": fields}
        answer = self.request("GET", path(kind, namespace), parameters={k: v for k, v in chosen.items() if v})
        return list(answer["items"])

    @contextmanager
    def watch(self, kind: str, namespace: str, *, labels: str = "") -> "Iterator[Iterator[Json]]":
        """The events of a watch, which begins with the objects that are there, in a connection of its own.

        It ends, with whatever the connection says, when the context is left.
        """
        with requests.Session() as session:
            session.trust_env, session.verify, session.cert = False, self._session.verify, self._session.cert
            session.headers.update(self._session.headers)
            parameters = {"watch": "1", "labelSelector": labels}
            answer = session.get(
                self.url + path(kind, namespace), params=parameters, stream=True, timeout=_WATCH_TIMEOUT
            )
            with answer:
                yield (json.loads(line) for line in answer.iter_lines() if line)

    def create(self, manifest: Json) -> Json:
        """Creates an object and gives it as it is stored."""
        collection, _ = self.where(manifest)
        return self.request("POST", collection, body=manifest)

    def apply(self, manifest: Json) -> Json:
        """Creates or changes an object by server-side apply, and gives it as it is stored."""
        collection, name = self.where(manifest)
        return self.request(
            "PATCH",
            f"{collection}/{name}",
            body=manifest,
            parameters={"fieldManager": "rig", "force": "true"},
            content_type="application/apply-patch+yaml",
        )

    def patch(self, kind: str, namespace: str | None, name: str, body: Body, *, subresource: str = "") -> Json:
        """Patches an object: with a merge patch, or with a JSON patch where the body is a list."""
        flavour = "json-patch" if isinstance(body, list) else "merge-patch"
        return self.request(
            "PATCH", path(kind, namespace, name, subresource), body=body, content_type=f"application/{flavour}+json"
        )

    def annotate(self, kind: str, namespace: str | None, name: str, annotations: Mapping[str, str | None]) -> Json:
        """Sets annotations, or removes those that are None."""
        return self.patch(kind, namespace, name, {"metadata": {"annotations": dict(annotations)}})

    def delete(
        self,
        kind: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        grace: int | None = None,
        propagation: str = "Background",
    ) -> Json:
        """Deletes an object, with the seconds of grace and only if it still has the UID, where given.

        `propagation` is what becomes of its dependents: Background, Foreground or Orphan.
        """
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        return self.request("DELETE", path(kind, namespace, name), body=options)

    def evict(self, namespace: str, pod: str, *, uid: str | None = None) -> Json:
        """Evicts a pod. Raises `ApiError` 429 where a disruption budget does not allow it."""
        eviction: Json = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": namespace, "name": pod},
        }
        if uid is not None:
            eviction["deleteOptions"] = {"preconditions": {"uid": uid}}
        return self.request("POST", path("pods", namespace, pod, "eviction"), body=eviction)

    def scale(self, kind: str, namespace: str, name: str, replicas: int) -> Json:
        """Sets the replicas of a Deployment, StatefulSet or ReplicaSet through its scale subresource."""
        return self.patch(kind, namespace, name, {"spec": {"replicas": replicas}}, subresource="scale")

    def where(self, manifest: Json) -> tuple[str, str]:
        """The path of the collection that an object belongs to, and its name (empty if to be generated)."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        if kind not in self._plurals.get(version, {}):
            root = f"/api/{version}" if version == "v1" else f"/apis/{version}"
            self._plurals[version] = {
                resource["kind"]: (resource["name"], resource["namespaced"])
                for resource in self.request("GET", root)["resources"]
                if "/" not in resource["name"]
            }
        plural, namespaced = self._plurals[version][kind]
        kind = plural if version == "v1" else f"{version}/{plural}"
        namespace = manifest["metadata"].get("namespace", "default") if namespaced else None
        return path(kind, namespace), manifest["metadata"].get("name", "")


def path(kind: str, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
    """The path of a resource: `path("apps/v1/deployments", "shop", "web", "scale")`."""
    *version, plural = kind.split("/")
    parts = ["/apis" if version else "/api/v1", *version]
    if namespace is not None:
        parts += ["namespaces", namespace]
    parts += [part for part in (plural, name, subresource) if part]
    return "/".join(parts)
