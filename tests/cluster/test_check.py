"""``check`` against a real Prometheus: each thing that goes wrong in the field is named, with the way out.

One Prometheus scrapes many small worlds, told apart by a label, each wrong in its own way; where ``check`` names a
setting, it is set, and the finding has to be gone.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from remediator.cli.main import app
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.exporter import exporter
from tests.rig.history import Stored, history
from tests.rig.prometheus import query

Json = dict[str, Any]
pytestmark = pytest.mark.xdist_group("check")

GI = 1 << 30
USED = "container_memory_working_set_bytes"
LIMIT = "kube_pod_container_resource_limits"
PHASE = "kube_pod_status_phase"
PODS = ("web-0", "web-1", "web-2")
PAST, FUTURE = 1200, 900
"""Seconds for which series are stored before and after now: they stay fresh for as long as a test may take, and no busy
machine can lose a sample."""
STOPPED = -100
"""Seconds from now: still within Prometheus' look-back of five minutes."""
_NOW = int(time.time())


def stored(labels: Mapping[str, str], value: float, *, every: int = 30, offset: int = 0, until: int = FUTURE) -> Stored:
    """A series with the same value every so many seconds."""
    first = (_NOW - PAST) // every * every + offset
    return Stored(labels, [(at, value) for at in range(first, _NOW + until + 1, every)])


