"""One request to the API server, and what its answer means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode

import orjson
import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from remediator.bodies import BodyTooLarge, BodyTooLate, read_body
from remediator.errors import (
    KubernetesError,
    KubernetesOdd,
    KubernetesRefused,
    KubernetesUnreachable,
    SettingsError,
    Status,
)
from remediator.model.clocks import Heard, reading
from remediator.tls import believing_no_one_yet

Json: TypeAlias = dict[str, Any]
Observer: TypeAlias = Callable[[str, str, float, str], None]
"""Called with verb, outcome, seconds and, where it failed, the words of the failure, after each request."""

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 15.0
"""Seconds. The API server itself may retry an eviction for 10 s before it answers."""
PAGE = 500
MAX_BODY = 64 << 20
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts the credentials of the pod's own account, and the name of its namespace."""
_REDIRECT, _NOT_FOUND = 300, 404


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the API server is, and the namespace that the credentials name."""

    client: ApiClient
    namespace: str
    host: str


def connect(kubeconfig: Path | None) -> Connection:
    """A connection by kubeconfig, or, without one, by the pod's own service account.

    Raises SettingsError where neither can be used.
    """
    settings = Configuration()
    settings.retries = False
    try:
        if kubeconfig is None:
            config.load_incluster_config(settings)  # type: ignore[no-untyped-call]
            namespace = (SERVICE_ACCOUNT / "namespace").read_text("utf-8").strip()
        else:
            path = str(kubeconfig)
            config.load_kube_config(path, client_configuration=settings, persist_config=False)  # type: ignore[no-untyped-call]
            _, context = config.list_kube_config_contexts(path)  # type: ignore[no-untyped-call]
            namespace = context["context"].get("namespace") or "default"
    except (config.ConfigException, yaml.YAMLError, OSError, KeyError, TypeError, ValueError) as exc:
        source = "the pod's service account" if kubeconfig is None else f"kubeconfig {kubeconfig}"
        hint = "set --kubeconfig or REMEDIATOR_KUBECONFIG outside a cluster"
        message = f"can't reach a cluster by {source}: {exc}; {hint}"
        raise SettingsError(message) from exc
    settings.retries = False
    client = ApiClient(settings)
    if settings.verify_ssl:
        context = believing_no_one_yet()
        if not settings.ssl_ca_cert and not settings.ca_cert_data:
            context.load_default_certs()
        client.rest_client.pool_manager.connection_pool_kw["ssl_context"] = context
    return Connection(client, namespace, settings.host)


class ApiServer:
    """Requests to one API server. Safe to use from several threads."""

    def __init__(
        self,
        connection: Connection,
        *,
        observe: Observer,
        heard: Heard = lambda _: None,
        user_agent: str = "remediator",
    ) -> None:
        """``heard`` is told of the server's clock, by each answer that has a date."""
        self._client = connection.client
        self._host = connection.host
        self._observe = observe
        self._heard = heard
        self._user_agent = user_agent

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        may_be_refused: bool = False,
        timeout: float = READ_TIMEOUT,
    ) -> Json:
        """One object. Raises KubernetesError.

        Where we can do without it, a refusal is an answer like any other, and nobody is told that we were refused.
        """
        return self._json("get", "GET", path, query=query, quiet=may_be_refused, timeout=timeout)

    def find(self, path: str, *, timeout: float = READ_TIMEOUT) -> Json | None:
        """One object; None where there is none. Raises KubernetesError."""
        try:
            return self.get(path, timeout=timeout)
        except KubernetesRefused as exc:
            if exc.status.code == _NOT_FOUND:
                return None
            raise

    def list(self, path: str, query: Mapping[str, str] | None = None) -> tuple[list[Json], str]:
        """All items, page by page, and the resourceVersion of the list. Raises KubernetesError."""
        items: list[Json] = []
        version = ""
        for page, version in self.pages(path, query):  # noqa: B007  the last one is the list's
            items.extend(page)
        return items, version

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[tuple[Sequence[Json], str]]:
        """The items of each page with the list's resourceVersion, asked for one after the other, at least one page.

        Whoever trims them page by page never holds all of them. Raises KubernetesError.
        """
        token = ""
        while True:
            page = self._json("list", "GET", path, query={**(query or {}), "limit": str(PAGE), **_continue(token)})
            found, metadata = page.get("items", ""), page.get("metadata")
            # Go writes a list without elements as null.
            found = [] if found is None else found
            if not isinstance(found, list) or not isinstance(metadata, dict):
                # An empty list that is none would be "no disruption budgets".
                message = f"the API server's answer to {path} is no list"
                raise KubernetesOdd(message)
            yield found, str(metadata.get("resourceVersion", ""))
            token = metadata.get("continue") or ""
            if not token:
                return

    def write(
        self,
        verb: str,
        method: str,
        path: str,
        body: Json,
        *,
        timeout: float = READ_TIMEOUT,
        content_type: str = "application/json",
    ) -> Json:
        """One create, update, patch or delete; sent once, never retried. Raises KubernetesError."""
        return self._json(verb, method, path, body=body, timeout=timeout, content_type=content_type)

    def watch(self, path: str, query: Mapping[str, str], *, silence: float) -> Stream:
        """A watch; ``silence`` is how many seconds without a byte are taken for a dead connection."""
        with self._observed("watch"):
            response = self._send("GET", path, query={**query, "watch": "1"}, timeout=silence)
            if response.status >= _REDIRECT:
                raise _refusal(response, self._whole(response, READ_TIMEOUT))
        return Stream(response, self._host)

    @contextmanager
    def _observed(self, verb: str, *, quiet: bool = False) -> Iterator[None]:
        started = time.monotonic()
        outcome, words = "ok", ""
        try:
            yield
        except KubernetesRefused as exc:
            outcome, words = str(exc.status.code), "" if quiet else str(exc)
            raise
        except KubernetesError as exc:
            outcome, words = "unreachable", str(exc)
            raise
        finally:
            self._observe(verb, outcome, time.monotonic() - started, words)

    def _json(
        self,
        verb: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        timeout: float = READ_TIMEOUT,
        content_type: str = "application/json",
        quiet: bool = False,
    ) -> Json:
        with self._observed(verb, quiet=quiet):
            response = self._send(method, path, query=query, body=body, timeout=timeout, content_type=content_type)
            content = self._whole(response, timeout)
            if response.status >= _REDIRECT:
                raise _refusal(response, content)
            return _parsed(content, path)

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None,
        timeout: float,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "User-Agent": self._user_agent}
        if body is not None:
            headers["Content-Type"] = content_type
        url = self._host + path + (f"?{urlencode(query)}" if query else "")
        sent_at = time.time()
        try:
            for auth in self._client.configuration.auth_settings().values():
                headers[auth["key"]] = auth["value"]
            sent = None if body is None else orjson.dumps(body).decode()
            raw: urllib3.BaseHTTPResponse = self._client.rest_client.pool_manager.request(
                method,
                url,
                body=sent,
                headers=headers,
                preload_content=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=timeout),
            )
        except (HTTPError, ApiException, config.ConfigException, OSError) as exc:
            message = f"the API server at {self._host} did not answer: {_brief(exc)}"
            raise KubernetesUnreachable(message) from exc
        if told := reading(raw.headers.get("Date"), sent=sent_at, got=time.time()):
            self._heard(told)
        return raw

    def _whole(self, response: urllib3.BaseHTTPResponse, timeout: float) -> bytes:
        try:
            content = read_body(response, deadline=time.monotonic() + timeout, cap=MAX_BODY)
        except (HTTPError, OSError, BodyTooLate, BodyTooLarge) as exc:
            response.close()
            message = f"the API server at {self._host} broke off its answer: {_brief(exc)}"
            raise KubernetesUnreachable(message) from exc
        response.release_conn()
        return content


