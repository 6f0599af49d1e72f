"""Questions to Prometheus: the only importer of ``prometheus_api_client``.

The client gives back ``data.result`` alone: warnings, partial answers and the error's text are lost, redirects
are followed, the query goes into the URL, and nothing has a deadline. The session below closes all of that.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import orjson
import requests
from prometheus_api_client import PrometheusConnect
from requests.adapters import HTTPAdapter

from remediator.background import in_background
from remediator.bodies import BodyTooLarge, BodyTooLate, read_body
from remediator.errors import PrometheusError, PrometheusPartial, PrometheusRefused, PrometheusUnreachable
from remediator.model.clocks import Heard, reading
from remediator.model.measures import Series
from remediator.tls import believing_no_one_yet

T = TypeVar("T")
Observer: TypeAlias = Callable[[str, float, str], None]
"""Called with outcome, seconds and, where it failed, the words of the failure, after each request."""

MAX_BODY = 64 << 20
CONNECT_TIMEOUT = 5.0
_OK, _UNAUTHORIZED, _FORBIDDEN, _REDIRECT, _CLIENT_ERROR = 200, 401, 403, 300, 400
_AT_ONCE = 8
_OUTCOMES: Mapping[type[Exception], str] = {
    PrometheusUnreachable: "unreachable",
    PrometheusRefused: "refused",
    PrometheusPartial: "partial",
}
_LONGEST_WORDS = 200
"""Characters of a server's own words in a sentence of ours."""
_SHORTEST_SECRET = 6
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PARTIAL_WORDS = ("partial", "incomplete", "truncated")


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """How to reach Prometheus. Credentials are files, read anew for each request, so that rotated ones work.

    ``timeout`` is the deadline of a whole answer in seconds.
    """

    url: str
    timeout: float = 30.0
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    token_file: Path | None = None
    username: str = ""
    password_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Access(url={self.address!r})"

    @property
    def address(self) -> str:
        """The URL in one spelling: no slash at the end, no API path."""
        url = self.url.strip().rstrip("/")
        for suffix in ("/api/v1/query", "/api/v1", "/graph"):
            url = url.removesuffix(suffix).rstrip("/")
        return url


