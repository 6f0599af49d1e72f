"""``resume``: closing a breaker, and accepting a journal that was lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from remediator.act import ledger as changes
from remediator.act.journal import KEY, UID_ANNOTATION, decode, encode
from remediator.cli.main import app
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Outcome
from remediator.model.workloads import WorkloadRef
from tests.unit.cluster.objects import status_object
from tests.unit.make import NOW, record
from tests.unit.servers import Connection, Request, Server, http, serving

MAPS = "/api/v1/namespaces/ops/configmaps"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/ops/leases/remediator"
JOURNAL = "remediator-journal"


class Cluster:
    """An API server with one journal and one Lease, that keeps its versions."""

    def __init__(self) -> None:
        self.maps: dict[str, dict[str, Any]] = {}
        self.lease: dict[str, Any] | None = None
        self.before: Callable[[Request], bytes | None] = lambda _: None
        self._count = 10

    def put(self, text: str | None, *, uid: str = "journal-uid") -> None:
        """Store a journal."""
        metadata = {"name": JOURNAL, "uid": uid, "resourceVersion": self._next()}
        self.maps[JOURNAL] = {"metadata": metadata, "data": {} if text is None else {KEY: text}}

    def hold(self, annotated: str | None) -> None:
        """A Lease that knows this journal."""
        annotations = {} if annotated is None else {UID_ANNOTATION: annotated, "other": "kept"}
        metadata = {"name": "remediator", "resourceVersion": self._next(), "annotations": annotations}
        self.lease = {"metadata": metadata, "spec": {"holderIdentity": "leader", "leaseDurationSeconds": 30}}

    @property
    def ledger(self) -> Ledger:
        """What stands in the journal."""
        return decode(self.maps[JOURNAL]["data"].get(KEY))

    @property
    def annotations(self) -> dict[str, str]:
        """Those of the Lease."""
        assert self.lease is not None
        found: dict[str, str] = self.lease["metadata"]["annotations"]
        return found

    def __call__(self, request: Request, _connection: Connection) -> bytes:
        """As the API server."""
        early = self.before(request)
        if early is not None:
            return early
        name = request.path.rpartition("/")[2]
        match request.method:
            case "GET" if request.path == LEASE:
                return self._answer(self.lease)
            case "GET":
                return self._answer(self.maps.get(name))
            case "POST" if request.path == MAPS:
                return self._store(request.json, uid=f"new-{self._next()}")
            case "PUT" if name in self.maps:
                return self._update(name, request.json)
            case "PATCH" if request.path == LEASE and self.lease is not None:
                return self._annotate(request.json)
        return http(404, status_object(404))

    def _next(self) -> str:
        self._count += 1
        return str(self._count)

    def _answer(self, found: dict[str, Any] | None) -> bytes:
        return http(404, status_object(404)) if found is None else http(200, found)

    def _store(self, body: dict[str, Any], *, uid: str) -> bytes:
        name = body["metadata"]["name"]
        if name in self.maps:
            return http(409, status_object(409))
        self.maps[name] = {
            "metadata": {"name": name, "uid": uid, "resourceVersion": self._next()},
            "data": body["data"],
        }
        return http(201, self.maps[name])

    def _update(self, name: str, body: dict[str, Any]) -> bytes:
        known = self.maps[name]["metadata"]
        if body["metadata"]["resourceVersion"] != known["resourceVersion"] or body["metadata"]["uid"] != known["uid"]:
            return http(409, status_object(409, "the object has been modified"))
        self.maps[name] = {"metadata": {**known, "resourceVersion": self._next()}, "data": body["data"]}
        return http(200, self.maps[name])

    def _annotate(self, body: dict[str, Any]) -> bytes:
        assert self.lease is not None
        if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            return http(409, status_object(409))
        self.lease["metadata"]["annotations"] |= body["metadata"]["annotations"]
        self.lease["metadata"]["resourceVersion"] = self._next()
        return http(200, self.lease)


@pytest.fixture
def cluster() -> Cluster:
    """Without journal and Lease."""
    return Cluster()


@pytest.fixture
def server(cluster: Cluster) -> Iterator[Server]:
    """It, on loopback."""
    with serving(cluster) as running:
        yield running


@pytest.fixture(autouse=True)
def _here(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig in the environment, as an operator has one."""
    for name in list(os.environ):
        if name.startswith("REMEDIATOR_"):
            monkeypatch.delenv(name)
    file = tmp_path / "kubeconfig"
    content = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "ops"}}],
    }
    file.write_text(yaml.safe_dump(content))
    monkeypatch.setenv("REMEDIATOR_KUBECONFIG", str(file))


