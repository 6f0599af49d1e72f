"""Commands in a container of a pod, by websocket.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ and, for the protocol,
``k8s.io/apimachinery/pkg/util/remotecommand`` of Kubernetes 1.36: the first byte of a message names its channel.

Not by ``kubernetes.stream``: that has no time-out while it connects, keeps all that a command writes, follows
redirects with our token, and puts itself into the place of the client's ``call_api`` while it does.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from kubernetes import config
from kubernetes.client import Configuration
from websocket import (
    ABNF,
    WebSocket,
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)

from remediator.bodies import quoted
from remediator.cluster.api import READ_TIMEOUT, Connection
from remediator.cluster.pods import pod_path
from remediator.errors import HookFailed

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
"""Those that tell the exit code; servers before 1.30 know only the second."""
_STDOUT, _STDERR, _STATUS = 1, 2, 3
_KEPT = 4096
"""Bytes of what a command writes that are kept, the last ones."""
_LINGER = 1.0
_FORBIDDEN = 403
_NOT_TOLD = "the connection ended before the command's exit code was told"
_NO_RIGHT = "the right to `create` and `get` pods/exec is missing (rbac.exec in the chart's values, or deploy/exec)"


class Command:
    """One command, run once. Called in one thread, it may be closed from another, and ends then."""

    def __init__(
        self,
        connection: Connection,
        *,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        timeout: float,
    ) -> None:
        """``timeout`` is for how many seconds it may say nothing."""
        query = [("container", container), *(("command", part) for part in command), ("stdout", "true")]
        path = f"{pod_path(namespace, pod)}/exec?{urlencode([*query, ('stderr', 'true')])}"
        url = urlsplit(connection.host)
        self._url = f"{'wss' if url.scheme == 'https' else 'ws'}://{url.netloc}{url.path}{path}"
        self._configuration = connection.client.configuration
        self._timeout = timeout
        self._socket = WebSocket(sslopt=_tls(self._configuration))
        self._closed = False

    def __call__(self) -> str:
        """Run it to its end, and say how that was. Raises HookFailed."""
        try:
            auth = self._configuration.auth_settings().values()
            self._socket.connect(  # type: ignore[no-untyped-call]
                self._url,
                header={"User-Agent": "remediator", **{one["key"]: one["value"] for one in auth}},
                subprotocols=PROTOCOLS,
                suppress_origin=True,
                redirect_limit=0,
                timeout=min(self._timeout, READ_TIMEOUT),
            )
            if self._closed:
                raise HookFailed(_NOT_TOLD)
            self._socket.settimeout(self._timeout)
            return self._outcome()
        except WebSocketBadStatusException as exc:
            raise HookFailed(_refused(exc)) from exc
        except (WebSocketException, config.ConfigException, OSError, ValueError) as exc:
            message = f"the API server could not be asked for it: {quoted(str(exc).encode())}"
            raise HookFailed(message) from exc
        finally:
            self._socket.shutdown()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Give it up: whoever reads returns. The command itself may go on, which nobody can help from outside."""
        self._closed = True
        if (connected := self._socket.sock) is not None:
            with suppress(OSError):
                # (It has ended by itself.)
                connected.shutdown(socket.SHUT_RDWR)

    def _outcome(self) -> str:
        ends = dict.fromkeys((_STDOUT, _STDERR, _STATUS), b"")
        for channel, content in self._messages():
            if channel in ends:
                ends[channel] = (ends[channel] + content)[-_KEPT:]
            if channel == _STATUS:
                # What the command has written may come after it, from a server that passes one stream on after another.
                self._socket.settimeout(_LINGER)
        if not ends[_STATUS]:
            raise HookFailed(_NOT_TOLD)
        return _ended(ends[_STATUS], quoted(ends[_STDERR], end=True) or quoted(ends[_STDOUT], end=True))

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        """Channel and content of each message, until the other side closes or says nothing more."""
        with suppress(WebSocketConnectionClosedException, WebSocketTimeoutException):
            while True:
                kind, message = self._socket.recv_data()
                if kind == ABNF.OPCODE_CLOSE:
                    return
                if message:
                    yield message[0], message[1:]


def _ended(content: bytes, said: str) -> str:
    """The status that comes last: exit code 0, or a failure with what the command said. Raises HookFailed."""
    try:
        status = orjson.loads(content)
        causes = (status.get("details") or {}).get("causes") or ()
        code = next((one["message"] for one in causes if one.get("reason") == "ExitCode"), "")
        if status["status"] == "Success":
            return ": ".join(filter(None, ("exit code 0", said)))
        words = f"exit code {code}" if code else str(status.get("message") or "it failed")
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as exc:
        message = f"its end can't be understood: {quoted(content)}"
        raise HookFailed(message) from exc
    raise HookFailed(": ".join(filter(None, (quoted(words.encode()), said))))


def _refused(refusal: WebSocketBadStatusException) -> str:
    content = refusal.resp_body or b""
    try:
        content = str(orjson.loads(content)["message"]).encode()
    except (orjson.JSONDecodeError, KeyError, TypeError):
        # A proxy's words, and not the API server's.
        content = content or str(refusal.status_message).encode()
    words = f"the API server answered {refusal.status_code}: {quoted(content)}"
    # A webhook may refuse it as well, and means something else.
    return f"{words}; {_NO_RIGHT}" if refusal.status_code == _FORBIDDEN and b'"pods/exec"' in content else words


def _tls(configuration: Configuration) -> dict[str, Any]:
    """As the client has it for all other requests."""
    return {
        "cert_reqs": ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE,
        "ca_certs": configuration.ssl_ca_cert,
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