class Prometheus:
    """Questions, each of them answered whole and in time, or not at all."""

    def __init__(self, access: Access, *, observe: Observer, heard: Heard = lambda _: None) -> None:
        """``heard`` is told of the server's clock, by each answer that has a date."""
        self._access = access
        self._observe = observe
        self._heard = heard
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    @property
    def address(self) -> str:
        """Where it is, for messages."""
        return self._access.address

    def vector(self, query: str, *, at: int) -> list[tuple[Mapping[str, str], float]]:
        """The labels and value of each series at that whole second. Raises PrometheusError."""
        return self._ask(query, at, lambda item: (_labels(item), _sample(item["value"])[1]))

    def matrix(self, query: str, *, at: int) -> list[Series]:
        """The stored samples that a range selector gives at that whole second. Raises PrometheusError."""
        return self._ask(query, at, lambda item: Series(_labels(item), _samples(item["values"])))

    def alerts(self) -> frozenset[str]:
        """The names of all alerts that its rules may raise. Raises PrometheusError."""
        with self._observed():
            return self._in_time(self._alert_names)

    def _ask(self, query: str, at: int, read: Callable[[dict[str, Any]], T]) -> list[T]:
        with self._observed():
            return [self._read(item, read) for item in self._in_time(lambda: self._request(query, at))]

    @contextmanager
    def _observed(self) -> Iterator[None]:
        started = time.monotonic()
        outcome, words = "ok", ""
        try:
            yield
        except PrometheusError as exc:
            outcome, words = _OUTCOMES.get(type(exc), "error"), str(exc)
            raise
        finally:
            self._observe(outcome, time.monotonic() - started, words)

    def _read(self, item: dict[str, Any], read: Callable[[dict[str, Any]], T]) -> T:
        try:
            return read(item)
        except (TypeError, ValueError, KeyError) as exc:
            raise _odd(self.address, f"a series in the answer is not what was asked for: {str(item)[:100]!r}") from exc

    def _request(self, query: str, at: int) -> list[dict[str, Any]]:
        """One request on a connection of its own: evaluations are seconds apart, and no state is shared."""
        with _Session(self._access, self._heard) as session:
            # Without ``retry`` the client connects three times more, for six seconds, where nobody listens.
            client = PrometheusConnect(url=self.address, session=session, retry=0)
            result: list[dict[str, Any]] = client.custom_query(query, params={"time": str(at)})
            return result

    def _alert_names(self) -> frozenset[str]:
        with _Session(self._access, self._heard) as session:
            data = session.ask("GET", f"{self.address}/api/v1/rules", params={"type": "alert"}).get("data")
        try:
            return frozenset(str(rule["name"]) for group in data["groups"] for rule in group["rules"])  # type: ignore[index]
        except (TypeError, KeyError) as exc:
            raise _odd(self.address, "its rules are not what was asked for") from exc

    def _in_time(self, request: Callable[[], T]) -> T:
        """Wait no longer than the deadline, whatever holds the request up: name resolution, dripping headers.

        A request that is given up goes on in its thread until its socket gives up too; at most a few do so at once.
        """
        if not self._slots.acquire(timeout=self._access.timeout):
            message = f"Prometheus at {self.address}: {_AT_ONCE} requests are unanswered; not sending another"
            raise PrometheusUnreachable(message)

        def run() -> T:
            try:
                return request()
            finally:
                self._slots.release()

        try:
            outcome = in_background(run, name="prometheus-request")
        except RuntimeError as exc:
            self._slots.release()
            message = f"Prometheus at {self.address} is not asked: {exc}"
            raise PrometheusUnreachable(message) from exc
        try:
            return outcome.result(self._access.timeout + CONNECT_TIMEOUT)
        except TimeoutError as exc:
            message = f"Prometheus at {self.address} had not answered after {self._access.timeout:g} s"
            raise PrometheusUnreachable(message) from exc


class _Answer:
    """What the client looks at in a response."""

    status_code = _OK
    content = b""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    def json(self) -> dict[str, Any]:
        return self._body


