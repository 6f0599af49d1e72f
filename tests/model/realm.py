"""The fake API server around the real code: one workload, the journal, and requests that are on their way."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any, Self, cast

from remediator.act import remediations as supervising
from remediator.act.journal import Journal, encode
from remediator.act.looks import Go, Vetoed
from remediator.act.looks import World as Around
from remediator.act.means import Means
from remediator.act.transaction import Transaction
from remediator.cluster.api import ApiServer, Json
from remediator.cluster.election import Elector
from remediator.cluster.orphans import Orphans
from remediator.cluster.removal import Removal
from remediator.cluster.store import StoredText, TextStore
from remediator.cluster.watch import Listed
from remediator.decide import about_pod, about_workload, policy_and_journal
from remediator.model.measures import Breach, Veto
from remediator.model.nodes import Node
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger, Remediation
from remediator.model.vocabulary import Action, Reason
from remediator.model.workloads import Workload, WorkloadRef
from remediator.policy import Budget, CountOrPercent, Policy, PolicyFile
from remediator.pulse import Pulse
from tests.model import puppets
from tests.model.puppets import Puppet
from tests.model.world import Phase, Pod, Size
from tests.unit import make
from tests.unit.act.fakes import Leader

JOURNAL = "remediator-journal"
LATE = 100.0
NEVER = 10**9
"""Seconds of a cooldown that has not passed."""
_NODE = Node("node-1")


@dataclass
class Realm:
    """What the API server holds, and the clock that everybody sees."""

    size: Size
    stamps: bool
    """Whether a policy makes use of the right to change pods."""
    pods: tuple[Pod, ...] = ()
    stored: StoredText = field(default_factory=lambda: StoredText("uid", "0", encode(Ledger())))
    annotations: dict[str, str] = field(default_factory=dict)
    cooled: frozenset[str] = frozenset()
    """The ids of the records whose cooldown has passed."""
    now: float = float(make.NOW)
    paused: bool = False
    objecting: bool = False
    """Whether the judge of the second look says no."""

    @property
    def ref(self) -> WorkloadRef:
        """The workload."""
        return WorkloadRef("StatefulSet", "shop", "web", "sts-uid") if self.size.named else make.DEPLOYMENT

    def live(self, uid: int) -> LivePod:
        """A pod as the API server has it."""
        pod = self.pods[uid]
        return make.pod(
            name=f"web-{pod.name}",
            uid=f"uid-{uid}",
            resource_version=f"{uid}.{pod.version}",
            created_at=make.NOW - 1000.0 + uid,
            ready_since=None if pod.phase is Phase.STARTING else make.NOW - 900.0,
            deleted_at=self.now + 30.0 if pod.phase is Phase.ENDING else None,
        )

    def workload(self) -> Workload:
        """The workload with its pods, as the API server has it."""
        alive = tuple(self.live(uid) for uid, pod in enumerate(self.pods) if pod.phase is not Phase.GONE)
        return make.workload(ref=self.ref, wanted=self.size.pods, pods=alive)

    def named(self, name: str) -> LivePod | None:
        """The pod of that name."""
        return next((pod for pod in self.workload().pods if pod.name == name), None)

    def policy(self, ledger: Ledger) -> Policy:
        """The policy, with a cooldown that has passed if that of each act in the ledger has."""
        passed = all(act.remediation_id in self.cooled for act in ledger.acts)
        return make.policy(
            cooldown=0 if passed else NEVER,
            max_unavailable=CountOrPercent(self.size.max_unavailable),
            max_per_workload=Budget(actions=1000, per=3600),
            min_age=0,
        )

    def policies(self) -> PolicyFile:
        """The policy file."""
        budget = Budget(actions=self.size.budget, per=NEVER)
        surging = [make.policy(name="another", action=Action.SURGE)] if self.stamps else []
        return make.policies(
            self.policy(Ledger()), *surging, budget=budget, max_concurrent=self.size.records, paused=self.paused
        )

    def breach(self, uid: int) -> Breach:
        """A pod that is over."""
        return make.breach(pod=f"web-{self.pods[uid].name}", uid=f"uid-{uid}")

    def go(self, uid: int, ledger: Ledger) -> Go:
        """The first look, to which no guard of the cluster objects."""
        around = Around(self.workload(), _NODE, (), self.now)
        return Go(self.breach(uid), self.live(uid), around, self.policy(ledger))

    def policy_and_journal(self, breach: Breach, *, policy: Policy, ledger: Ledger, **more: Any) -> tuple[Veto, ...]:  # noqa: ANN401
        """The real guards, under a policy whose cooldown has passed or not by now."""
        assert policy.name == self.policy(ledger).name
        return policy_and_journal(breach, policy=self.policy(ledger), ledger=ledger, **more)

    def confirmed(self, breach: Breach, *, policies: PolicyFile, ledger: Ledger, **_: object) -> Go | Vetoed:
        """As ``Examination.confirmed``, with the real guards on what is there."""
        pod, policy, workload = self.named(breach.pod), self.policy(ledger), self.workload()
        if pod is None:
            return Vetoed((Veto(Reason.GONE, "it is gone"),))
        if self.objecting:
            return Vetoed((Veto(Reason.BELOW_THRESHOLD, "not over any more"),))
        vetoes = (
            *policy_and_journal(
                breach,
                pod=pod,
                owner=self.ref,
                policy=policy,
                policies=policies,
                ledger=ledger,
                holds=(),
                now=self.now,
            ),
            *about_pod(breach, pod=pod, owner=self.ref, policy=policy, now=self.now),
            *about_workload(
                pod, workload=workload, node=_NODE, budgets=(), policy=policy, policies=policies, ledger=ledger,
                now=self.now,
            ),
        )  # fmt: skip
        return Vetoed(vetoes, self.ref) if vetoes else Go(breach, pod, Around(workload, _NODE, (), self.now), policy)


class Store:
    """``TextStore``, each request of which is waited for."""

    def read(self, _name: str) -> StoredText | None:
        """As the real one."""
        found: StoredText | None = puppets.current().ask(puppets.ReadJournal())
        return found

    def update(self, _name: str, text: str, *, stored: StoredText, timeout: float) -> StoredText:
        """As the real one."""
        assert timeout > 0
        written: StoredText = puppets.current().ask(puppets.WriteJournal(text, stored))
        return written


class Api:
    """``ApiServer`` as ``Removal`` uses it."""

    def write(self, verb: str, method: str, path: str, body: Json, **_: object) -> Json:
        """As the real one."""
        if verb == "patch":
            stamped: Json = puppets.current().ask(puppets.Stamp(body["metadata"]["uid"]))
            return stamped
        assert (verb, method) == ("evict", "POST")
        assert path.endswith("/eviction")
        conditions = body["deleteOptions"]["preconditions"]
        answer: Json = puppets.current().ask(puppets.Evict(conditions["uid"], conditions["resourceVersion"]))
        return answer


class Follow:
    """``PodWatch``."""

    problem = ""

    def __init__(self, *_: object, **__: object) -> None:
        """As the real one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """As the real one."""

    def next(self, timeout: float) -> Listed | None:
        """As the real one; what is there already is had without waiting, and that is nothing."""
        if timeout <= 0:
            return None
        found: Listed | None = puppets.current().ask(puppets.Watch())
        return found


