"""The pure parts of `make bench`: what counts, what is said, and what is read from where."""

from __future__ import annotations

import io
import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.bench import __main__ as bench
from tests.bench import asked, exporter, loop, notice, reaction
from tests.bench.figures import MI, Figure, Target, Unit, median, percentile, shown, wanted
from tests.bench.process import peak, processor_seconds, resident
from tests.bench.report import Machine, as_json, print_report
from tests.bench.samples import read_page
from tests.bench.stage import policy_file, roles
from tests.rig.audit import AuditEvent

MACHINE = Machine(processor="Z80", cores=2, memory=8 << 30, system="Linux 6", python="3.11.7", load=0.1)
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
VALUES = st.lists(st.floats(0, 1e9), min_size=1, max_size=50)


def event(seconds: float, verb: str, resource: str, *, name: str = "", user: str = "daemon") -> AuditEvent:
    """A request that came so many seconds after ``NOW``; ``resource`` may have a subresource."""
    kind, _, subresource = resource.partition("/")
    received = NOW + timedelta(seconds=seconds)
    return AuditEvent(
        group="",
        user=user,
        verb=verb,
        resource=kind,
        subresource=subresource,
        namespace="shop",
        name=name,
        code=200,
        request=None,
        received=received,
        answered=received,
        user_agent="",
        stage="ResponseComplete",
        uri="",
        reason="",
        message="",
    )


# Figures


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.0, Unit.SECONDS, "0 ms"),
        (0.0004, Unit.SECONDS, "0.40 ms"),
        (0.0234, Unit.SECONDS, "23.4 ms"),
        (0.4321, Unit.SECONDS, "432 ms"),
        (1.234, Unit.SECONDS, "1.23 s"),
        (84.04, Unit.SECONDS, "84.0 s"),
        (1234.5, Unit.SECONDS, "1234 s"),
        (100 * MI, Unit.BYTES, "100.0 MiB"),
        (-MI / 2, Unit.BYTES, "-0.5 MiB"),
        (0.0031, Unit.CORE, "0.31 % of a core"),
        (420.3, Unit.RATIO, "420 times"),
        (9.0, Unit.REQUESTS, "9"),
        (1.02, Unit.REQUESTS, "1.02"),
    ],
)
def test_values_are_shown_in_a_unit_of_their_size(value: float, unit: Unit, words: str) -> None:
    """Three digits that mean something, and the unit that a person would say."""
    assert shown(value, unit) == words


@pytest.mark.parametrize(
    ("target", "unit", "words"),
    [
        (Target(0.05, below=True), Unit.SECONDS, "< 50 ms"),
        (Target(1.5), Unit.SECONDS, "≤ 1.5 s"),
        (Target(120 * MI, below=True), Unit.BYTES, "< 120 MiB"),
        (Target(0.005), Unit.CORE, "≤ 0.5 % of a core"),
        (Target(10), Unit.REQUESTS, "≤ 10"),
    ],
)
def test_targets_are_shown_as_they_were_set(target: Target, unit: Unit, words: str) -> None:
    """Without digits that nobody has set."""
    assert wanted(target, unit) == words


def test_a_bound_itself_is_met_unless_it_must_stay_below() -> None:
    """At most, and less than, differ in the bound alone; what was not measured is neither met nor missed."""
    assert Figure("p", "w", 8.0, Unit.SECONDS, Target(8)).met is True
    assert Figure("p", "w", 8.0, Unit.SECONDS, Target(8, below=True)).met is False
    assert Figure("p", "w", 8.1, Unit.SECONDS, Target(8)).met is False
    assert Figure("p", "w", None, Unit.SECONDS, Target(8)).met is None
    assert Figure("p", "w", 8.0, Unit.SECONDS).met is None


@given(VALUES)
def test_the_median_is_that_of_the_standard_library(values: list[float]) -> None:
    """Also for an even number of values."""
    assert median(values) == pytest.approx(statistics.median(values))


@given(VALUES, st.floats(0.01, 1))
def test_a_percentile_is_a_measured_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    """The smallest such value; with share 1 the worst one."""
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)
    assert percentile(values, 1.0) == max(values)


@pytest.mark.parametrize("statistic", [median, lambda values: percentile(values, 0.99)])
def test_nothing_measured_has_no_statistic(statistic: object) -> None:
    """It is an error, and not a figure of 0 that meets every target."""
    with pytest.raises(ValueError, match="no values"):
        statistic([])  # type: ignore[operator]


# The report


FIGURES = [
    Figure("idle", "requests beside the lease", 0.0, Unit.REQUESTS, Target(0), "0 by [the] metrics"),
    Figure("idle", "  Prometheus' share", 0.012, Unit.SECONDS),
    Figure("requests", "Deployment", 14.0, Unit.REQUESTS, Target(10)),
    Figure("requests", "DaemonSet", None, Unit.REQUESTS, Target(10), "left alone: unsupported-owner"),
]


