"""A mail server on loopback that wants a password and keeps what it gets."""

from __future__ import annotations

import base64
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Self


class Postbox(ThreadingTCPServer):
    """Takes mails from who knows user and password (AUTH PLAIN, RFC 4954), as RFC 5321 has it."""

    daemon_threads = True
    allow_reuse_address = True
    # Alertmanager sends one mail a group, all at once.
    request_queue_size = 128

    def __init__(self, *, user: str, password: str) -> None:
        self.credentials = ["", user, password]
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.refused = 0
        super().__init__(("127.0.0.1", 0), _Session)
        self.port = int(self.server_address[1])
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Session(StreamRequestHandler):
    server: Postbox

    def handle(self) -> None:
        """One client, until it says QUIT or goes away."""
        self._say("220 postbox ESMTP")
        known = False
        recipients: list[str] = []
        while line := self.rfile.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            match verb.upper():
                case "EHLO":
                    self._say("250-postbox\r\n250 AUTH PLAIN")
                case "AUTH":
                    known = (
                        base64.b64decode(rest.removeprefix("PLAIN ")).decode().split("\0") == self.server.credentials
                    )
                    self.server.refused += not known
                    self._say("235 welcome" if known else "535 who?")
                case "RCPT":
                    recipients.append(rest.removeprefix("TO:").strip("<>"))
                    self._say("250 ok" if known else "530 password first")
                case "DATA":
                    self._say("354 go on")
                    self.server.mails.append((recipients, self._data()))
                    self._say("250 kept")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _data(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        found = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
