"""What the process needs, from the environment (``REMEDIATOR_*``) or flags; nothing about workloads."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from remediator.detect.prometheus import Access, unsendable
from remediator.detect.scope import DEFAULT_SELECTOR, Scope, is_label, misread
from remediator.errors import SettingsError
from remediator.policy.durations import parse_duration

PREFIX = "REMEDIATOR_"
DEFAULT_POLICY = Path("/etc/remediator/policy.yaml")
SHORTEST_LEASE = 20
"""Seconds: an eviction may take 15 s, and the lease has to outlast it by two."""
LONGEST_NAME = 200
"""Characters: the journal's name is longer, and is kept under a longer one still where it can't be read."""
_URL = re.compile(r"https?://[^\s/]+(/\S*)?", re.IGNORECASE)
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(rf"{_NAMESPACE.pattern}(\.{_NAMESPACE.pattern})*")
_SERVICE = re.compile(
    r"(?P<service>.*?)_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What the kubelet sets for each Service of the namespace."""
_EXAMPLES = {
    "prometheus_headers": '{"X-Scope-OrgID": "team"}',
    "prometheus_params": '{"dedup": "true"}',
    "limits_labels": '{"pod": "exported_pod"}',
}
_TOGETHER = {"prometheus_key_file": "prometheus_cert_file", "prometheus_password_file": "prometheus_username"}
"""What does nothing without another one."""
_OURS = frozenset({"namespace", "pod", "container"})

Seconds = Annotated[int, NoDecode]
Texts = Annotated[dict[str, str], NoDecode]


