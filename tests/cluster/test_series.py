"""What a real Prometheus makes of the series that are found in the field, and the judge of its answers.

No cluster: the samples are written as a kubelet, kube-state-metrics and kube-scheduler would, or as relabelling leaves
them, each case in a namespace of its own, and the live pods are said. Nomination, questions and judge are those of the
daemon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, cast

import pytest

from remediator.act.examine import Examination
from remediator.act.looks import Judged
from remediator.cluster.pods import Pods
from remediator.detect.nominate import count, nominated
from remediator.detect.prometheus import Access, Prometheus
from remediator.detect.promql import compile_queries
from remediator.detect.scope import DEFAULT_SELECTOR, Scope
from remediator.errors import MeasurementError
from remediator.model.measures import Breach
from remediator.model.pods import Container, LivePod
from remediator.model.vocabulary import Reason, Signal
from remediator.policy import Match, Policy
from tests.rig.history import Stored, history
from tests.unit.make import GI, NOW, UID, cgroup, container, labels, pod, policy, safety, steady

pytestmark = pytest.mark.xdist_group("history")

SCOPE = Scope(sample_interval=15)
EXPORTED = {"namespace": "exported_namespace", "pod": "exported_pod", "container": "exported_container"}
SIDE_ID, OTHER_UID = "beef" * 16, "ffffffff-0000-1111-2222-333344445555"
METRICS = {
    Signal.WORKING_SET: "container_memory_working_set_bytes",
    Signal.RSS: "container_memory_rss",
    Signal.USAGE: "container_memory_usage_bytes",
}
NO_LIMITS = {"zero": 0.0, "a page less": float(2**63 - 4096), "all bits": float(2**64 - 1)}


@dataclass(frozen=True)
class Case:
    """One namespace: its live pods, and what is stored of it."""

    namespace: str
    pods: tuple[LivePod, ...]
    stored: tuple[Stored, ...]


@dataclass(frozen=True)
class Answers(Pods):
    """The live pods, instead of an API server."""

    by_name: Mapping[tuple[str, str], LivePod] = field(default_factory=dict)

    def read(self, namespace: str, name: str) -> LivePod | None:
        """The pod of that name."""
        return self.by_name.get((namespace, name))


@dataclass(frozen=True)
class Field:
    """The Prometheus that has all cases, and the daemon's way of asking it."""

    url: str

    def found(self, case: str, by: Policy, *, scope: Scope = SCOPE) -> dict[str, Judged]:
        """What each pod that a policy names in a case turns out to be."""
        prometheus = Prometheus(Access(self.url), observe=lambda *_: None)
        by = replace(by, match=replace(by.match, namespaces=(case,)), max_sample_age=45)
        named = nominated(prometheus, by, compile_queries(by, safety(), scope), at=NOW)
        live = {(pod.namespace, pod.name): pod for one in CASES for pod in one.pods}
        unused = cast("Any", None)
        looks = Examination(
            prometheus=prometheus,
            pods=Answers(live),
            owners=unused,
            nodes=unused,
            budgets=unused,
            neighbourhood=unused,
            scope=scope,
            clock=lambda: NOW,
        )
        names = [one.pod for one in named]
        return dict(looks.judged(by, namespace=case, names=names, at=NOW)) if names else {}

    def over(self, case: str, by: Policy, *, scope: Scope = SCOPE) -> dict[str, Breach]:
        """The breaches among them."""
        judged = self.found(case, by, scope=scope)
        return {name: one.verdict for name, one in judged.items() if isinstance(one.verdict, Breach)}

    def measured(self, case: str, by: Policy, *, scope: Scope = SCOPE) -> int:
        """How many series the policy measures there."""
        prometheus = Prometheus(Access(self.url), observe=lambda *_: None)
        by = replace(by, match=replace(by.match, namespaces=(case,)))
        return count(prometheus, compile_queries(by, safety(), scope).fresh, at=NOW)


def live(namespace: str, name: str, *containers: Container, **changes: Any) -> LivePod:  # noqa: ANN401
    """A live pod of a case."""
    return replace(pod(namespace=namespace, name=name, containers=containers or (container(),)), **changes)


