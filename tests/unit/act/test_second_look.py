"""The second look, right before the act: what it asks the API server for, and whom it believes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from remediator.act.examine import Examination
from remediator.act.looks import Go, Vetoed
from remediator.act.surroundings import FRESH
from remediator.cluster.api import ApiServer, connect
from remediator.cluster.disruption import DisruptionBudgets
from remediator.cluster.neighbours import Neighbourhood
from remediator.cluster.nodes import Nodes
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods
from remediator.detect.prometheus import Prometheus
from remediator.errors import KubernetesError
from remediator.model.holds import Hold
from remediator.model.measures import Breach, Series
from remediator.model.remediations import Act, Ledger
from remediator.model.vocabulary import Action, Reason
from remediator.policy import Policy, Window
from remediator.policy.thresholds import parse_threshold
from tests.unit.cluster.conftest import written
from tests.unit.cluster.objects import (
    UID,
    Json,
    deployment_object,
    list_of,
    pod_object,
    replicaset_object,
    status_object,
)
from tests.unit.make import GI, NOW, SCOPE, breach, cgroup, policies, policy, series, steady
from tests.unit.servers import Connection, Request, Server, http, serving

POD, PODS = "/api/v1/namespaces/shop/pods/web-5d4f-abcde", "/api/v1/namespaces/shop/pods"
OWNER = "/apis/apps/v1/namespaces/shop/deployments/web"
REPLICASET = "/apis/apps/v1/namespaces/shop/replicasets/web-5d4f"
BUDGETS, NODE = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets", "/api/v1/nodes/node-1"
POLICY = policy("512Mi")
BREACH = breach(value=0.9 * GI, threshold=0.5 * GI, threshold_text="512Mi", limit=GI)


def living(name: str = "web-5d4f-abcde", uid: str = UID, **metadata: Any) -> Json:  # noqa: ANN401
    """A Ready pod of the Deployment with one container."""
    found = pod_object(name=name, uid=uid, finalizers=[], **metadata)
    found["spec"] |= {"initContainers": [], "containers": found["spec"]["containers"][:1]}
    found["status"] |= {"initContainerStatuses": [], "containerStatuses": found["status"]["containerStatuses"][:1]}
    return found


@dataclass
class World:
    """An API server with objects by path, a Prometheus that answers with these samples, and a clock."""

    server: Server
    objects: dict[str, Json | bytes]
    api: ApiServer
    samples: list[Series] = field(default_factory=list)
    now: float = NOW
    questions: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    """What happens while Prometheus answers."""

    def matrix(self, query: str, *, at: int) -> list[Series]:
        """As ``Prometheus.matrix``."""
        assert at == int(self.now)
        self.questions.append(query)
        self.meanwhile()
        return self.samples

    def answer(self, request: Request, _connection: Connection) -> bytes:
        """By path; everything else is not found."""
        found = self.objects.get(request.path)
        if isinstance(found, bytes):
            return found
        return http(404, status_object(404)) if found is None else http(200, found)

    def examination(self) -> Examination:
        """One that has nothing in mind."""
        pods = Pods(self.api)
        return Examination(
            prometheus=cast("Prometheus", self),
            pods=pods,
            owners=Owners(self.api, pods),
            nodes=Nodes(self.api, readable=True),
            budgets=DisruptionBudgets(self.api),
            neighbourhood=Neighbourhood(self.api),
            scope=SCOPE,
            clock=lambda: self.now,
        )

    def asked(self) -> list[str]:
        """The paths that were asked for since the last time."""
        paths, self.server.requests = [request.path for request in self.server.requests], []
        return paths


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A Deployment of three, one of whose pods is over."""
    others = [living(f"web-5d4f-p{n}", f"peer-{n}") for n in (1, 2)]
    ready = {"type": "Ready", "status": "True"}
    objects: dict[str, Json | bytes] = {
        POD: living(),
        PODS: list_of(living(), *others),
        OWNER: deployment_object(),
        REPLICASET: replicaset_object(),
        BUDGETS: list_of(),
        NODE: {"metadata": {"name": "node-1"}, "status": {"conditions": [ready]}},
    }
    with serving(lambda *_: b"") as server:
        api = ApiServer(connect(written(server.url, tmp_path)), observe=lambda *_: None)
        there = World(server, objects, api)
        there.samples = [series(steady(0.9 * GI), id=cgroup(UID, "c0ffee"), name="c0ffee")]
        server.answer = there.answer
        yield there


