"""Answers a POST with JSON, predictably, so that a probe of it can be tried: stdlib alone, one file.

    POST /          a JSON object: 200, {"status": "ok", "received": that object}
    POST /degraded  a JSON object: 200, {"status": "degraded", ...}, which only a look into the body tells from that
    POST            anything else: 400, {"status": "error", "reason": ...}; 411 without a length, 413 above 64 KiB
    GET /healthz    200, for the kubelet; every other GET 405

It listens on port 8080, or `PORT`, and ends in order on SIGTERM.
"""

# ruff: noqa: INP001  (a script, alone in its image)

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

LARGEST = 64 * 1024
"""Bytes of a body that are read at most."""

SECONDS = 10
"""How long a client may take."""


class Answers(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = SECONDS

    def do_GET(self) -> None:
        """The kubelet's probe, and nothing else."""
        if self.path == "/healthz":
            self._answer(200, {"status": "ok"})
        else:
            self._answer(405, {"status": "error", "reason": "POST a JSON object"})

    def do_POST(self) -> None:
        """What the probe is about."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            self._refuse(411, "no Content-Length")
            return
        if int(length) > LARGEST:
            self._refuse(413, f"more than {LARGEST} bytes")
            return
        try:
            received = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            self._answer(400, {"status": "error", "reason": "the body is not JSON"})
            return
        if not isinstance(received, dict):
            self._answer(400, {"status": "error", "reason": "the body is not a JSON object"})
            return
        status = "degraded" if self.path == "/degraded" else "ok"
        self._answer(200, {"status": status, "received": received})

    def _refuse(self, code: int, reason: str) -> None:
        """Answers without having read the body, after which the connection is of no use."""
        self.close_connection = True
        self._answer(code, {"status": "error", "reason": reason})

    def _answer(self, code: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if code == 405:  # noqa: PLR2004
            self.send_header("Allow", "POST")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def main() -> int:
    """Serves until SIGTERM; gives the exit code."""
    # All addresses: it is reached by way of its Service.
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Answers)
    server.daemon_threads = True

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        # In a thread of its own: shutdown() waits for the loop that this signal has interrupted.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
