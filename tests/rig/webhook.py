"""Admission webhooks: HTTPS servers that the API server asks before it does something, and their registration."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.rig.certificates import Authority
from tests.rig.cluster import Cluster
from tests.rig.servers import Handler, LocalServer

Json = dict[str, Any]
_KIND = "admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@dataclass(frozen=True)
class Verdict:
    """What a webhook says; a refusal has an HTTP code and words."""

    allowed: bool
    code: int = 403
    message: str = ""


class Webhook:
    """A webhook on loopback, served while it is entered. ``decide`` gets the ``request`` of each AdmissionReview.

    ``asked`` keeps these requests; ``ca`` is the bundle to register it with.
    """

    def __init__(self, folder: Path, decide: Callable[[Json], Verdict]) -> None:
        self.asked: list[Json] = []
        self._decide = decide
        authority = Authority(folder)
        credential = authority.serving("webhook", hosts=("127.0.0.1",))
        self.ca = authority.certificate.read_bytes()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(credential.certificate, credential.key)
        webhook = self

        class Asked(Handler):
            def do_POST(self) -> None:  # noqa: N802  http.server's name
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(json.dumps(webhook._reviewed(review)).encode(), "application/json")

        self._server = LocalServer(Asked, context=context)
        self.url = f"{self._server.origin}/"

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def _reviewed(self, review: Json) -> Json:
        request = review["request"]
        self.asked.append(request)
        verdict = self._decide(request)
        response: Json = {"uid": request["uid"], "allowed": verdict.allowed}
        if not verdict.allowed:
            response["status"] = {"code": verdict.code, "message": verdict.message}
        return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}


@contextmanager
def registered(
    cluster: Cluster, namespace: str, resource: str, *, url: str, ca: bytes, side_effects: str = "None"
) -> Iterator[str]:
    """Registers a webhook for the creation of ``pods`` or ``pods/eviction`` in one namespace; gives its name.

    Whoever enters waits for what shows that the API server asks it: that takes a moment.
    """
    name = f"{resource.replace('/', '-')}.{namespace}.example.com"
    cluster.api.create(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [
                {
                    "name": name,
                    "clientConfig": {"url": url, "caBundle": base64.b64encode(ca).decode()},
                    "rules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]}
                    ],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                    "failurePolicy": "Fail",
                    "sideEffects": side_effects,
                    "timeoutSeconds": 5,
                    "admissionReviewVersions": ["v1"],
                }
            ],
        }
    )
    try:
        yield name
    finally:
        cluster.api.delete(_KIND, None, name)
