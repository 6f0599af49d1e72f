"""Admission webhooks: HTTPS servers that the API server asks before it does something, and their registration."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.rig.certificates import Authority
from tests.rig.cluster import Cluster

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

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                content = json.dumps(webhook._reviewed(review)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> tuple[ssl.SSLSocket, object]:
                connection, address = super().get_request()
                # The handshake is left to the connection's own thread.
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that goes away is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

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