class Stream:
    """The events of a watch, until the server ends it or ``stop`` is called from another thread."""

    def __init__(self, response: urllib3.BaseHTTPResponse, host: str) -> None:
        self._response = response
        self._host = host
        self._stopped = False

    def __iter__(self) -> Iterator[tuple[str, Json]]:
        """Pairs of event type and object. Raises KubernetesUnreachable when the connection breaks."""
        rest = b""
        try:
            while part := self._response.read1(1 << 20):
                *lines, rest = (rest + part).split(b"\n")
                for line in filter(None, lines):
                    event = _parsed(line, "watch")
                    yield str(event.get("type", "")), event.get("object") or {}
        except (HTTPError, OSError, ValueError) as exc:
            if not self._stopped:
                message = f"the watch on the API server at {self._host} broke: {_brief(exc)}"
                raise KubernetesUnreachable(message) from exc
        finally:
            self._response.close()

    def stop(self) -> None:
        """End it: a read that is waiting returns."""
        self._stopped = True
        if isinstance(self._response, urllib3.HTTPResponse):
            try:
                self._response.shutdown()
            except (ValueError, OSError, RuntimeError):
                # The stream has ended by itself in the meantime, which is what was asked for.
                return


def _continue(token: str) -> dict[str, str]:
    return {"continue": token} if token else {}


def _parsed(content: bytes, path: str) -> Json:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as exc:
        message = f"the API server's answer to {path} is no JSON: {content[:80]!r}"
        raise KubernetesOdd(message) from exc
    if not isinstance(value, dict):
        message = f"the API server's answer to {path} is no object: {content[:80]!r}"
        raise KubernetesOdd(message)
    return value


def _refusal(response: urllib3.BaseHTTPResponse, content: bytes) -> KubernetesRefused:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    details = body.get("details")
    if not isinstance(details, dict):
        details = {}
    causes = details.get("causes")
    causes = tuple(
        (str(cause.get("reason", "")), str(cause.get("message", "")))
        for cause in (causes if isinstance(causes, list) else ())
        if isinstance(cause, dict)
    )
    text = str(body.get("message") or content[:200].decode("utf-8", "replace") or response.reason)
    status = Status(
        code=response.status,
        reason=str(body.get("reason", "")),
        message=text,
        kind=str(details.get("kind", "")),
        name=str(details.get("name", "")),
        causes=causes,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )
    return KubernetesRefused(f"the API server answered {response.status}: {text}", status=status)


def _seconds(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _brief(exc: BaseException) -> str:
    """The innermost reason, in one line: urllib3 wraps it with the address of a Python object."""
    reason = getattr(exc, "reason", None)
    inner = reason if isinstance(reason, BaseException) else exc
    text = str(inner).split(": ", 1)[-1] if "object at 0x" in str(inner) else str(inner)
    return text.splitlines()[0] if text else type(inner).__name__