def usage(
    namespace: str, name: str, value: float, signal: Signal = Signal.WORKING_SET, /, **more: str | None
) -> Stored:
    """A container's series as the kubelet has it, of so many GiB; the keywords change labels."""
    tags = labels(__name__=METRICS[signal], namespace=namespace, pod=name, **more)
    return Stored(tags, steady(value * GI))


def side(namespace: str, name: str, value: float, /, **more: str | None) -> Stored:
    """The same of a container called side."""
    return usage(
        namespace, name, value, **{"container": "side", "name": SIDE_ID, "id": cgroup(runtime_id=SIDE_ID), **more}
    )


def own(namespace: str, name: str, value: float, /, **more: str | None) -> Stored:
    """The same of the pod's own cgroup."""
    usual: dict[str, str | None] = {"container": "", "image": "", "name": "", "id": f"/kubepods/burstable/pod{UID}"}
    return usage(namespace, name, value, **{**usual, **more})


def state(metric: str, namespace: str, name: str, value: float, /, **more: str | None) -> Stored:
    """A series of kube-state-metrics, scraped with its labels honoured."""
    usual: dict[str, str | None] = {
        "__name__": metric,
        "namespace": namespace,
        "pod": name,
        "container": "app",
        "resource": "memory",
        "unit": "byte",
        "job": "kube-state-metrics",
        "instance": "10.0.0.9:8080",
    }
    tags = {key: text for key, text in {**usual, **more}.items() if text is not None}
    return Stored(tags, steady(value))


def limit(namespace: str, name: str, value: float, /, **more: str | None) -> Stored:
    """A container's limit in GiB."""
    return state("kube_pod_container_resource_limits", namespace, name, value * GI, **more)


def whole_limit(namespace: str, name: str, value: float, /, **more: str | None) -> Stored:
    """A pod's limit in GiB as kube-scheduler has it: its own, or the sum of its containers'."""
    more = {"container": None, "unit": "bytes", "job": "kube-scheduler", "scheduler": "default-scheduler", **more}
    return state("kube_pod_resource_limit", namespace, name, value * GI, **more)


def in_force(namespace: str, name: str, value: float, /, **more: str | None) -> Stored:
    """A limit in GiB as cAdvisor has it, of a container or of a pod."""
    tags = labels(__name__="container_spec_memory_limit_bytes", namespace=namespace, pod=name, **more)
    return Stored(tags, steady(value * GI))


OF_POD: dict[str, str | None] = {"container": "", "image": "", "name": "", "id": f"/kubepods/burstable/pod{UID}"}