def look(world: World, examination: Examination, *, one: Breach = BREACH, of: Policy = POLICY) -> Go:
    """The first look, to which nobody objects."""
    pod = Pods(world.api).read("shop", one.pod)
    assert pod is not None
    found = examination.guarded(one, pod=pod, policy=of, policies=policies(of), ledger=Ledger(), holds=())
    assert isinstance(found, Go), found
    world.asked()
    return found


def again(
    examination: Examination, first: Go | None, *, of: Policy = POLICY, holds: tuple[Hold, ...] = ()
) -> Go | Vetoed:
    """The second."""
    return examination.confirmed(
        BREACH, policy=of, policies=policies(of), ledger=Ledger(), holds=lambda: holds, first=first
    )


def reasons(found: Go | Vetoed) -> set[Reason]:
    """Why it may not go."""
    assert isinstance(found, Vetoed), found
    return {veto.reason for veto in found.vetoes}


def test_the_first_look_asks_for_each_thing_once(world: World) -> None:
    """Who controls the ReplicaSet only where that is not in mind."""
    examination, pod = world.examination(), Pods(world.api).read("shop", BREACH.pod)
    assert pod is not None
    for expected in ([REPLICASET, OWNER, PODS, NODE, BUDGETS], [OWNER, PODS, NODE, BUDGETS]):
        world.asked()
        found = examination.guarded(
            BREACH, pod=pod, policy=POLICY, policies=policies(POLICY), ledger=Ledger(), holds=()
        )
        assert isinstance(found, Go)
        assert world.asked() == expected


def test_what_many_pods_have_in_common_is_read_once(world: World) -> None:
    """Pods that are over and have to stay cost an evaluation one look at their workload, for as long as that is new."""
    examination, pod = world.examination(), Pods(world.api).read("shop", BREACH.pod)
    assert pod is not None
    around = examination.surroundings()

    def asked() -> list[str]:
        world.asked()
        found = examination.guarded(
            BREACH, pod=pod, policy=POLICY, policies=policies(POLICY), ledger=Ledger(), holds=(), around=around
        )
        assert isinstance(found, Go)
        assert world.now - FRESH < found.world.read_at <= world.now
        return world.asked()

    everything = [OWNER, PODS, NODE, BUDGETS]
    assert asked() == [REPLICASET, *everything]
    world.now += FRESH / 2
    assert asked() == []
    world.now += FRESH / 2
    assert asked() == everything
    around.forget()
    assert asked() == everything, "after an act of our own"
    world.now -= 1.0
    assert asked() == everything, "a clock that was set back says nothing of how old it is"


def test_a_world_is_as_old_as_its_oldest_part(world: World) -> None:
    """The second look believes it for that long."""
    examination, pod = world.examination(), Pods(world.api).read("shop", BREACH.pod)
    assert pod is not None
    around, owner = examination.surroundings(), examination._owners.workload_of(pod)
    assert owner is not None
    first = around.of(pod, owner)
    world.now += FRESH - 0.1
    world.objects["/api/v1/nodes/node-2"] = world.objects[NODE]
    elsewhere = around.of(replace(pod, node="node-2"), owner)
    assert first is not None
    assert elsewhere is not None
    assert elsewhere.read_at == first.read_at == NOW


@pytest.mark.parametrize("age", [0.0, FRESH - 0.1])
def test_a_fresh_look_is_believed_and_the_pods_are_listed(world: World, age: float) -> None:
    """One request: the pod and its siblings as they are now; the version that it is taken in is the newest."""
    examination = world.examination()
    first = look(world, examination)
    world.now += age
    world.objects[PODS] = list_of(living(resourceVersion="4800"), version="200")
    found = again(examination, first)
    assert world.asked() == [PODS]
    assert reasons(found) == {Reason.WORKLOAD_NOT_READY}, "its siblings have gone meanwhile"
    world.objects[PODS] = list_of(
        living(resourceVersion="4800"), living("web-5d4f-p1", "peer-1"), living("web-5d4f-p2", "peer-2"), version="200"
    )
    found = again(examination, first)
    assert isinstance(found, Go)
    assert (found.pod.resource_version, found.workload.pods_version) == ("4800", "200")