def printed(machine: Machine = MACHINE, failed: dict[str, str] | None = None) -> str:
    """The report as it is without a terminal."""
    out = io.StringIO()
    print_report(Console(file=out, width=120), FIGURES, machine=machine, failed=failed or {}, seconds=600.0)
    return out.getvalue()


def test_the_table_says_what_is_met_and_what_is_missed() -> None:
    """Each figure with its target and verdict, in plain text where there is no terminal."""
    lines = [line.split("  ") for line in printed().splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert ["idle", "requests beside the lease (0 by [the] metrics)", "0", "≤ 0", "met"] in cells
    assert ["requests", "Deployment", "14", "≤ 10", "missed"] in cells
    assert ["DaemonSet (left alone: unsupported-owner)", "not measured", "≤ 10", "?"] in cells
    assert "\x1b" not in printed()


def test_the_report_names_the_machine_and_what_disturbed_it() -> None:
    """Figures of another machine can't be compared, and those of a busy one not at all."""
    assert "Measured on 2 cores of Z80, 8 GiB, Linux 6, Python 3.11.7, in 10 min." in printed()
    assert "not idle" not in printed()
    busy = Machine(**{**MACHINE.__dict__, "load": 3.0})
    assert "not idle when it began (load 3.0)" in printed(busy)
    assert "loop could not be measured: no jq" in printed(failed={"loop": "no jq"})


def test_the_json_has_what_the_table_has() -> None:
    """In base units, so that two runs can be compared by a program."""
    content = orjson.loads(as_json(FIGURES, machine=MACHINE, failed={"loop": "no jq"}, seconds=1.0))
    assert content["figures"][0] == {
        "part": "idle",
        "figure": "requests beside the lease",
        "value": 0.0,
        "unit": "requests",
        "target": 0,
        "below": False,
        "met": True,
        "note": "0 by [the] metrics",
    }
    assert [figure["met"] for figure in content["figures"]] == [True, None, False, None]
    assert content["failed"] == {"loop": "no jq"}
    assert content["machine"]["cores"] == 2


def test_an_unknown_part_is_named_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip of the pen does not measure everything, or nothing."""
    monkeypatch.setattr("sys.argv", ["bench", "--only", "idle,request"])
    with pytest.raises(SystemExit, match="2"):
        bench.main()
    assert "no such part: request; there are evaluation, idle, requests" in capsys.readouterr().err


def test_the_policies_of_the_bench_load() -> None:
    """What the parts write is a policy file of today."""
    from remediator.policy import parse  # noqa: PLC0415

    file = parse(orjson.dumps(policy_file(["shop"], safety={"paused": True})).decode(), sample_interval=15)
    assert file.safety.paused
    assert file.policies[0].match.namespaces == ("shop",)


# What is read from where

PAGE = """\
# HELP apiserver_request_total Counter of apiserver requests
# TYPE apiserver_request_total counter
apiserver_request_total{verb="GET",group="",resource="pods",subresource="",scope="resource",code="200"} 5
apiserver_request_total{verb="GET",group="",resource="pods",subresource="",scope="resource",code="404"} 1
apiserver_request_total{verb="WATCH",group="",resource="pods",subresource="",scope="cluster",code="0"} 7
apiserver_request_total{verb="WATCH",group="",resource="pods",subresource="",scope="namespace",code="0"} 2
apiserver_request_total{verb="PUT",group="coordination.k8s.io",resource="leases",subresource="",scope="resource"} 9
apiserver_request_total{verb="POST",group="",resource="pods",subresource="eviction",scope="resource",code="201"} 3
apiserver_request_total{verb="POST",group="",resource="pods",subresource="binding",scope="resource",code="201"} 4
apiserver_request_total_other{verb="GET"} 100
process_resident_memory_bytes 1e+08
"""


def test_a_page_of_metrics_is_read_by_name_and_labels() -> None:
    """Only the names that were asked for, whole names, summed over the labels that were not."""
    page = read_page(PAGE, ["apiserver_request_total", "process_resident_memory_bytes"])
    assert page.total("apiserver_request_total", resource="pods", verb="GET") == 6
    assert page.total("apiserver_request_total", resource="nodes") == 0
    assert page.total("process_resident_memory_bytes") == 1e8
    assert page.total("apiserver_request_total_other") == 0


def test_requests_are_counted_by_account_and_time() -> None:
    """Those of others, of another time, and those for the lease are not in it."""
    events = [
        event(-1, "get", "pods"),
        event(0, "list", "pods"),
        event(1, "list", "pods"),
        event(1, "update", "leases"),
        event(1, "list", "pods", user="somebody"),
        event(2, "create", "pods/eviction"),
        event(3, "get", "pods"),
    ]
    counted = asked.by_account(events, "daemon", since=NOW, until=NOW + timedelta(seconds=2))
    assert counted == Counter({"list pods": 2, "create pods/eviction": 1})
    assert asked.told(counted) == "1 create pods/eviction, 2 list pods"


def test_the_metrics_count_what_the_role_allows() -> None:
    """The controllers' watches and the scheduler's bindings are nothing that the daemon could have asked."""
    allowed = asked.rights(roles())
    assert ("POST", "", "pods", "eviction") in allowed
    assert not any(resource == "leases" for _, _, resource, _ in allowed)
    nothing = read_page("", [asked.REQUESTS])
    counted = asked.by_metrics(nothing, read_page(PAGE, [asked.REQUESTS]), allowed)
    assert counted == Counter({"get pods": 6, "watch pods": 2, "create pods/eviction": 3})
    half = read_page(PAGE.replace("} 5", "} 3"), [asked.REQUESTS])
    assert asked.by_metrics(half, read_page(PAGE, [asked.REQUESTS]), allowed) == Counter({"get pods": 2})


def test_the_nodes_are_chosen_evenly_over_the_period() -> None:
    """The waits from a scrape to the evaluation after it come to the middle of each share of the period."""
    scraped = {f"node-{number}": 1000.0 + number for number in range(15)}
    chosen = reaction.evenly(scraped, 1007.5, period=15, count=5)
    assert [(1007.5 - scraped[node]) % 15 for node in chosen] == [1.5, 4.5, 7.5, 10.5, 13.5]
    assert sorted(reaction.evenly(scraped, 3.2, period=15, count=15)) == sorted(scraped)
    with pytest.raises(ValueError, match="16 of 15"):
        reaction.evenly(scraped, 0.0, period=15, count=16)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 9, 9, 9, 9, 9], 75.0),
        ([9, 9, 9, 9, 9], 60.0),
        ([9, 9, 1, 9, 9, 9, 9, 9], 105.0),
        ([1, 9, 9, 9, 9], None),
        ([8, 8, 8, 8, 8], None),
        ([], None),
    ],
)
def test_the_last_needed_sample_is_found(values: list[float], expected: float | None) -> None:
    """The first one that is a minute after the first that is over, without one that is not in between."""
    samples = [(15.0 * place, value) for place, value in enumerate(values)]
    assert reaction.completed(samples, threshold=8, seconds=60) == expected


def test_a_scrape_that_comes_a_millisecond_early_completes_as_well() -> None:
    """Prometheus rounds to milliseconds."""
    samples = [(0.001, 9.0), (30.0, 9.0), (60.0, 9.0)]
    assert reaction.completed(samples, threshold=8, seconds=60) == 60.0


def test_a_notice_counts_from_the_last_status_before_it() -> None:
    """The first write of a status says that the pod runs, the second that it is Ready; a later one is none of it."""
    events = [event(at, "patch", "pods/status", name="new") for at in (1.0, 2.0, 9.0)]
    events += [event(2.5, "patch", "pods", name="new"), event(2.5, "patch", "pods/status", name="other")]
    lines = [{"time": (NOW + timedelta(seconds=2.75)).isoformat(), "replacement": "new"}]
    assert list(notice.noticed(lines, events, namespace="shop")) == [0.75]
    with pytest.raises(AssertionError, match="nobody has written"):
        list(notice.noticed([{**lines[0], "replacement": "missing"}], events, namespace="shop"))


def test_the_loops_are_those_of_the_documents() -> None:
    """What is measured is what one can read."""
    assert "sleep 120" in loop.script("why.md")
    assert "until new=" in loop.script("bench.md")
    with pytest.raises(ValueError, match="has no script"):
        loop.script("logs.md")


# The series


def test_the_exporter_serves_series_that_the_default_selector_matches() -> None:
    """One container a pod, with cAdvisor's labels, another value at each scrape, and never near its limit."""
    series = exporter.cadvisor("crowd-0", "calm", 50)
    pages = [read_page(series.page().decode(), ["container_memory_working_set_bytes"]) for _ in range(3)]
    for page in pages:
        found = list(page.items("container_memory_working_set_bytes"))
        assert len({labels["pod"] for labels, _ in found}) == len(found) == 50
        assert all(
            labels["container"] == "app" and labels["image"] and labels["name"] in labels["id"] for labels, _ in found
        )
        assert all(exporter.LEAST <= value < exporter.MOST < exporter.LIMIT / 2 for _, value in found)
    assert len({frozenset(page.values.items()) for page in pages}) == 3


def test_the_exporter_tells_limits_and_phases_as_kube_state_metrics_does() -> None:
    """A limit for each container, and that each pod runs."""
    names = ["kube_pod_status_phase", "kube_pod_container_resource_limits"]
    page = read_page(exporter.state("crowd-0", "calm", 5).page().decode(), names)
    assert page.total("kube_pod_status_phase", phase="Running", namespace="crowd-0") == 5
    assert page.total("kube_pod_container_resource_limits", resource="memory", container="app") == 5 * exporter.LIMIT


def test_memory_and_processor_time_of_a_process_are_read() -> None:
    """Of this one: it has some of both, and the most is not below what there is."""
    import os  # noqa: PLC0415

    assert peak(os.getpid()) >= resident(os.getpid()) > MI
    before = processor_seconds(os.getpid())
    sum(range(10_000))
    assert processor_seconds(os.getpid()) > before > 0