def used(*, every: int = 30, until: int = FUTURE, job: str = "kubelet", **changes: str | None) -> list[Stored]:
    """What a kubelet shows of the containers ``app`` of three pods at 1, 2 and 3 GiB; the keywords change labels."""
    found = []
    for n, pod in enumerate(PODS):
        labels = {
            "__name__": USED,
            "namespace": "shop",
            "pod": pod,
            "container": "app",
            "image": "app:1",
            "id": f"/kubepods/pod-{pod}/c{n}",
            "name": f"c{n}",
            "job": job,
            **changes,
        }
        kept = {name: value for name, value in labels.items() if value}
        # Nodes are not measured all at once.
        found.append(stored(kept, (n + 1) * GI, every=every, until=until, offset=n * every // 3))
    return found


def states(
    *,
    limits: tuple[str, ...] = PODS,
    running: tuple[str, ...] = PODS,
    renamed: Mapping[str, str] | None = None,
    job: str = "kube-state-metrics",
    **more: str,
) -> list[Stored]:
    """What kube-state-metrics shows: which pods have a limit of 4 GiB, and which run; the keywords add labels."""
    found = []
    for pod in dict.fromkeys((*limits, *running)):
        names = {"namespace": "shop", "pod": pod, "container": "app", "uid": f"uid-{pod}"}
        named = {(renamed or {}).get(name, name): value for name, value in names.items()}
        common = {"job": job, **more}
        if pod in limits:
            found.append(stored({"__name__": LIMIT, "resource": "memory", "unit": "byte", **common, **named}, 4 * GI))
        if pod in running:
            named.pop((renamed or {}).get("container", "container"))
            found.append(stored({"__name__": PHASE, "phase": "Running", **common, **named}, 1))
    return found


EXPORTED = {ours: f"exported_{ours}" for ours in ("namespace", "pod", "container")}
WORLDS: dict[str, list[Stored]] = {
    "well": [*used(), *states()],
    "no-image": [*used(image=None), *states()],
    "no-container": [*used(container=None), *states()],
    "nobody": [*used(id=None, name=None), *states()],
    "no-pod": [*used(pod=None), *states()],
    "exported": [
        *used(),
        *states(renamed=EXPORTED, namespace="monitoring", pod="ksm-0", container="kube-state-metrics"),
    ],
    "no-limits": used(),
    "some-limits": [*used(), *states(limits=("web-0",))],
    "no-limit-at-all": [*used(), *states(limits=("other",))],
    "twice": [*used(), *used(job="kubelet-leftover"), *states()],
    "states-twice": [*used(), *states(), *states(job="kube-state-metrics-old")],
    "replicas": [*used(prometheus_replica="a"), *used(prometheus_replica="b"), *states()],
    "clusters": [
        *used(cluster="east"),
        *used(cluster="west", id="/kubepods/pod-x/x", name="x"),
        *states(cluster="east"),
        *states(cluster="west"),
    ],
    "slow": [*used(every=60), *states()],
    "stopped": [*used(every=1, until=STOPPED), *states()],
    "half": [*used(), *states(running=(*PODS, "web-3"))],
    "roll-up": [*used(), *used(container=None, job="kubelet-pods"), *states()],
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A Prometheus that has all worlds."""
    # The worlds were written when this file was read, which may be many tests ago.
    later = int(time.time()) - _NOW
    series = [
        Stored({**one.labels, "world": world}, [(at + later, value) for at, value in one.samples])
        for world, written in WORLDS.items()
        for one in written
    ]
    with history(series) as url:
        yield url


class Checked:
    """What ``check`` said."""

    def __init__(self, code: int, said: Json) -> None:
        self.code = code
        self.said = said
        self.findings: list[Json] = said["findings"]

    @property
    def kinds(self) -> list[str]:
        """The kinds of its findings, in order."""
        return [one["kind"] for one in self.findings]

    @property
    def policy(self) -> Json:
        """What it said of the first policy."""
        found: Json = self.said["policies"][0]
        return found

    def only(self, kind: str) -> Json:
        """Its only finding."""
        assert self.kinds == [kind], self.said
        return self.findings[0]


class Check:
    """Runs ``check`` in a world, with a policy of these fields and these settings more."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._file = folder / "policy.yaml"

    def __call__(
        self, world: str, *arguments: str, settings: Mapping[str, str] | None = None, **fields: object
    ) -> Checked:
        """What it said."""
        policy = {"name": "leaky", "threshold": "70% of limit", **fields}
        self._file.write_text(yaml.safe_dump({"policies": [policy]}))
        environment = {"REMEDIATOR_MATCHERS": f'world="{world}"', **(settings or {})}
        command = ["check", str(self._file), "--prometheus-url", self.url, "--output", "json", *arguments]
        done = CliRunner().invoke(app, command, env=environment)
        assert done.stdout, done.output
        return Checked(done.exit_code, json.loads(done.stdout))


@pytest.fixture
def check(server: str, tmp_path: Path) -> Check:
    """``check`` against the Prometheus of all worlds."""
    return Check(server, tmp_path)


def setting(fix: str, name: str) -> dict[str, str]:
    """The value of a setting that a finding names, ready to be set."""
    found = re.search(rf"{name}='([^']*)'|{name}=(\S+?),? ", fix)
    assert found, fix
    return {name: found[1] or found[2]}


# The first, while Prometheus still looks back as far as to where they stopped.
def test_samples_that_have_stopped_are_stale(check: Check) -> None:
    """Prometheus goes on answering with a sample that nobody renews."""
    checked = check("stopped")
    assert checked.code == 1
    assert "evaluations end as stale" in checked.only("stale")["what"]


def test_where_all_is_well_it_says_what_it_has_seen(check: Check) -> None:
    """Series and pods before the comparison, how many are over now, the pace; and nothing to fix."""
    checked = check("well")
    assert (checked.code, checked.said["outcome"], checked.findings) == (0, "right", [])
    policy = checked.policy
    assert (policy["series"], policy["pods"], policy["compared_pods"], policy["over_pods"]) == (3, 3, 3, 1)
    assert policy["coverage"] == 1
    assert checked.said["sample_interval"] == 30
    assert checked.said["newest_sample_age"] < 30
    assert [sample.labels["pod"] for sample in query(check.url, policy["query"])] == ["web-2"]


def test_a_label_that_empties_the_query_is_named_with_the_selector_to_set(check: Check) -> None:
    """``image!=""`` matches nothing where relabelling dropped the label, without any error."""
    finding = check("no-image").only("empty-selection")
    assert finding["where"] == "REMEDIATOR_SELECTOR"
    assert finding["what"].startswith('image!="" leaves no series')
    assert "there are 3 series" in finding["what"]
    found = setting(finding["fix"], "REMEDIATOR_SELECTOR")
    assert found == {"REMEDIATOR_SELECTOR": 'container!="",container!="POD"'}
    assert check("no-image", settings=found).code == 0


def test_what_it_can_t_do_without_is_not_to_be_taken_out_of_the_selector(check: Check) -> None:
    """Without the label ``container`` there is no setting that helps."""
    finding = check("no-container").only("empty-selection")
    assert "can't do without the label container" in finding["fix"]


@pytest.mark.parametrize(
    ("match", "where", "fix"),
    [
        ({"namespaces": ["shpo"]}, "leaky: match.namespaces", "the nearest that is measured is shop"),
        ({"pods": ["wbe-1"]}, "leaky: match.pods", "the nearest that is measured is web-1"),
        ({"containers": ["server"]}, "leaky: match.containers", "measured are app"),
    ],
)
def test_a_match_that_fits_nothing_is_named_with_what_is_there(check: Check, match: Json, where: str, fix: str) -> None:
    """A misspelt name measures nothing and would say so only as ``no-data``."""
    checked = check("well", match=match)
    finding = checked.only("empty-selection")
    assert (checked.code, finding["where"], finding["fix"]) == (1, where, fix)
    assert finding["policies"] == ["leaky"]


def test_excluded_namespaces_that_leave_nothing_are_named(check: Check) -> None:
    """The daemon's own namespace is excluded as well, which surprises whoever forgets it."""
    finding = check("well", "--namespace", "shop").only("empty-selection")
    assert finding["where"] == "leaky: safety.namespaces.exclude"


def test_a_matcher_of_the_settings_that_fits_nothing_is_named(check: Check) -> None:
    """With the values that its label has, or that there is no such label."""
    wrong = check("clusters", settings={"REMEDIATOR_MATCHERS": 'world="clusters",cluster="esat"'})
    finding = next(one for one in wrong.findings if one["kind"] == "empty-selection")
    assert finding["where"] == "REMEDIATOR_MATCHERS"
    assert 'cluster="east"' in finding["fix"]
    none = check("well", settings={"REMEDIATOR_MATCHERS": 'world="well",cluster="east"'})
    finding = none.only("empty-selection")
    assert finding["fix"] == "no series has a label cluster: take the matcher out"


def test_a_prometheus_without_the_metric_is_named(tmp_path: Path) -> None:
    """Another Prometheus than the one that scrapes the kubelets, or none that does."""
    file = tmp_path / "policy.yaml"
    file.write_text("policies: [{name: leaky, threshold: 20Gi}]")
    with history() as url:
        done = CliRunner().invoke(app, ["check", str(file), "--prometheus-url", url, "--output", "json"])
    checked = Checked(done.exit_code, json.loads(done.stdout))
    assert checked.code == 1
    assert USED in checked.only("no-metric")["what"]


def test_labels_of_kube_state_metrics_that_are_not_honored_are_recognised(check: Check) -> None:
    """The exact value of the setting is named; with it set, limits are found and nothing is left to say."""
    checked = check("exported")
    finding = checked.only("limits-labels")
    found = setting(finding["fix"], "REMEDIATOR_LIMITS_LABELS")
    assert json.loads(found["REMEDIATOR_LIMITS_LABELS"]) == EXPORTED
    assert checked.policy["compared_pods"] == 0
    mended = check("exported", settings=found)
    assert (mended.code, mended.policy["compared_pods"], mended.policy["over_pods"]) == (0, 3, 1)
    unneeded = check("well", settings=found).only("limits-labels")
    assert "remove REMEDIATOR_LIMITS_LABELS" in unneeded["fix"]


def test_limits_that_nobody_tells_of_are_missing(check: Check) -> None:
    """A share of a limit that no series has never names a pod; a quantity needs none."""
    checked = check("no-limits")
    assert checked.code == 1
    assert LIMIT in checked.only("limits-missing")["what"]
    assert check("no-limits", threshold="20Gi").findings == []


def test_a_share_of_the_request_needs_requests(check: Check) -> None:
    """Only kube-state-metrics has them, and here it has none."""
    finding = check("well", threshold="150% of request").only("limits-missing")
    assert finding["where"] == "kube_pod_container_resource_requests"
    assert finding["policies"] == ["leaky"]


def test_each_signal_is_looked_for_by_its_own_metric(check: Check) -> None:
    """A store may keep one of them and drop the others."""
    checked = check("well", signal="rss")
    assert checked.code == 1
    assert checked.only("no-metric")["where"] == "container_memory_rss"


def test_pods_without_a_limit_are_named(check: Check) -> None:
    """Some without are a warning, with number, namespace and example; all without are a problem."""
    some = check("some-limits")
    finding = some.only("no-limit")
    assert (some.code, finding["level"]) == (0, "warning")
    assert finding["what"].startswith("without a memory limit, and so never over 70% of limit: 2 pods of 3")
    assert "shop (2)" in finding["what"]
    assert "shop/web-1, shop/web-2" in finding["what"]
    every = check("no-limit-at-all")
    assert (every.code, every.only("no-limit")["level"]) == (1, "problem")


def test_what_is_counted_twice_is_named_by_the_label_that_differs(check: Check) -> None:
    """Kubelets scraped through a leftover Service, two Prometheus replicas, kube-state-metrics twice, roll-ups."""
    finding = check("twice").only("counted-twice")
    assert finding["what"].startswith("3 containers are there as several series")
    assert finding["what"].endswith("they differ in job")
    finding = check("replicas").only("counted-twice")
    assert finding["what"].endswith("they differ in prometheus_replica")
    assert '"dedup":"true"' in finding["fix"]
    finding = check("states-twice").only("counted-twice")
    assert finding["where"] == LIMIT
    assert finding["what"].endswith("the series differ in job")
    finding = check("roll-up", settings={"REMEDIATOR_SELECTOR": 'image!=""'}).only("counted-twice")
    assert finding["where"] == "REMEDIATOR_SELECTOR"
    assert check("roll-up").findings == []


def test_several_clusters_in_one_store_are_named_with_the_matcher_to_set(check: Check) -> None:
    """With it set, only one of them is looked at."""
    checked = check("clusters")
    finding = checked.only("several-clusters")
    assert checked.code == 1
    assert 'cluster="east", cluster="west"' in finding["what"]
    found = re.search(r"such as '(.*)'", finding["fix"])
    assert found
    assert found[1] == 'world="clusters",cluster="east"'
    assert check("clusters", settings={"REMEDIATOR_MATCHERS": found[1]}).code == 0


def test_samples_that_come_too_rarely_are_measured(check: Check) -> None:
    """The setting to change is named with its value, and ``for`` where it holds too few of them."""
    checked = check("slow")
    assert checked.kinds == ["sample-interval", "for-too-short"]
    interval, duration = checked.findings
    found = setting(interval["fix"], "REMEDIATOR_SCRAPE_INTERVAL")
    assert found == {"REMEDIATOR_SCRAPE_INTERVAL": "1m"}
    assert duration["where"] == "leaky: for"
    assert duration["fix"].startswith("write for: 4m")
    assert check("slow", settings=found, **{"for": "4m"}).code == 0


def test_samples_that_are_always_late_are_named_with_the_way_out(tmp_path: Path) -> None:
    """A store that hides the newest half minute: a problem where it makes evaluations stale, else a warning."""
    labels = {"namespace": "shop", "pod": "web-0", "container": "app", "image": "app:1", "name": "c0"}
    inner = ",".join(f'{name}="{value}"' for name, value in labels.items())
    # They come each second, but for those that a busy machine misses.
    settings = {"REMEDIATOR_SCRAPE_INTERVAL": "3s", "REMEDIATOR_KUBELET_INTERVAL": "3s"}
    with (
        exporter(lambda: f"{USED}{{{inner}}} 1 {round((time.time() - 40) * 1000)}\n") as address,
        history(scrape_configs=[{"job_name": "kubelet", "static_configs": [{"targets": [address]}]}]) as url,
    ):
        deadline = time.monotonic() + 60
        while not query(url, f"count_over_time({USED}[5m]) >= 5"):
            assert time.monotonic() < deadline, query(url, USED)
            time.sleep(0.1)
        check = Check(url, tmp_path)
        checked = check("", threshold="20Gi", settings={**settings, "REMEDIATOR_MATCHERS": ""})
        finding = checked.only("late-samples")
        assert (checked.code, finding["where"]) == (1, "leaky: maxSampleAge")
        assert "latency_offset" in finding["fix"]
        found = re.search(r"write maxSampleAge: (\w+)", finding["fix"])
        assert found
        patient = check("", threshold="20Gi", maxSampleAge=found[1], settings={**settings, "REMEDIATOR_MATCHERS": ""})
        assert (patient.code, patient.only("late-samples")["level"]) == (0, "warning")


@pytest.mark.parametrize(
    ("world", "words"), [("nobody", "none of the labels id, name and node"), ("no-pod", "have no label pod")]
)
def test_series_that_no_live_pod_can_be_told_by_are_named(check: Check, world: str, words: str) -> None:
    """Their pods would be left alone for ever, each by itself and without a word of why all of them are."""
    checked = check(world, threshold="20Gi")
    assert checked.code == 1
    finding = next(one for one in checked.findings if one["kind"] == "not-identifiable")
    assert words in finding["what"]


def test_running_pods_that_are_not_measured_are_a_warning(check: Check) -> None:
    """Coverage gets lost node by node."""
    checked = check("half")
    assert (checked.code, checked.policy["coverage"]) == (0, 0.75)
    assert checked.only("not-all-measured")["what"].startswith("75.0% of the running pods")


def test_a_prometheus_that_does_not_answer_is_could_not_tell(check: Check) -> None:
    """2, and the sentence that says why."""
    checked = check("well", "--prometheus-url", "http://127.0.0.1:1")
    assert (checked.code, checked.said["outcome"]) == (2, "could-not-tell")
    assert "can't be reached" in checked.said["errors"][0]


def test_only_replicas_and_budgets_that_never_allow_are_found_in_the_cluster(
    cluster: Cluster, namespace: str, server: str, tmp_path: Path
) -> None:
    """With a kubeconfig: which workloads go down, and which are never taken because of their budget."""
    for name, replicas in (("single", 1), ("full", 2), ("never", 2), ("fine", 2)):
        cluster.api.create(workloads.deployment(name, namespace, replicas=replicas))
    cluster.api.create(workloads.pdb("full", namespace, min_available=2))
    cluster.api.create(workloads.pdb("never", namespace, max_unavailable=0))
    cluster.api.create(workloads.pdb("fine", namespace, max_unavailable=1))
    cluster.api.create(workloads.daemonset("agent", namespace))
    cluster.api.create(workloads.pdb("agent", namespace, max_unavailable=1))
    cluster.ready_pods(namespace, 9)

    def computed() -> bool:
        budgets = cluster.api.list("policy/v1/poddisruptionbudgets", namespace)
        counts = [
            (one.get("status", {}).get("expectedPods"), one.get("status", {}).get("currentHealthy"))
            for one in budgets
            if one["metadata"]["name"] != "agent"
        ]
        return counts == [(2, 2)] * 3

    cluster.wait(computed, 60, "the budgets are computed")
    cluster.wait(
        lambda: "SyncFailed" in json.dumps(cluster.api.get("policy/v1/poddisruptionbudgets", namespace, "agent")),
        60,
        "the budget of the DaemonSet has failed",
    )
    file = tmp_path / "policy.yaml"
    policy = {"name": "leaky", "match": {"namespaces": [namespace]}, "threshold": "20Gi"}
    file.write_text(yaml.safe_dump({"policies": [policy]}))
    done = CliRunner().invoke(app, ["check", str(file), "--kubeconfig", str(cluster.kubeconfig), "--output", "json"])
    checked = Checked(done.exit_code, json.loads(done.stdout))
    assert checked.code == 1, checked.said
    never = {one["where"].rpartition(" ")[2]: one["what"] for one in checked.findings if one["level"] == "problem"}
    assert set(never) == {"Deployment/full", "Deployment/never", "DaemonSet/agent"}
    assert "2 of the 2 pods" in never["Deployment/full"]
    assert "can't be computed" in never["DaemonSet/agent"]
    (single,) = [one for one in checked.findings if one["kind"] == "only-replica"]
    assert f"1 workload with one pod: {namespace} Deployment/single; only replica, down until" in single["what"]