def cases() -> Iterator[Case]:
    """Every case, each in its namespace."""
    signals = {"cache": (23, 5, 23.5), "heap": (5, 23, 23.5)}
    yield Case(
        "signals",
        tuple(live("signals", name) for name in signals),
        tuple(
            usage("signals", name, value, signal)
            for name, values in signals.items()
            for signal, value in zip(METRICS, values, strict=True)
        )
        + tuple(limit("signals", name, 24) for name in signals),
    )

    asks = "kube_pod_container_resource_requests"
    yield Case(
        "requests",
        (
            live("requests", "over", container(memory_request=10 * GI, memory_limit=None)),
            live("requests", "below", container(memory_request=12 * GI)),
            live("requests", "resized", container(memory_request=20 * GI)),
            live("requests", "none", container(memory_request=None)),
            live(
                "requests", "proxy", container(memory_request=20 * GI), container("side", id=SIDE_ID, memory_request=GI)
            ),
        ),
        (
            *(usage("requests", name, 16) for name in ("over", "below", "resized", "none", "proxy")),
            side("requests", "proxy", 1.6),
            state(asks, "requests", "over", 10 * GI),
            state(asks, "requests", "below", 12 * GI),
            # Of the spec: a smaller one is pending.
            state(asks, "requests", "resized", 10 * GI),
            state(asks, "requests", "proxy", 20 * GI),
            state("kube_pod_init_container_resource_requests", "requests", "proxy", GI, container="side"),
        ),
    )

    free, tiny = container(memory_limit=None), container("side", id=SIDE_ID, memory_limit=None)
    limited = replace(tiny, memory_limit=GI)
    yield Case(
        "pods",
        (
            live("pods", "over", free, tiny, memory_limit=10 * GI),
            live("pods", "below", free, tiny, memory_limit=10 * GI),
            live("pods", "growing", free, tiny, memory_limit=10 * GI),
            live("pods", "shrinking", free, tiny, memory_limit=10 * GI),
            live("pods", "partial", free, limited),
            live("pods", "native", free, limited),
            live("pods", "both", replace(free, memory_limit=20 * GI), limited, memory_limit=10 * GI),
        ),
        (
            *(
                one
                for name, value in (
                    ("over", 9.5),
                    ("below", 8.5),
                    ("growing", 9.5),
                    ("shrinking", 8.5),
                    ("partial", 9.5),
                    ("native", 9.5),
                    ("both", 9.5),
                )
                for one in (
                    usage("pods", name, value - 0.5),
                    side("pods", name, 0.4),
                    own("pods", name, value),
                    # The sandbox has a cgroup of its own, as well as an image.
                    usage("pods", name, 0.001, container="POD", name="aa" * 32, id=cgroup(runtime_id="aa" * 32)),
                )
            ),
            whole_limit("pods", "over", 10),
            whole_limit("pods", "below", 10),
            # Raised in the spec and not yet in force; and the other way round.
            whole_limit("pods", "growing", 20),
            in_force("pods", "growing", 10, **OF_POD),
            whole_limit("pods", "shrinking", 9),
            in_force("pods", "shrinking", 10, **OF_POD),
            # The sum of those containers that have a limit, which limits nobody.
            whole_limit("pods", "partial", 1),
            limit("pods", "partial", 1, container="side"),
            whole_limit("pods", "native", 1),
            state("kube_pod_init_container_resource_limits", "pods", "native", GI, container="side"),
            state("kube_pod_init_container_resource_limits", "pods", "native", GI, container="setup"),
            state(
                "kube_pod_init_container_status_running",
                "pods",
                "native",
                1,
                container="side",
                resource=None,
                unit=None,
            ),
            state(
                "kube_pod_init_container_status_running",
                "pods",
                "native",
                0,
                container="setup",
                resource=None,
                unit=None,
            ),
            whole_limit("pods", "both", 10),
            limit("pods", "both", 20),
            limit("pods", "both", 1, container="side"),
        ),
    )

    yield Case(
        "sidecars",
        (
            live("sidecars", "sum", container(), container("side", id=SIDE_ID)),
            live("sidecars", "own", container(), container("side", id=SIDE_ID, memory_limit=2 * GI)),
            live("sidecars", "free", container(memory_limit=None)),
        ),
        (
            usage("sidecars", "sum", 11),
            side("sidecars", "sum", 10),
            limit("sidecars", "sum", 24),
            usage("sidecars", "own", 5),
            side("sidecars", "own", 1.9),
            limit("sidecars", "own", 24),
            state("kube_pod_init_container_resource_limits", "sidecars", "own", 2 * GI, container="side"),
            # An init container that ended long ago has a limit, and the only container has none.
            usage("sidecars", "free", 11),
            state("kube_pod_init_container_resource_limits", "sidecars", "free", GI, container="setup"),
        ),
    )

    yield Case("alone", (live("alone", "web"),), (usage("alone", "web", 23), in_force("alone", "web", 24)))
    yield Case(
        "twice",
        (live("twice", "web"), live("twice", "half")),
        (
            *(limit("twice", name, 24, instance=f"10.0.0.{n}:8080") for n in (1, 2) for name in ("web", "half")),
            *(usage("twice", "web", 23, prometheus_replica=replica) for replica in "ab"),
            # A leftover Service: the same kubelet by another job; and the pair of servers as well.
            *(
                usage("twice", "half", 11.5, job=job, prometheus_replica=replica)
                for job, replica in product(("kubelet", "kubelet-leftover"), "ab")
            ),
        ),
    )

    kept = list(product((True, False), repeat=3))
    yield Case(
        "dropped",
        tuple(live("dropped", name_of(*one)) for one in kept),
        tuple(
            usage(
                "dropped",
                name_of(*one),
                23,
                **{label: None for label, keep in zip(("image", "id", "name"), one, strict=True) if not keep},
            )
            for one in kept
        )
        + tuple(limit("dropped", name_of(*one), 24) for one in kept),
    )
    yield Case(
        "nameless",
        (
            live("nameless", "nowhere"),
            live("nameless", "elsewhere"),
            live("nameless", "young", container(started_at=float(NOW - 90))),
        ),
        (
            usage("nameless", "nowhere", 23, id=None, name=None, node=None),
            usage("nameless", "elsewhere", 23, id=None, name=None, node="node-2"),
            usage("nameless", "young", 23, id=None, name=None),
            *(limit("nameless", name, 24) for name in ("nowhere", "elsewhere", "young")),
        ),
    )

    yield Case(
        "unhonoured",
        (live("unhonoured", "web"), live("unhonoured", "calm")),
        (
            usage("unhonoured", "web", 23),
            usage("unhonoured", "calm", 12),
            *(
                limit(
                    "monitoring",
                    # Two instances, which nothing but this label tells apart.
                    f"kube-state-metrics-{n}",
                    value,
                    container="kube-state-metrics",
                    exported_namespace="unhonoured",
                    exported_pod=name,
                    exported_container="app",
                )
                for n in (0, 1)
                for name, value in (("web", 24), ("calm", 24))
            ),
            *(
                whole_limit(
                    "kube-scheduler",
                    f"scheduler-{n}",
                    12.5,
                    exported_namespace="unhonoured",
                    exported_pod="calm",
                    resource="memory",
                )
                for n in (0, 1)
            ),
        ),
    )
    # kube-state-metrics itself, as its own labels would have it where nobody has set ours.
    yield Case(
        "monitoring",
        (live("monitoring", "kube-state-metrics-0", container("kube-state-metrics", memory_limit=None)),),
        (
            usage("monitoring", "kube-state-metrics-0", 0.3, container="kube-state-metrics"),
            limit(
                "monitoring",
                "kube-state-metrics-0",
                0.1,
                container="kube-state-metrics",
                exported_namespace="elsewhere",
                exported_pod="tiny",
                exported_container="app",
            ),
        ),
    )

    yield Case(
        "clusters",
        (live("clusters", "web"),),
        (
            usage("clusters", "web", 5, cluster="north"),
            limit("clusters", "web", 24, cluster="north"),
            usage("clusters", "web", 23, cluster="south", id=cgroup(uid=OTHER_UID), name="dead" * 16),
            limit("clusters", "web", 24, cluster="south"),
        ),
    )
    yield Case(
        "namesakes",
        (live("namesakes", "web"), live("namesakes", "small")),
        (
            # Two clusters without a label that tells so: theirs leaks.
            usage("namesakes", "web", 5),
            usage("namesakes", "web", 23, id=cgroup(uid=OTHER_UID), name="dead" * 16),
            limit("namesakes", "web", 24, instance="north:8080"),
            # And theirs has a smaller limit.
            limit("namesakes", "web", 4, instance="south:8080"),
            usage("namesakes", "small", 5),
            limit("namesakes", "small", 5, instance="south:8080"),
        ),
    )

    spelled = {f"state-{n}": value for n, value in enumerate(NO_LIMITS.values())}
    yield Case(
        "unlimited",
        tuple(
            live("unlimited", name, container(memory_limit=None)) for name in [*spelled, "absent", "cadvisor", "whole"]
        ),
        (
            *(usage("unlimited", name, 900) for name in [*spelled, "absent", "cadvisor", "whole"]),
            *(limit("unlimited", name, value / GI) for name, value in spelled.items()),
            in_force("unlimited", "cadvisor", float(2**64 - 1) / GI),
            own("unlimited", "whole", 900),
            whole_limit("unlimited", "whole", float(2**63 - 4096) / GI),
            in_force("unlimited", "whole", 0, **OF_POD),
        ),
    )