@pytest.mark.parametrize("age", [FRESH, 60.0, -0.1, -20.0])
def test_an_old_look_is_not_believed(world: World, age: float) -> None:
    """Everything is read anew; also where the clock was set back, and nobody can tell how old it is."""
    examination = world.examination()
    first = look(world, examination)
    world.now += age
    assert isinstance(again(examination, first), Go)
    assert world.asked() == [POD, OWNER, PODS, NODE, BUDGETS]


def test_without_a_first_look_of_ours_everything_is_read(world: World) -> None:
    """Another leader has begun it. The pod says what samples to ask for, and once they are there how it is then."""
    assert isinstance(again(world.examination(), None), Go)
    assert world.asked() == [POD, POD, REPLICASET, OWNER, PODS, NODE, BUDGETS]


@pytest.mark.parametrize(("seconds", "is_fresh"), [(0, True), (14, True), (16, False), (300, False)])
def test_a_look_that_takes_long_is_no_look_at_what_is_now(world: World, seconds: float, is_fresh: bool) -> None:  # noqa: FBT001
    """The samples were young enough when they were asked for; the pod goes by how it is when it goes."""
    examination = world.examination()
    first = look(world, examination)
    world.now += 60

    def holds() -> tuple[Hold, ...]:
        # Prometheus answers, as slowly as it does.
        world.now += seconds
        return ()

    found = examination.confirmed(
        BREACH, policy=POLICY, policies=policies(POLICY), ledger=Ledger(), holds=holds, first=first
    )
    if is_fresh:
        assert isinstance(found, Go)
    else:
        assert reasons(found) == {Reason.SAMPLE_GAP}
        assert (
            str(found)
            == f"sample-gap: the look took so long that its newest sample is {60 + seconds} s old, 75 s are allowed"
        )


def _goes_on(world: World) -> None:
    """What happens to a workload while somebody waits twelve seconds: a rollout begins, a sibling is lost."""
    world.now += 12
    owner = deployment_object()
    owner["metadata"]["generation"] = owner["metadata"].get("generation", 1) + 1
    world.objects[OWNER] = owner
    world.objects[PODS] = list_of(living(), living("web-5d4f-p1", "peer-1"))


_HAPPENED = {Reason.ROLLOUT_IN_PROGRESS, Reason.WORKLOAD_NOT_READY}


@pytest.mark.parametrize("slow", ["Prometheus", "a gate"])
@pytest.mark.parametrize("is_ours", [True, False])
def test_what_happens_while_somebody_is_waited_for_is_seen(world: World, slow: str, is_ours: bool) -> None:  # noqa: FBT001
    """The world that is acted on is read after everybody who may be slow has answered."""
    examination = world.examination()
    first = look(world, examination) if is_ours else None
    if slow == "Prometheus":
        world.meanwhile = lambda: _goes_on(world)

    def holds() -> tuple[Hold, ...]:
        if slow == "a gate":
            _goes_on(world)
        return ()

    found = examination.confirmed(
        BREACH, policy=POLICY, policies=policies(POLICY), ledger=Ledger(), holds=holds, first=first
    )
    assert reasons(found) == _HAPPENED


def test_annotations_that_want_other_samples_are_waited_for_and_the_world_read_again(world: World) -> None:
    """What its own annotations ask for may take as long; its answer is there when the world is read once more."""
    owner = deployment_object()
    owner["metadata"]["annotations"] = {"remediator.dev/for": "3m"}
    world.objects[OWNER] = owner
    world.samples = [series(steady(0.9 * GI, since=NOW - 600), id=cgroup(UID, "c0ffee"), name="c0ffee")]
    examination = world.examination()
    first = look(world, examination)
    world.questions.clear()
    world.meanwhile = lambda: _goes_on(world) if len(world.questions) > 1 else None
    found = examination.confirmed(
        BREACH, policy=POLICY, policies=policies(POLICY, annotations=True), ledger=Ledger(), holds=tuple, first=first
    )
    assert reasons(found) == _HAPPENED
    assert len(world.questions) == len(set(world.questions)) == 2, "each question once"


