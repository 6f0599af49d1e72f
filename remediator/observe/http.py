"""The HTTP server: metrics and health, read-only, without credentials in any answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

import uvicorn
from prometheus_client import exposition
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from remediator.errors import SettingsError
from remediator.observe.metrics import Metrics
from remediator.observe.state import State
from remediator.pulse import Pulse

_LAST_PORT = 65535


def application(state: State, metrics: Metrics, pulse: Pulse) -> Starlette:
    """The routes."""

    def show_metrics(request: Request) -> Response:
        encode, content_type = exposition.choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), headers={"Content-Type": content_type})

    def healthz(_: Request) -> Response:
        still = pulse.still
        return PlainTextResponse(f"{still or 'ok'}\n", status_code=503 if still else 200)

    def readyz(_: Request) -> Response:
        now = state.now
        words = [f"{name}: {problem or 'ok'}" for name, problem in now.dependencies.items()]
        words += [f"standby: {now.standby}"] if now.standby else []
        return PlainTextResponse("\n".join(words) + "\n", status_code=200 if state.ready else 503)

    routes: list[tuple[str, Callable[[Request], Response]]] = [
        ("/metrics", show_metrics),
        ("/healthz", healthz),
        ("/readyz", readyz),
    ]
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in routes])


class HttpServer:
    """Serves in a thread of its own, from ``start`` until ``stop``."""

    def __init__(self, address: str, app: Starlette) -> None:
        self._host, _, port = address.rpartition(":")
        if not self._host or not (port.isascii() and port.isdigit()) or int(port) > _LAST_PORT:
            message = f"the HTTP address {address!r} is no host:port; write 0.0.0.0:8080"
            raise SettingsError(message)
        self._port = int(port)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    def start(self) -> str:
        """Begin to listen; gives the address as bound. Raises SettingsError where it can't be."""
        host = self._host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, self._port))
            # So that whoever reads the address can connect: the thread listens a moment later.
            listener.listen()
        except OSError as exc:
            listener.close()
            message = f"can't listen on {self._host}:{self._port}: {exc.strerror}; change REMEDIATOR_HTTP_ADDRESS"
            raise SettingsError(message) from exc
        self._socket = listener
        # Signals belong to the main thread; uvicorn must not take them from here.
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        self._thread = threading.Thread(target=lambda: self._server.run([listener]), name="http", daemon=True)
        self._thread.start()
        return f"{self._host}:{listener.getsockname()[1]}"

    def stop(self) -> None:
        """Stop listening."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(3)
        if self._socket is not None:
            self._socket.close()
