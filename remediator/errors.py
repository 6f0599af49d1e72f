"""Everything that remediator raises on purpose, as one tree.

::

    RemediatorError
    ├── PolicyError              the policy file can't be used; holds every problem at once
    ├── SettingsError            the process' own settings can't be used
    ├── PrometheusError          no usable answer from Prometheus, so nothing may be concluded
    │   ├── PrometheusUnreachable    no answer in time, or a broken one
    │   ├── PrometheusRefused        an answer that says no (401, 403, 400, 422, 5xx)
    │   └── PrometheusPartial        an answer with warnings or missing parts
    ├── MeasurementError         an answer that contradicts itself (two clusters in one store)
    ├── KubernetesError          no usable answer from the API server
    │   ├── KubernetesUnreachable    whether the request was carried out is unknown
    │   ├── KubernetesRefused        the server answered with an error status
    │   └── KubernetesOdd            an answer or object that can't be understood
    ├── JournalError             the journal can't be trusted
    │   ├── JournalMissing           it was there before and is gone
    │   ├── JournalUnreadable        its content is not ours
    │   └── JournalFull              it has reached its size bound
    ├── HookFailed               what a policy has called in a pod did not go well
    └── NotLeader                another process leads, or the lease is too short for this write
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_FORBIDDEN = 403


class RemediatorError(Exception):
    """The root: its text is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a policy file, where it is (line and column from 1), and the fix."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class PolicyError(RemediatorError):
    """A policy file that can't be used, with all of its problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SettingsError(RemediatorError):
    """The process' own settings can't be used."""


class PrometheusError(RemediatorError):
    """No usable answer from Prometheus."""


class PrometheusUnreachable(PrometheusError):
    """No whole answer arrived in time."""


class PrometheusRefused(PrometheusError):
    """Prometheus answered, and said no. ``status`` is the HTTP status (200 where only the body says no)."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class PrometheusPartial(PrometheusError):
    """The answer says of itself that something is missing from it."""


class MeasurementError(RemediatorError):
    """The samples contradict each other, so they belong to nobody."""


class KubernetesError(RemediatorError):
    """No usable answer from the API server."""


class KubernetesUnreachable(KubernetesError):
    """The connection failed or timed out: whether the request was carried out is unknown."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a Kubernetes ``Status`` object says; ``retry_after`` in seconds, from the header."""

    code: int
    reason: str = ""
    message: str = ""
    kind: str = ""
    causes: tuple[tuple[str, str], ...] = ()
    retry_after: int | None = None
    name: str = ""


class KubernetesRefused(KubernetesError):
    """The API server answered with an error status."""

    def __init__(self, message: str, *, status: Status) -> None:
        super().__init__(message)
        self.status = status

    @property
    def forbidden(self) -> bool:
        """Whether for want of a right."""
        return self.status.code == _FORBIDDEN


class KubernetesOdd(KubernetesError):
    """An object lacks what every such object has, or an answer is no JSON."""


class JournalError(RemediatorError):
    """The journal can't be trusted, so nothing may be done."""


class JournalMissing(JournalError):
    """The journal existed before and is gone or has been replaced."""


class JournalUnreadable(JournalError):
    """The journal's content is not a journal of a version that we know."""


class JournalFull(JournalError):
    """The journal has reached its size bound."""


class HookFailed(RemediatorError):
    """A hook was not called, was not over in time, or says itself that it failed."""


class NotLeader(RemediatorError):
    """Another process leads, or too little is left of the lease for this write."""