def resume(*arguments: str) -> Result:
    """Call ``remediator resume``."""
    result = CliRunner().invoke(app, ["resume", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def broken(*names: str, namespace: str = "shop") -> Ledger:
    """A journal in which the breakers of these Deployments are open."""
    held = Ledger(epoch=3, holder="leader")
    for name in names:
        ref = WorkloadRef("Deployment", namespace, name, f"{namespace}-{name}")
        one = record(id=f"{namespace}-{name}", workload=ref)
        held = changes.intended(held, one)
        failed = record(id=one.id, workload=ref, outcome=Outcome.NOT_READY, settled_at=float(NOW))
        held = changes.settled(held, failed)
    return held


def writes(server: Server) -> list[str]:
    """The methods of everything that was not a read."""
    return [request.method for request in server.requests if request.method != "GET"]


@pytest.mark.parametrize(
    "arguments", [(), ("shop",), ("--journal", "shop", "Deployment/web"), ("--journal", "shop"), ("shop", "--journal")]
)
def test_one_of_two_things_has_to_be_asked_for(server: Server, arguments: tuple[str, ...]) -> None:
    """A workload or the journal, and nothing is done before that is clear."""
    result = resume(*arguments)
    assert result.exit_code == 2
    assert result.stderr == "remediator: give NAMESPACE KIND/NAME, or --journal and neither of them\n"
    assert server.requests == []


# A breaker


def test_a_breaker_is_closed(cluster: Cluster) -> None:
    """That one, and nothing else in the journal is changed."""
    before = broken("web", "api")
    cluster.put(encode(before))
    result = resume("shop", "Deployment/web")
    assert (result.exit_code, result.stdout) == (0, "closed the breaker of Deployment/web in shop\n")
    assert cluster.ledger == changes.closed(before, "shop-web")


@pytest.mark.parametrize(
    "arguments", [("shop", "Deployment/other"), ("other", "Deployment/web"), ("shop", "ReplicaSet/web")]
)
def test_nothing_to_close_is_1(cluster: Cluster, server: Server, arguments: tuple[str, ...]) -> None:
    """What is open is named, so that a slip of the pen is seen."""
    cluster.put(encode(broken("web", "api")))
    result = resume(*arguments)
    assert result.exit_code == 1
    assert "open: shop Deployment/web, shop Deployment/api" in result.stdout
    assert writes(server) == []


def test_what_was_closed_as_json(cluster: Cluster) -> None:
    """One document: the outcome, the sentence, and what is still open; the exit codes stay."""
    cluster.put(encode(broken("web", "api")))
    result = resume("shop", "Deployment/web", "--output", "json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["outcome"]) == (0, "closed")
    assert document["words"] == "closed the breaker of Deployment/web in shop"
    assert document["open_breakers"] == ["shop Deployment/api"]
    result = resume("shop", "Deployment/web", "--output", "json")
    assert (result.exit_code, json.loads(result.stdout)["outcome"]) == (1, "nothing")


def test_an_accepted_journal_as_json(cluster: Cluster) -> None:
    """The same document."""
    cluster.hold("lost")
    result = resume("--journal", "--output", "json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["outcome"]) == (0, "accepted")
    assert (document["namespace"], document["journal"], document["open_breakers"]) == ("ops", JOURNAL, [])


def test_with_nothing_open_it_says_so(cluster: Cluster) -> None:
    """None."""
    cluster.put(encode(Ledger()))
    result = resume("shop", "Deployment/web")
    assert (result.exit_code, result.stdout) == (1, "no open breaker of Deployment/web in shop; open: none\n")


def test_the_daemon_may_write_meanwhile(cluster: Cluster) -> None:
    """A conflict is no failure: it is closed in what is there now."""
    cluster.put(encode(broken("web")))
    raced: list[Request] = []

    def race(request: Request) -> None:
        if request.method == "PUT" and not raced:
            raced.append(request)
            cluster.put(encode(broken("web", "api")))

    cluster.before = race
    assert resume("shop", "Deployment/web").exit_code == 0
    assert set(cluster.ledger.breakers) == {"shop-api"}


def test_somebody_who_writes_all_the_time_is_could_not(cluster: Cluster) -> None:
    """After a few tries."""
    cluster.put(encode(broken("web")))

    def race(request: Request) -> None:
        if request.method == "PUT":
            cluster.put(encode(broken("web")))

    cluster.before = race
    result = resume("shop", "Deployment/web")
    assert result.exit_code == 2
    assert "try again" in result.stderr
    assert set(cluster.ledger.breakers) == {"shop-web"}


def test_without_a_journal_the_namespace_is_asked_about(server: Server) -> None:
    """Most likely it is the wrong one."""
    result = resume("shop", "Deployment/web")
    assert result.exit_code == 2
    assert "is --namespace right?" in result.stderr
    assert writes(server) == []


@pytest.mark.parametrize("text", [None, "{", '{"version": 9, "ledger": {}}'])
def test_a_journal_that_can_t_be_read_is_left_alone(cluster: Cluster, server: Server, text: str | None) -> None:
    """It takes ``--journal`` to write over it."""
    cluster.put(text)
    result = resume("shop", "Deployment/web")
    assert result.exit_code == 2
    assert result.stderr.startswith("remediator: the journal ")
    assert writes(server) == []


@pytest.mark.parametrize("code", [401, 403, 500])
def test_without_the_right_it_could_not(cluster: Cluster, code: int) -> None:
    """The API server's own words."""
    cluster.before = lambda _: http(code, status_object(code, "configmaps is forbidden"))
    result = resume("shop", "Deployment/web")
    assert result.exit_code == 2
    assert result.stderr == f"remediator: the API server answered {code}: configmaps is forbidden\n"


def test_name_and_namespace_say_which_journal(cluster: Cluster, server: Server) -> None:
    """As for the daemon."""
    resume("shop", "Deployment/web", "--namespace", "elsewhere", "--name", "leaks")
    assert server.requests[0].path == "/api/v1/namespaces/elsewhere/configmaps/leaks-journal"


# The journal


def test_a_journal_in_order_is_nothing_to_accept(cluster: Cluster, server: Server) -> None:
    """A command that was given by mistake forgets nothing."""
    cluster.put(encode(broken("web")))
    cluster.hold("journal-uid")
    result = resume("--journal")
    assert (result.exit_code, result.stdout) == (1, f"the journal {JOURNAL} is in order; nothing to accept\n")
    assert writes(server) == []


def test_a_missing_journal_is_begun_anew(cluster: Cluster) -> None:
    """And the Lease knows it; the Lease's other annotations stay."""
    cluster.hold("gone-uid")
    result = resume("--journal")
    assert result.exit_code == 0
    assert "are forgotten" in result.stdout
    assert cluster.ledger == Ledger()
    assert cluster.annotations == {UID_ANNOTATION: cluster.maps[JOURNAL]["metadata"]["uid"], "other": "kept"}


def test_an_unreadable_journal_is_begun_anew(cluster: Cluster) -> None:
    """In the same object."""
    cluster.put("{")
    cluster.hold("journal-uid")
    result = resume("--journal")
    assert result.exit_code == 0
    assert "are forgotten" in result.stdout
    assert cluster.ledger == Ledger()
    assert cluster.annotations[UID_ANNOTATION] == "journal-uid"


def test_another_journal_is_accepted_as_it_is(cluster: Cluster) -> None:
    """A backup that was put back: nothing in it is forgotten."""
    before = broken("web")
    cluster.put(encode(before), uid="restored-uid")
    cluster.hold("gone-uid")
    result = resume("--journal")
    assert (result.exit_code, result.stdout) == (0, f"accepted the journal {JOURNAL} that is there\n")
    assert cluster.ledger == before
    assert cluster.annotations[UID_ANNOTATION] == "restored-uid"


def test_without_a_lease_there_is_nobody_to_tell(cluster: Cluster) -> None:
    """The daemon that takes the next one finds the journal and believes it."""
    cluster.put("{")
    assert resume("--journal").exit_code == 0
    assert cluster.ledger == Ledger()
    assert cluster.lease is None


def test_the_lease_may_be_renewed_meanwhile(cluster: Cluster) -> None:
    """A conflict with a renewal is no failure."""
    cluster.hold("gone-uid")
    raced: list[Request] = []

    def race(request: Request) -> None:
        if request.method == "PATCH" and len(raced) < 2:
            raced.append(request)
            cluster.hold("gone-uid")

    cluster.before = race
    assert resume("--journal").exit_code == 0
    assert len(raced) == 2
    assert cluster.annotations[UID_ANNOTATION] == cluster.maps[JOURNAL]["metadata"]["uid"]


def test_a_lease_that_is_written_all_the_time_is_could_not(cluster: Cluster) -> None:
    """The journal is there, the Lease does not know it, and the command says to try again."""
    cluster.hold("gone-uid")

    def race(request: Request) -> None:
        if request.method == "PATCH":
            cluster.hold("gone-uid")

    cluster.before = race
    result = resume("--journal")
    assert result.exit_code == 2
    assert "try again" in result.stderr
    cluster.before = lambda _: None
    assert resume("--journal").exit_code == 0