class _Adapter(HTTPAdapter):
    """Believes the certificates that the API server's client believes."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().init_poolmanager(*args, ssl_context=believing_no_one_yet(), **kwargs)


class _Session(requests.Session):
    """Sends the parameters in the body, follows nothing, repeats nothing, and takes only whole answers."""

    def __init__(self, access: Access, heard: Heard) -> None:
        super().__init__()
        # Otherwise REQUESTS_CA_BUNDLE overrides ``verify``, and a netrc or proxy of the environment joins in.
        self.trust_env = False
        self._access = access
        self._heard = heard
        self._secrets = {
            value for value in (*access.headers.values(), *access.params.values()) if _may_be_secret(value)
        }
        self._adapter = _Adapter()
        self.mount("https://", self._adapter)

    def get_adapter(self, url: str | bytes) -> HTTPAdapter:  # noqa: ARG002
        """Ours, and not the one that the client mounts at its URL."""
        return self._adapter

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # noqa: ARG002, ANN401
        """What the client asks."""
        timeout = f"{max(int(self._access.timeout), 1)}s"
        body = self.ask("POST", url, data={**kwargs["params"], "timeout": timeout})
        data = body.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("result"), list):
            raise _odd(self._access.address, "no data.result in the answer")
        return _Answer(body)

    def ask(self, method: str, url: str, **parameters: Mapping[str, str]) -> dict[str, Any]:
        """The whole body of a successful answer; parameters go as ``data`` or ``params``. Raises PrometheusError."""
        access = self._access
        deadline = time.monotonic() + access.timeout
        headers, auth = self._request_headers(), self._basic()
        sent = time.time()
        try:
            response = super().request(
                method,
                url,
                **{place: {**access.params, **given} for place, given in parameters.items()},  # type: ignore[arg-type]
                headers=headers,
                auth=auth,
                timeout=(CONNECT_TIMEOUT, access.timeout),
                allow_redirects=False,
                stream=True,
                verify=str(access.ca_file) if access.ca_file else True,
                cert=self._certificate(),
            )
        except requests.ReadTimeout as exc:
            message = f"Prometheus at {access.address} had not answered after {access.timeout:g} s"
            raise PrometheusUnreachable(message) from exc
        except (requests.RequestException, OSError, ValueError) as exc:
            message = f"Prometheus at {access.address} can't be reached: {_brief(exc)}"
            raise PrometheusUnreachable(message) from exc
        if told := reading(response.headers.get("Date"), sent=sent, got=time.time()):
            self._heard(told)
        with response:
            content = self._content(response, deadline)
        return _checked(access.address, response.status_code, content, hide=self._hidden)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: otherwise ``requests`` reads the whole body, and fails on an odd Location, before we see either."""

    def _hidden(self, text: str) -> str:
        """The words of a server, which may repeat what it was sent, without our secrets."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return " ".join(text.split())

    def _content(self, response: requests.Response, deadline: float) -> bytes:
        response.raw.decode_content = True
        try:
            return read_body(response.raw, deadline=deadline, cap=MAX_BODY)
        except BodyTooLarge as exc:
            message = f"Prometheus at {self._access.address}: {exc}; the query matches too much"
            raise PrometheusUnreachable(message) from exc
        except BodyTooLate as exc:
            message = f"Prometheus at {self._access.address}: {exc} ({self._access.timeout:g} s)"
            raise PrometheusUnreachable(message) from exc
        except Exception as exc:
            # urllib3's exceptions come through raw reads untranslated, and importing urllib3 here is not ours to do.
            message = f"Prometheus at {self._access.address} broke off its answer: {_brief(exc)}"
            raise PrometheusUnreachable(message) from exc

    def _request_headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "remediator", **self._access.headers}
        for name, value in headers.items():
            if problem := unsendable(name, value):
                message = f"Prometheus at {self._access.address} is not asked: {problem}"
                raise PrometheusError(message)
        if self._access.token_file:
            token = self._secret(self._access.token_file)
            if not token.isascii():
                message = f"{self._unusable(self._access.token_file)} has characters in it that no token has"
                raise PrometheusError(message)
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _basic(self) -> requests.auth.HTTPBasicAuth | None:
        if not self._access.username:
            return None
        password = self._secret(self._access.password_file) if self._access.password_file else ""
        pair = f"{self._access.username}:{password}".encode()
        self._secrets.add(base64.b64encode(pair).decode())
        # As bytes: of text the client takes only what is Latin-1.
        return requests.auth.HTTPBasicAuth(self._access.username.encode(), password.encode())

    def _secret(self, path: Path) -> str:
        try:
            text = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "it is no text"
            message = f"{self._unusable(path)} can't be read ({why}): mount it, or change the setting that names it"
            raise PrometheusError(message) from exc
        if not text or not text.isprintable():
            message = f"{self._unusable(path)} is empty or has control characters in it"
            raise PrometheusError(message)
        self._secrets.add(text)
        return text

    def _unusable(self, path: Path) -> str:
        return f"Prometheus at {self._access.address} is not asked: the credential file {path}"

    def _certificate(self) -> str | tuple[str, str] | None:
        cert, key = self._access.cert_file, self._access.key_file
        if cert and key:
            return str(cert), str(key)
        return str(cert) if cert else None


def unsendable(name: str, value: str) -> str:
    """Why HTTP can't carry a header, in words that keep its value to themselves; empty where it can."""
    if not _HEADER_NAME.fullmatch(name):
        return f"{name!r} is no name of a header; write such as X-Scope-OrgID"
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        return f"the header {name} has a value with a line break, spaces around it, or what is not ASCII"
    return ""


