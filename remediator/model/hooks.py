"""What is called in a pod before it goes, as a policy names it: an HTTP request to it, or a command in a container."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OnFailure(StrEnum):
    """What becomes of the act when a hook fails."""

    ABORT = "abort"
    CONTINUE = "continue"


class Method(StrEnum):
    """How a pod is asked."""

    POST = "POST"
    PUT = "PUT"
    GET = "GET"


class Scheme(StrEnum):
    """By which protocol."""

    HTTP = "http"
    HTTPS = "https"


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request to the pod's own address; ``body`` is sent as ``content_type``, and nothing where it is empty."""

    port: int
    path: str
    method: Method = Method.POST
    scheme: Scheme = Scheme.HTTP
    body: bytes = b""
    content_type: str = ""

    def __str__(self) -> str:
        """For logs, which need not know what a query says."""
        return f"{self.scheme} {self.method} :{self.port}{self.path.partition('?')[0]}"


@dataclass(frozen=True, slots=True)
class ExecCall:
    """One command in a container of the pod."""

    container: str
    command: tuple[str, ...]

    def __str__(self) -> str:
        """For logs, which need not know what the arguments say."""
        return f"exec {self.command[0]} in {self.container}"


@dataclass(frozen=True, slots=True)
class Hook:
    """One call; ``timeout`` is for all of it, in seconds."""

    call: HttpCall | ExecCall
    timeout: int = 30
    on_failure: OnFailure = OnFailure.ABORT

    @property
    def kind(self) -> str:
        """How it is called."""
        return "http" if isinstance(self.call, HttpCall) else "exec"

    def __str__(self) -> str:
        return str(self.call)