def name_of(*kept: bool) -> str:
    """The pod of the case in which these of image, id and name were kept."""
    return "-".join(label if keep else "no" for label, keep in zip(("image", "id", "name"), kept, strict=True))


CASES = tuple(cases())


@pytest.fixture(scope="module")
def field_() -> Iterator[Field]:
    """All cases in one Prometheus."""
    with history(one for case in CASES for one in case.stored) as url:
        yield Field(url)


NINETY = policy("90% of limit")


@pytest.mark.parametrize(
    ("signal", "expected"), [(Signal.WORKING_SET, {"cache"}), (Signal.RSS, {"heap"}), (Signal.USAGE, {"cache", "heap"})]
)
def test_the_signal_says_which_number_is_compared(field_: Field, signal: Signal, expected: set[str]) -> None:
    """Page cache is in the working set and not in RSS; usage has all of it."""
    for threshold in ("90% of limit", "22Gi"):
        assert set(field_.over("signals", policy(threshold, signal=signal))) == expected


def test_shares_of_requests(field_: Field) -> None:
    """The request in force counts, whatever the spec's is; the sidecar's by its own name; none is none."""
    over = field_.over("requests", policy("150% of request"))
    assert {name: (one.container, one.threshold) for name, one in over.items()} == {
        "over": ("app", 15.0 * GI),
        "proxy": ("side", 1.5 * GI),
    }
    named = field_.found("requests", policy("150% of request"))
    assert set(named) == {"over", "resized", "proxy"}