def _may_be_secret(value: str) -> bool:
    """Whether to keep it out of messages; ``true``, ``false`` and numbers would only make them unreadable."""
    return len(value) >= _SHORTEST_SECRET


def _checked(address: str, status: int, content: bytes, *, hide: Callable[[str], str]) -> dict[str, Any]:
    """The body, if it is a whole and successful answer; ``hide`` takes secrets out of what the server says."""
    body = _json_object(content)
    said = f"{body.get('errorType', 'error')}: {body.get('error')}" if body.get("error") else _text(content)
    said = hide(said)[:_LONGEST_WORDS] or "an empty body"
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        what = "does not accept our credentials" if status == _UNAUTHORIZED else "does not allow us to query"
        message = f"Prometheus at {address} {what} ({status}): {said}"
        raise PrometheusRefused(message, status=status)
    if _REDIRECT <= status < _CLIENT_ERROR:
        message = f"Prometheus at {address} redirects ({status}): set the URL that it redirects to"
        raise PrometheusRefused(message, status=status)
    if status != _OK:
        message = f"Prometheus at {address} answered {status}: {said}"
        raise PrometheusRefused(message, status=status)
    if not body:
        message = f"{address} answered with something that is not Prometheus' JSON: {said}"
        raise PrometheusRefused(message, status=status)
    if body.get("status") != "success":
        message = f"Prometheus at {address} answered: {said}"
        raise PrometheusRefused(message, status=status)
    _refuse_partial(address, body, hide=hide)
    return body


def _refuse_partial(address: str, body: Mapping[str, Any], *, hide: Callable[[str], str]) -> None:
    infos = [info for info in _said(body.get("infos")) if any(word in info.lower() for word in _PARTIAL_WORDS)]
    said = [*_said(body.get("warnings")), *infos]
    if body.get("isPartial"):
        said.append("isPartial is true")
    if said:
        words = hide("; ".join(said))[:_LONGEST_WORDS]
        message = f"Prometheus at {address} says that its answer is not whole: {words}"
        raise PrometheusPartial(message)


def _said(remarks: Any) -> list[str]:  # noqa: ANN401  whatever the server sent
    """Remarks as texts; what is no list is one remark all the same."""
    return [str(one) for one in (remarks if isinstance(remarks, list) else [remarks])] if remarks else []


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _labels(item: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of a series. Raises TypeError, KeyError."""
    labels: Mapping[str, str] = item["metric"]
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise TypeError
    return labels


def _samples(pairs: Any) -> tuple[tuple[float, float], ...]:  # noqa: ANN401
    """Samples as times and values. Raises TypeError, ValueError."""
    if not isinstance(pairs, list):
        raise TypeError
    return tuple(_sample(pair) for pair in pairs)


def _sample(pair: Any) -> tuple[float, float]:  # noqa: ANN401
    """A time and a value; ``NaN`` and ``+Inf`` come through, for the judge to refuse. Raises TypeError, ValueError."""
    if not isinstance(pair, list):
        raise TypeError
    time, value = pair
    if isinstance(time, str | bool) or isinstance(value, bool):
        raise TypeError
    return float(time), float(value)


def _odd(address: str, what: str) -> PrometheusError:
    return PrometheusRefused(f"Prometheus at {address}: {what}", status=_OK)


def _text(content: bytes) -> str:
    """The beginning of a body that is no JSON; longer than what is shown of it, so that no secret is cut in two."""
    return content[:8192].decode("utf-8", "replace")


def _brief(exc: BaseException) -> str:
    """The innermost reason in one line, without addresses of Python objects."""
    inner: BaseException = exc
    while (cause := inner.__cause__ or inner.__context__) is not None and cause is not inner:
        inner = cause
    text = str(inner).splitlines()[0] if str(inner) else type(inner).__name__
    return text.split("object at 0x")[-1].split(": ", 1)[-1] if "object at 0x" in text else text