class Remediations(supervising.Remediations):
    """The real supervisor, whose threads are puppets."""

    threads: dict[str, Puppet]
    transactions: dict[str, Transaction]

    def _start(self, record: Remediation, policy: Policy | None, *, inherited: bool, first: Go | None = None) -> None:
        transaction = Transaction(record, policy=policy, means=self._means, inherited=inherited, first=first)
        puppet = Puppet(lambda: self._run(record, transaction))
        self.threads[record.id], self.transactions[record.id] = puppet, transaction
        puppet.start()


class Process:
    """A process of the daemon: what a term is made of, with real parts wherever there is a decision."""

    def __init__(self, realm: Realm, name: str) -> None:
        self.realm = realm
        self.leader = Leader(cast("Any", realm), name)
        self.failed: list[Exception] = []
        self.main: Puppet | None = None
        self.journal = Journal(cast("TextStore", Store()), name=JOURNAL, elector=cast("Elector", self.leader))
        api = cast("ApiServer", Api())
        removal = Removal(api, fence=self.leader.fence)
        # What is missing here is asked for nothing by an eviction.
        parts: Any = dict.fromkeys(part.name for part in fields(Means)) | {
            "pods": SimpleNamespace(read=self._read_pod),
            "owners": SimpleNamespace(
                read=self._read_owner,
                read_with=self._read_owner,
                describe=self._read_owner,
                workload_of=lambda _pod: realm.ref,
            ),
            "orphans": SimpleNamespace(find=tuple, stamp=Orphans(api, removal).stamp),
            "removal": removal,
            "journal": self.journal,
            "examination": SimpleNamespace(
                confirmed=realm.confirmed, budgets_of=lambda _: (), newest_value=lambda *_, **__: 1.0
            ),
            "events": SimpleNamespace(warnings=lambda *_, **__: ()),
            "nodes": SimpleNamespace(read=lambda *_: _NODE),
            "voice": SimpleNamespace(step=self._told, settled=lambda _: None),
            "clock": lambda: realm.now,
            "monotonic": lambda: puppets.current().waited,
            "pause": self._pause,
            "policies": self._policies,
            "sample_interval": 15,
            "late": LATE,
            "pulse": Pulse(),
        }
        means = Means(**parts)
        self.remediations = Remediations(means, failed=lambda _, error: self.failed.append(error))
        self.remediations.threads, self.remediations.transactions = {}, {}

    def do(self, body: Any) -> Puppet:  # noqa: ANN401
        """Run something of it to its first request."""
        self.main = Puppet(body)
        self.main.start()
        return self.main

    def end(self) -> None:
        """No thread of it moves any more."""
        for puppet in filter(None, (self.main, *self.remediations.threads.values())):
            puppet.kill()

    def adopt_only(self, record_id: str) -> None:
        """Adopt one record, and leave the others that could be adopted for later."""
        running = self.remediations._running
        others = {key for key in self.journal.ledger.in_flight if key != record_id and key not in running}
        running.update(dict.fromkeys(others))
        before = self.remediations.threads.get(record_id)
        try:
            self.remediations.adopt()
            assert self.remediations.threads.get(record_id) is not before
        finally:
            for key in others:
                del running[key]

    def _policies(self) -> PolicyFile:
        """What each look of a transaction begins with."""
        if puppets.current() is not self.main:
            puppets.current().ask(puppets.Look())
        return self.realm.policies()

    def _read_pod(self, _namespace: str, name: str) -> LivePod | None:
        puppets.current().ask(puppets.ReadPod(name))
        return self.realm.named(name)

    def _read_owner(self, *_: object) -> Workload:
        puppets.current().ask(puppets.ReadOwner())
        return self.realm.workload()

    def _pause(self, seconds: float) -> bool:
        if seconds > 0:
            puppets.current().ask(puppets.Pause(seconds, late=puppets.current().late))
        return False

    def _told(self, _record: Remediation, event: str, **words: object) -> None:
        if event == "waiting" and str(words.get("words", "")).startswith("a late request"):
            puppets.current().late = True
        elif event == "taken":
            puppets.current().late = False