def test_pods_with_a_limit_of_their_own(field_: Field) -> None:
    """The sum near the limit is found, the limit in force counts, and sums that limit nobody name no pod."""
    over = field_.over("pods", NINETY)
    assert set(over) == {"over", "growing", "both"}
    assert {(one.container, one.limit, one.value) for one in over.values()} == {("", 10 * GI, 9.5 * GI)}
    assert all('container=""' in one.query for one in over.values())
    assert set(field_.found("pods", NINETY)) == {"over", "growing", "both", "shrinking"}
    assert field_.found("pods", NINETY)["shrinking"].verdict.reason is Reason.BELOW_THRESHOLD  # type: ignore[union-attr]


def test_a_quantity_is_the_sum_of_containers_and_not_of_all_cgroups(field_: Field) -> None:
    """The pod's own cgroup, and the sandbox's, are in no sum; the limit that is told is the pod's own."""
    over = field_.over("pods", policy("9Gi"))
    assert {name: one.value / GI for name, one in over.items()} == {
        name: pytest.approx(9.4) for name in ("over", "growing", "partial", "native", "both")
    }
    assert over["over"].limit == 10 * GI
    assert over["partial"].limit is None


def test_native_sidecars_and_ended_init_containers(field_: Field) -> None:
    """A sidecar counts in the sum and has its own limit; an init container that has ended lends its limit to nobody."""
    assert {name: one.value for name, one in field_.over("sidecars", policy("20Gi")).items()} == {"sum": 21.0 * GI}
    over = field_.over("sidecars", NINETY)
    assert {name: (one.container, one.limit) for name, one in over.items()} == {"own": ("side", 2 * GI)}
    assert set(field_.found("sidecars", NINETY)) == {"own"}


def test_without_kube_state_metrics_the_limit_in_force_names_pods(field_: Field) -> None:
    """CAdvisor's own limits serve where no others are."""
    assert set(field_.over("alone", NINETY)) == {"web"}


def test_whatever_is_there_twice_counts_once(field_: Field) -> None:
    """Two of kube-state-metrics, a pair of servers, a kubelet scraped twice: no error, and no sum is doubled."""
    assert set(field_.over("twice", NINETY)) == {"web"}
    over = field_.over("twice", policy("20Gi"))
    assert {name: one.value for name, one in over.items()} == {"web": 23.0 * GI}
    assert field_.over("twice", policy("12Gi")).keys() == {"web"}


