"""What a query may look at: the settings of the process that every policy's query shares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import promql_parser

from remediator.policy.expressions import is_only_rusts

_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LAST = "remediator_last"
_MATCHER = re.compile(
    r"""(?:[\s,]|\#[^\n]*)*                                                # what stands between two of them
    (?P<matcher>(?P<label>\w+|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*
    (?:=~|!~|!=|=)\s*
    (?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`))""",
    re.VERBOSE | re.DOTALL,
)
_OF_CONTAINERS = frozenset({"container", "image", "name", "id"})
_OF_PODS = ('container=""', 'image=""', 'pod!=""')
"""What the series of a pod's own cgroup have and have not."""

DEFAULT_SELECTOR = 'container!="",container!="POD",image!=""'


@dataclass(frozen=True, slots=True)
class Scope:
    """The scrape selector and extra matchers (PromQL text), and the interval of samples in seconds.

    ``limits_labels`` maps ``namespace``, ``pod`` and ``container`` to the names that the series of limits use for
    them (``exported_pod`` and so on, where kube-state-metrics is scraped without ``honor_labels``).
    """

    sample_interval: int
    selector: str = DEFAULT_SELECTOR
    matchers: str = ""
    limits_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def pod_selector(self) -> str:
        """The matchers of the series of pods' own cgroups: of the same scrape, but of no container."""
        kept = [matcher for label, matcher in one_by_one(self.selector) if label not in _OF_CONTAINERS]
        return ",".join([*_OF_PODS, *kept])

    @property
    def largest_gap(self) -> int:
        """Seconds between two neighbouring samples above which the window is not whole.

        For so long before ``for`` samples are asked for as well, so that one at or before its start is there: where the
        start lies makes a gap neither better nor worse.
        """
        return 2 * self.sample_interval + 5


def one_by_one(matchers: str) -> tuple[tuple[str, str], ...]:
    """The matchers of a text that ``misread`` takes, each with the name of its label before it."""
    return tuple((one["label"].strip("\"'"), one["matcher"]) for one in _MATCHER.finditer(matchers))


def is_label(name: str) -> bool:
    """Whether a label may be called so."""
    return _LABEL.fullmatch(name) is not None


def misread(matchers: str) -> str:
    """Why a text is no list of matchers that others can follow; empty where it is one.

    It becomes a part of every query, so it must neither end the selector nor bind what follows to an ``or``.
    """
    inner = matchers.strip().strip(",")
    try:
        found = promql_parser.parse(f'up{{{inner}{"," if inner else ""}{_LAST}="1"}}')
    except ValueError as exc:
        reason = str(exc).splitlines()[0]
        return "" if is_only_rusts(reason) else reason
    if not isinstance(found, promql_parser.VectorSelector) or found.offset is not None or found.at is not None:
        return "it ends the selector"
    if found.matchers.or_matchers:
        return "`or` between matchers"
    if not found.matchers.matchers or found.matchers.matchers[-1].name != _LAST:
        return "it hides what follows"
    return ""
