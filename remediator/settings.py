"""What the process needs, from the environment (``REMEDIATOR_*``) or flags; nothing about workloads."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from remediator.detect.prometheus import Access
from remediator.detect.scope import DEFAULT_SELECTOR, Scope
from remediator.errors import SettingsError
from remediator.policy.durations import parse_duration

PREFIX = "REMEDIATOR_"
DEFAULT_POLICY = Path("/etc/remediator/policy.yaml")
SHORTEST_LEASE = 20
"""Seconds: an eviction may take 15 s, and the lease has to outlast it by two."""
_URL = re.compile(r"https?://[^\s/]+(/\S*)?")
_SERVICE = re.compile(rf"{PREFIX}(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\w+)?)")
"""What the kubelet sets for a Service that is called remediator."""
_OURS = frozenset({"namespace", "pod", "container"})

Seconds = Annotated[int, NoDecode]


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
    prometheus_headers: dict[str, str] = Field(default_factory=dict, description="JSON; sent with each request.")
    prometheus_params: dict[str, str] = Field(default_factory=dict, description="JSON; sent with each request.")
    selector: str = Field(DEFAULT_SELECTOR, description="Matchers of the series of containers.")
    matchers: str = Field("", description='More matchers for every series, such as cluster="a".')
    scrape_interval: Seconds = Field(30, description="How often Prometheus scrapes the kubelets.")
    kubelet_interval: Seconds = Field(15, description="How often the kubelet itself measures.")
    limits_labels: dict[str, str] = Field(
        default_factory=dict, description='JSON; {"pod": "exported_pod"} where honor_labels is off.'
    )
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

    @field_validator("prometheus_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not _URL.fullmatch(value.strip()):
            message = f"{value!r} is no URL; write http://prometheus.monitoring.svc:9090"
            raise ValueError(message)
        if "@" in value:
            message = "credentials don't belong into the URL; set REMEDIATOR_PROMETHEUS_USERNAME and _PASSWORD_FILE"
            raise ValueError(message)
        return value.strip()

    @field_validator("limits_labels")
    @classmethod
    def _labels(cls, value: dict[str, str]) -> dict[str, str]:
        if unknown := set(value) - _OURS:
            message = f"{', '.join(sorted(unknown))} is none of namespace, pod, container"
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
        and not _SERVICE.fullmatch(name)
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


def _nearest(name: str) -> str:
    import difflib  # noqa: PLC0415  only where somebody has misspelt one

    known = [PREFIX + field.upper() for field in Settings.model_fields]
    return (difflib.get_close_matches(name, known, n=1, cutoff=0.0) or known)[0]