@pytest.mark.parametrize("kept", list(product((True, False), repeat=3)), ids=lambda kept: name_of(*kept))
def test_dropped_labels(field_: Field, kept: tuple[bool, bool, bool]) -> None:
    """Without image another selector is needed; id, name or the node are enough to tell whose a series is."""
    name = name_of(*kept)
    by = policy("90% of limit", match=Match(pods=(name,)))
    without = Scope(sample_interval=15, selector='container!="",container!="POD"')
    assert set(field_.over("dropped", by, scope=without)) == {name}
    assert set(field_.over("dropped", by)) == ({name} if kept[0] else set())
    assert field_.measured("dropped", by) == (1 if kept[0] else 0)


def test_what_can_not_be_told_apart_is_left_alone(field_: Field) -> None:
    """Without id, name and node, on another node, or of a container that is younger than the samples."""
    reasons = {name: one.verdict.reason for name, one in field_.found("nameless", NINETY).items()}  # type: ignore[union-attr]
    assert reasons == {
        "nowhere": Reason.REPLACED_SINCE_SAMPLE,
        "elsewhere": Reason.REPLACED_SINCE_SAMPLE,
        "young": Reason.SAMPLE_GAP,
    }


def test_labels_of_kube_state_metrics_that_nobody_honours(field_: Field) -> None:
    """With their names as a setting limits are found, by two instances without an error; without, by nobody's name."""
    scope = replace(SCOPE, limits_labels=EXPORTED)
    assert set(field_.over("unhonoured", NINETY, scope=scope)) == {"web"}
    assert set(field_.found("unhonoured", NINETY, scope=scope)) == {"web"}
    assert field_.found("unhonoured", NINETY) == {}


def test_no_pod_gets_another_pods_limit(field_: Field) -> None:
    """kube-state-metrics' own pod is named by all limits that it tells of, and judged by its own: none."""
    found = field_.found("monitoring", NINETY)
    assert found["kube-state-metrics-0"].verdict.detail == "container kube-state-metrics has no memory limit in force"  # type: ignore[union-attr]
    assert field_.found("monitoring", NINETY, scope=replace(SCOPE, limits_labels=EXPORTED)) == {}


def test_two_clusters_in_one_store(field_: Field) -> None:
    """The missing matcher is named, and with it only our own pod is measured."""
    with pytest.raises(MeasurementError, match='for example cluster="north"'):
        field_.found("clusters", NINETY)
    assert field_.found("clusters", NINETY, scope=replace(SCOPE, matchers='cluster="north"')) == {}
    theirs = field_.found("clusters", NINETY, scope=replace(SCOPE, matchers='cluster="south"'))
    assert theirs["web"].verdict.reason is Reason.REPLACED_SINCE_SAMPLE  # type: ignore[union-attr]


def test_a_pod_of_another_cluster_with_our_pods_name(field_: Field) -> None:
    """Without a label that tells the clusters apart the UID does, and the live pod's limit counts."""
    assert field_.over("namesakes", NINETY) == {}
    assert set(field_.found("namesakes", NINETY)) == {"web", "small"}


def test_no_limit_in_its_spellings(field_: Field) -> None:
    """0, 2^63 less a page, 2^64 - 1, and no series at all: named by none of them."""
    assert field_.found("unlimited", NINETY) == {}
    over = field_.over("unlimited", policy("100Gi"))
    assert len(over) == len(NO_LIMITS) + 3
    assert {one.limit for one in over.values()} == {None}


def test_the_selector_of_a_scrape_holds_for_pods_too(field_: Field) -> None:
    """A job that is named in the selector of containers is asked for pods' own cgroups as well."""
    ours = replace(SCOPE, selector=f'job="kubelet",{DEFAULT_SELECTOR}')
    others = replace(SCOPE, selector=f'job="other",{DEFAULT_SELECTOR}')
    assert set(field_.over("pods", NINETY, scope=ours)) == {"over", "growing", "both"}
    assert field_.found("pods", NINETY, scope=others) == {}