def test_a_look_is_as_old_as_its_first_answer(world: World) -> None:
    """An API server that takes its time does not make the answers any newer."""
    examination = world.examination()
    real = world.answer

    def slow(request: Request, connection: Connection) -> bytes:
        if request.path == BUDGETS:
            world.now += FRESH
        return real(request, connection)

    world.server.answer = slow
    first = look(world, examination)
    world.server.answer = real
    assert isinstance(again(examination, first), Go)
    assert world.asked() == [POD, OWNER, PODS, NODE, BUDGETS]


def test_a_pod_that_the_list_has_not_is_read(world: World) -> None:
    """Its labels may have changed, so that its controller has let it go."""
    examination = world.examination()
    first = look(world, examination)
    world.objects[PODS] = list_of(living("web-5d4f-p1", "peer-1"))
    world.objects[POD] = living(labels={"app": "other"}, ownerReferences=[])
    assert reasons(again(examination, first)) == {Reason.NO_CONTROLLER}
    assert world.asked() == [PODS, POD]


def test_a_pod_that_is_gone_is_gone(world: World) -> None:
    """Nothing is measured of it any more either."""
    examination = world.examination()
    first = look(world, examination)
    world.objects[PODS] = list_of()
    del world.objects[POD]
    assert reasons(again(examination, first)) == {Reason.GONE}


def test_a_namesake_is_not_the_pod(world: World) -> None:
    """Replaced under its name: whatever its samples say, it was not the one that was measured."""
    examination = world.examination()
    first = look(world, examination)
    world.objects[PODS] = list_of(living(uid="another"))
    world.objects[POD] = living(uid="another")
    world.samples = [series(steady(0.9 * GI), id=cgroup("another", "c0ffee"), name="c0ffee")]
    assert reasons(again(examination, first)) == {Reason.REPLACED_SINCE_SAMPLE}


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"deletionTimestamp": "2027-01-15T08:00:00Z"}, Reason.TERMINATING),
        ({"annotations": {"remediator.dev/opt-out": ""}}, Reason.OPTED_OUT),
    ],
)
def test_what_has_changed_on_the_pod_is_seen(world: World, metadata: Json, reason: Reason) -> None:
    """In the list, without another question."""
    examination = world.examination()
    first = look(world, examination)
    world.objects[PODS] = list_of(living(**metadata), living("a", "peer-1"), living("b", "peer-2"))
    assert reasons(again(examination, first)) == {reason}
    assert world.asked() == [PODS]


def test_a_pod_that_was_adopted_meanwhile_is_looked_at_anew(world: World) -> None:
    """Its controller is another one now: what was read of the first workload says nothing of it."""
    examination = world.examination()
    first = look(world, examination)
    adopted = living()
    adopted["metadata"]["ownerReferences"][1] |= {"name": "other", "uid": "other-rs"}
    world.objects[PODS] = list_of(adopted)
    world.objects[POD] = adopted
    assert reasons(again(examination, first)) == {Reason.NO_CONTROLLER}, "the ReplicaSet that it names is not there"
    other = REPLICASET.replace("web-5d4f", "other")
    assert world.asked() == [PODS, other, POD, other]


def test_a_replicaset_that_was_orphaned_is_noticed(world: World) -> None:
    """The workload that is in mind is gone: who controls the ReplicaSet is asked anew, once."""
    examination = world.examination()
    first = look(world, examination)
    world.now += FRESH
    del world.objects[OWNER]
    bare = replicaset_object()
    bare["metadata"]["ownerReferences"] = []
    world.objects[REPLICASET] = bare
    found = again(examination, first)
    assert isinstance(found, Go)
    assert found.workload.ref.kind == "ReplicaSet"
    assert world.asked() == [POD, OWNER, REPLICASET, REPLICASET, PODS, NODE, BUDGETS]


def test_samples_are_asked_for_anew(world: World) -> None:
    """Not over any more, or not seen any more: nothing is done."""
    examination = world.examination()
    first = look(world, examination)
    world.samples = [series(steady(0.4 * GI), id=cgroup(UID, "c0ffee"), name="c0ffee")]
    assert reasons(again(examination, first)) == {Reason.BELOW_THRESHOLD}
    world.samples = []
    assert reasons(again(examination, first)) == {Reason.SAMPLE_GAP}