class Settings(BaseSettings):
    """The settings; durations are given as ``30s`` and held in seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    policy: Path = Field(DEFAULT_POLICY, description="The policy file.")
    prometheus_url: str = Field("", description="Where Prometheus (or Thanos, Mimir, VictoriaMetrics) answers.")
    prometheus_timeout: Seconds = Field(30, description="Deadline for a whole answer.")
    prometheus_ca_file: Path | None = None
    prometheus_cert_file: Path | None = None
    prometheus_key_file: Path | None = None
    prometheus_token_file: Path | None = None
    prometheus_username: str = ""
    prometheus_password_file: Path | None = None
    prometheus_headers: Texts = Field(default_factory=dict, description="JSON; sent with each request.")
    prometheus_params: Texts = Field(default_factory=dict, description="JSON; sent with each request.")
    selector: str = Field(DEFAULT_SELECTOR, description="Matchers of the series of containers.")
    matchers: str = Field("", description='More matchers for every series, such as cluster="a".')
    scrape_interval: Seconds = Field(30, description="How often Prometheus scrapes the kubelets.")
    kubelet_interval: Seconds = Field(15, description="How often the kubelet itself measures.")
    limits_labels: Texts = Field(
        default_factory=dict, description='JSON; {"pod": "exported_pod"} where honor_labels is off.'
    )
    nodes: bool = Field(True, description="Whether nodes may be read; else a pod's Ready condition alone counts.")  # noqa: FBT003
    kubeconfig: Path | None = None
    namespace: str = Field("", description="Where the Lease and the journal are; default: the credentials' own.")
    name: str = Field("remediator", description="Lease NAME, ConfigMap NAME-journal.")
    lease_duration: Seconds = Field(30, description="How long the lease holds without renewal.")
    http_address: str = "0.0.0.0:8080"
    log_format: Literal["auto", "json", "text"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("prometheus_timeout", "scrape_interval", "kubelet_interval", "lease_duration", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        return parse_duration(value) if isinstance(value, str) else value

    @field_validator("prometheus_timeout", "scrape_interval", "kubelet_interval")
    @classmethod
    def _some_time(cls, value: int) -> int:
        if value < 1:
            message = f"{value}s is no time at all; write 1s or more"
            raise ValueError(message)
        return value

    @field_validator("prometheus_headers", "prometheus_params", "limits_labels", mode="before")
    @classmethod
    def _texts(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        found = _object(value) if value.strip() else {}
        if found is None:
            message = f"this is no JSON object of texts with a name each; write {_EXAMPLES[info.field_name or '']}"
            raise ValueError(message)
        return found

    @field_validator("prometheus_url")
    @classmethod
    def _address(cls, value: str) -> str:
        value = value.strip()
        # These two first, and without the value, because it may hold a secret.
        if "@" in value:
            message = (
                "credentials don't belong into the URL; set REMEDIATOR_PROMETHEUS_USERNAME and "
                "REMEDIATOR_PROMETHEUS_PASSWORD_FILE"
            )
            raise ValueError(message)
        if "?" in value or "#" in value:
            message = "parameters don't belong into the URL; set REMEDIATOR_PROMETHEUS_PARAMS"
            raise ValueError(message)
        if value and not _is_url(value):
            message = f"{value!r} is no URL; write http://prometheus.monitoring.svc:9090"
            raise ValueError(message)
        return value

    @field_validator("prometheus_headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, content in value.items():
            if problem := unsendable(name, content):
                raise ValueError(problem)
        return value

    @field_validator("prometheus_key_file", "prometheus_password_file")
    @classmethod
    def _never_alone(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        other = _TOGETHER[info.field_name or ""]
        if value is not None and not info.data.get(other, True):
            message = f"alone it is never used; set {PREFIX}{other.upper()} as well"
            raise ValueError(message)
        return value

    @field_validator("prometheus_username")
    @classmethod
    def _one_of_two(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("prometheus_token_file"):
            message = "a request has place for one kind of credentials; remove it or REMEDIATOR_PROMETHEUS_TOKEN_FILE"
            raise ValueError(message)
        return value

    @field_validator(
        "policy",
        "kubeconfig",
        "prometheus_ca_file",
        "prometheus_cert_file",
        "prometheus_key_file",
        "prometheus_token_file",
        "prometheus_password_file",
        mode="before",
    )
    @classmethod
    def _file(cls, value: object) -> object:
        if isinstance(value, str) and not value.strip():
            message = "this is empty; name a file, or remove the variable"
            raise ValueError(message)
        return value

    @field_validator("selector", "matchers")
    @classmethod
    def _matchers(cls, value: str) -> str:
        if problem := misread(value):
            message = f'{value[:100]!r} is no list of matchers ({problem[:100]}); write such as cluster="a"'
            raise ValueError(message)
        return value

    @field_validator("limits_labels")
    @classmethod
    def _labels(cls, value: dict[str, str]) -> dict[str, str]:
        if unknown := set(value) - _OURS:
            message = f"{', '.join(sorted(unknown))} is none of namespace, pod, container"
            raise ValueError(message)
        for name in value.values():
            if not is_label(name):
                message = f"{name!r} is no name of a label; write such as exported_pod"
                raise ValueError(message)
        return value

    @field_validator("namespace")
    @classmethod
    def _namespace(cls, value: str) -> str:
        if value and not _NAMESPACE.fullmatch(value):
            message = f"{value[:100]!r} is no name of a namespace; write such as monitoring"
            raise ValueError(message)
        return value

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if len(value) > LONGEST_NAME or not _NAME.fullmatch(value):
            message = f"{value[:100]!r} is no name of a Kubernetes object; write such as remediator"
            raise ValueError(message)
        return value

    @field_validator("lease_duration")
    @classmethod
    def _lease(cls, value: int) -> int:
        if value < SHORTEST_LEASE:
            message = f"{value}s is too short; an eviction may take 15 s, so write {SHORTEST_LEASE}s or more"
            raise ValueError(message)
        return value

    @property
    def sample_interval(self) -> int:
        """Seconds between two samples that may differ: the slower of scraping and measuring."""
        return max(self.scrape_interval, self.kubelet_interval)

    @property
    def scope(self) -> Scope:
        """What queries may look at."""
        return Scope(
            sample_interval=self.sample_interval,
            selector=self.selector,
            matchers=self.matchers,
            limits_labels=self.limits_labels,
        )

    @property
    def access(self) -> Access:
        """How to reach Prometheus. Raises SettingsError where no URL is set."""
        if not self.prometheus_url:
            message = "no Prometheus: set --prometheus-url or REMEDIATOR_PROMETHEUS_URL"
            raise SettingsError(message)
        return Access(
            url=self.prometheus_url,
            timeout=float(self.prometheus_timeout),
            ca_file=self.prometheus_ca_file,
            cert_file=self.prometheus_cert_file,
            key_file=self.prometheus_key_file,
            token_file=self.prometheus_token_file,
            username=self.prometheus_username,
            password_file=self.prometheus_password_file,
            headers=self.prometheus_headers,
            params=self.prometheus_params,
        )


def read_settings(flags: Mapping[str, Any]) -> Settings:
    """The settings from flags (None means not given) over the environment.

    Raises SettingsError that names every variable that is wrong or unknown.
    """
    given = {key: value for key, value in flags.items() if value is not None}
    problems = [
        f"{name} is no setting of remediator; the nearest is {_nearest(name)}"
        for name in os.environ
        if name.startswith(PREFIX)
        and not _is_of_service(name)
        and name.removeprefix(PREFIX).lower() not in Settings.model_fields
    ]
    settings = None
    try:
        settings = Settings(**given)
    except ValidationError as exc:
        for error in exc.errors(include_url=False, include_input=False):
            field = str(error["loc"][0]) if error["loc"] else ""
            message = error["msg"].removeprefix("Value error, ")
            problems.append(f"{PREFIX}{field.upper()}: {message}")
    except ValueError as exc:
        problems.append(str(exc))
    if problems or settings is None:
        raise SettingsError("\n".join(problems))
    return settings


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # Reading the port is what checks it.
        return bool(_URL.fullmatch(text) and parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _object(text: str) -> dict[str, str] | None:
    """A JSON object of texts; None where it is something else, or has a name twice."""
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    if not text.lstrip().startswith("{") or not all(isinstance(value, str) for _, value in pairs):
        return None
    found = dict(pairs)
    return found if len(found) == len(pairs) else None


def _is_of_service(name: str) -> bool:
    """Whether the kubelet has set a variable, for a Service whose name begins like our prefix."""
    found = _SERVICE.fullmatch(name)
    return found is not None and f"{found['service']}_SERVICE_HOST" in os.environ


def _nearest(name: str) -> str:
    import difflib  # noqa: PLC0415  only where somebody has misspelt one

    known = [PREFIX + field.upper() for field in Settings.model_fields]
    return (difflib.get_close_matches(name, known, n=1, cutoff=0.0) or known)[0]