def test_the_newest_measurement_is_what_is_decided_on(world: World) -> None:
    """The breach that goes on is that of the second look."""
    examination = world.examination()
    first = look(world, examination)
    world.samples = [series(steady(0.95 * GI), id=cgroup(UID, "c0ffee"), name="c0ffee")]
    found = again(examination, first)
    assert isinstance(found, Go)
    assert found.breach.value == 0.95 * GI


@pytest.mark.parametrize("code", [403, 500, 503])
def test_a_list_that_fails_is_an_error(world: World, code: int) -> None:
    """Nothing of before is believed instead."""
    examination = world.examination()
    first = look(world, examination)
    world.objects[PODS] = http(code, status_object(code))
    with pytest.raises(KubernetesError):
        again(examination, first)


def test_what_is_in_flight_meanwhile_counts(world: World) -> None:
    """The journal is the newest, whatever was believed of the world."""
    examination = world.examination()
    first = look(world, examination)
    paused = policies(POLICY, paused=True)
    found = examination.confirmed(BREACH, policy=POLICY, policies=paused, ledger=Ledger(), holds=tuple, first=first)
    assert reasons(found) == {Reason.PAUSED}
    later = replace(POLICY, name="another")
    found = examination.confirmed(
        BREACH, policy=POLICY, policies=policies(later), ledger=Ledger(), holds=tuple, first=first
    )
    assert reasons(found) == {Reason.NOT_MATCHED}


def test_what_holds_by_now_holds(world: World) -> None:
    """A hold that came between intent and act is as good as one from before."""
    examination = world.examination()
    first = look(world, examination)
    hold = Hold("hold-when-1", Reason.HELD, "hold-when-1: 1 series")
    assert reasons(again(examination, first, holds=(hold,))) == {Reason.HELD}
    first = look(world, examination, of=replace(POLICY, action=Action.NOTIFY))
    assert isinstance(again(examination, first, of=replace(POLICY, action=Action.NOTIFY), holds=(hold,)), Go)


CLOSED = Window(frozenset({0}), 0, 1)
"""It is a Friday."""
URGENT = replace(POLICY, windows=(CLOSED,), emergency=parse_threshold("850Mi"))


def test_an_emergency_has_to_stand_at_the_second_look_too(world: World) -> None:
    """What was begun outside of the windows is called off once the pod is over its threshold and no more than that."""
    examination = world.examination()
    urgent = replace(BREACH, emergency=True)
    first = look(world, examination, one=urgent, of=URGENT)
    found = again(examination, first, of=URGENT)
    assert isinstance(found, Go)
    assert found.breach.emergency
    world.samples = [series(steady(0.8 * GI), id=cgroup(UID, "c0ffee"), name="c0ffee")]
    assert reasons(again(examination, first, of=URGENT)) == {Reason.WINDOW_CLOSED}
    assert reasons(again(examination, None, of=URGENT)) == {Reason.WINDOW_CLOSED}
    assert isinstance(again(examination, first, of=replace(URGENT, windows=())), Go)


@pytest.mark.parametrize("annotations", [{"for": "10m"}, {"action": "notify"}])
def test_by_its_own_annotations_it_may_be_none(world: World, annotations: dict[str, str]) -> None:
    """Over the emergency for two minutes but not for ten, or only to be reported: it waits like everybody else."""
    owner = deployment_object()
    owner["metadata"]["annotations"] = {f"remediator.dev/{key}": value for key, value in annotations.items()}
    world.objects[OWNER] = owner
    early = steady(0.8 * GI, since=NOW - 700, until=NOW - 300)
    world.samples = [series([*early, *steady(0.9 * GI, since=NOW - 285)], id=cgroup(UID, "c0ffee"), name="c0ffee")]
    examination, pod = world.examination(), Pods(world.api).read("shop", BREACH.pod)
    assert pod is not None

    def guarded(one: Breach, of: Policy) -> Go | Vetoed:
        file = policies(of, annotations=True)
        return examination.guarded(one, pod=pod, policy=of, policies=file, ledger=recent, holds=())

    recent = Ledger(acts=(Act("dep-uid", "before", NOW - 60.0),))
    urgent = replace(BREACH, emergency=True)
    reports = "action" in annotations
    assert reasons(guarded(urgent, URGENT)) == (
        {Reason.COOLDOWN} if reports else {Reason.WINDOW_CLOSED, Reason.COOLDOWN}
    )
    assert isinstance(guarded(urgent, replace(URGENT, cooldown=0, windows=())), Go)
