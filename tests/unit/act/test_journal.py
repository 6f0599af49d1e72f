"""The journal: its text, and its writes where others write as well, answers get lost and leaders change."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.act import ledger as changes
from remediator.act.journal import KEY, UID_ANNOTATION, decode, encode
from remediator.cluster.store import StoredText
from remediator.errors import (
    JournalError,
    JournalFull,
    JournalMissing,
    JournalUnreadable,
    KubernetesRefused,
    KubernetesUnreachable,
    NotLeader,
    RemediatorError,
)
from remediator.model.remediations import Breaker, Ledger
from remediator.model.vocabulary import Outcome
from remediator.model.workloads import WorkloadRef
from tests.unit.act.fakes import NAME, Cluster, Leader, end, intent, journal, refused
from tests.unit.act.strategies import ledgers
from tests.unit.make import NOW, breach, record

# The text


@given(ledger=ledgers)
def test_what_is_written_is_read(ledger: Ledger) -> None:
    """Every journal comes back from its text as it was, to the last field."""
    assert decode(encode(ledger)) == ledger


@given(text=st.none() | st.text())
def test_rubbish_is_not_our_journal(text: str | None) -> None:
    """Whatever stands in the ConfigMap, it is a journal or JournalUnreadable, in one sentence."""
    try:
        assert isinstance(decode(text), Ledger)
    except JournalUnreadable as exc:
        said = str(exc)
        assert said.startswith("the journal ")
        assert "\n" not in said
        assert len(said) < 300


@given(ledger=ledgers, data=st.data())
def test_a_journal_that_somebody_has_edited_is_read_or_refused(ledger: Ledger, data: st.DataObject) -> None:
    """A part that is removed, or replaced by something else, gives a journal or JournalUnreadable and nothing else."""
    document = json.loads(encode(ledger))
    node: Any = document
    while True:
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
            node = node[key]
            continue
        if data.draw(st.booleans()):
            del node[key]
        else:
            node[key] = data.draw(st.sampled_from([None, -1, 1.5, "x", [], {}, True, "9" * 30, "nan"]))
        break
    try:
        decode(json.dumps(document))
    except JournalUnreadable as exc:
        assert "\n" not in str(exc)  # noqa: PT017 (that it is raised is not what this is about)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, f"the journal has no key {KEY}"),
        ("", "the journal can't be read"),
        ("null", "the journal can't be read"),
        ("{}", "version"),
        ('{"version": 2, "ledger": {}}', "version 2, this program knows version 1"),
        ('{"version": 1}', "ledger"),
        ('{"version": 1, "ledger": {}, "more": 1}', "more"),
        ('{"version": 1, "ledger": {}}', "acts, breakers, epoch, holder, in_flight, settled"),
        ("[" * 100_000, "the journal can't be read"),
    ],
)
def test_what_is_wrong_is_said(text: str | None, words: str) -> None:
    """The sentence names the place."""
    with pytest.raises(JournalUnreadable, match=words):
        decode(text)


@pytest.mark.parametrize("part", ["in_flight", "breakers"])
def test_what_stands_under_another_name_is_not_found_again(part: str) -> None:
    """Nobody would ever carry on with such a record, which holds its slot, and no guard would see such a breaker."""
    one = record(outcome=None)
    document = json.loads(
        encode(Ledger(in_flight={one.id: one}, breakers={one.workload.uid: Breaker(one.workload, 1.0, one)}))
    )
    (found,) = document["ledger"][part].values()
    document["ledger"][part] = {"another": found}
    with pytest.raises(
        JournalUnreadable, match=f"the journal can't be read: in ledger.{part} another is the name of something else"
    ):
        decode(json.dumps(document))


def test_a_text_is_no_number() -> None:
    """A NaN would be written as null by the next change, and nothing could be read afterwards."""
    one = record(intended_at=7.0)
    text = encode(Ledger(in_flight={one.id: one})).replace('"intended_at":7.0', '"intended_at":"NaN"')
    with pytest.raises(JournalUnreadable):
        decode(text)


# Writes


@pytest.fixture
def cluster() -> Cluster:
    """An empty cluster."""
    return Cluster()


def test_the_first_start_makes_a_journal_and_tells_the_lease(cluster: Cluster) -> None:
    """The Lease carries the journal's UID, so that its loss is noticed."""
    found = journal(cluster).current()
    assert (found.epoch, found.holder) == (1, "me")
    assert cluster.ledger == found
    assert cluster.annotations == {UID_ANNOTATION: cluster.maps[NAME].uid}


def test_each_leader_raises_the_epoch(cluster: Cluster) -> None:
    """The first write of a term is its epoch, and it takes over what is in flight."""
    journal(cluster, Leader(cluster, "a")).update(intent(record()), intent=True)
    found = journal(cluster, Leader(cluster, "b")).current()
    assert (found.epoch, found.holder) == (2, "b")
    assert list(found.in_flight) == [record().id]


def test_reading_costs_nothing_while_it_is_known(cluster: Cluster) -> None:
    """The ledger is read at the start of a term, and its own writes are known."""
    held = journal(cluster)
    held.current()
    held.update(intent(record()))
    cluster.faults = ["blind"]
    assert list(held.current().in_flight) == [record().id]
    assert cluster.faults == ["blind"]


def test_a_change_that_changes_nothing_is_not_written(cluster: Cluster) -> None:
    """Settling what is settled already costs no write."""
    held = journal(cluster)
    held.update(intent(record()))
    before = cluster.writes
    held.update(intent(record()))
    assert cluster.writes == before


@pytest.mark.parametrize("fault", ["lost", "odd", "missed", "conflict"])
def test_a_write_that_goes_wrong_is_made_once(cluster: Cluster, fault: str) -> None:
    """A lost answer, whether the write landed or not, and a write in between: in the end it is there once."""
    held = journal(cluster)
    held.current()
    cluster.faults = [fault]
    held.update(intent(record()), intent=True)
    assert list(cluster.ledger.in_flight) == [record().id]
    assert len(cluster.ledger.acts) == 1
    assert held.current() == cluster.ledger


@pytest.mark.parametrize("fault", ["lost", "missed"])
def test_a_write_whose_end_is_not_known_is_looked_up_before_anything_else(cluster: Cluster, fault: str) -> None:
    """Where the look fails as well, the error goes up, and the next call sees what is there."""
    held = journal(cluster)
    held.current()
    cluster.faults = [fault, "blind"]
    with pytest.raises(KubernetesUnreachable):
        held.update(intent(record()), intent=True)
    assert held.current() == cluster.ledger
    held.update(intent(record()), intent=True)
    assert list(cluster.ledger.in_flight) == [record().id]
    assert len(cluster.ledger.acts) == 1


@pytest.mark.parametrize("code", [400, 403, 413, 422])
def test_a_refusal_goes_up_and_changes_nothing(cluster: Cluster, code: int) -> None:
    """What the API server has refused is not there, and the journal is as known as before."""
    held = journal(cluster)
    held.current()
    cluster.faults = [code]
    with pytest.raises(KubernetesRefused):
        held.update(intent(record()), intent=True)
    assert held.current() == cluster.ledger
    assert held.current().in_flight == {}


def test_an_operator_s_change_is_taken_in(cluster: Cluster) -> None:
    """A breaker that was closed meanwhile stays closed, and our own change comes on top."""
    held = journal(cluster)
    one = record()
    held.update(intent(one))
    failed = replace(one, outcome=Outcome.NOT_READY, settled_at=float(NOW))
    held.update(lambda ledger: changes.settled(ledger, failed))
    cluster.change(lambda ledger: changes.closed(ledger, "dep-uid"))
    two = record(id="two", breach=breach(uid="u2"))
    held.update(intent(two))
    assert cluster.ledger.breakers == {}
    assert list(cluster.ledger.in_flight) == ["two"]


def test_a_change_that_objects_to_the_newest_journal_is_not_written(cluster: Cluster) -> None:
    """The guards are asked again on what is there when the write is made."""
    held = journal(cluster)
    held.current()
    cluster.change(intent(record(id="other")))
    before = cluster.ledger

    def only_one(ledger: Ledger) -> Ledger:
        if ledger.in_flight:
            message = "one is in flight"
            raise LookupError(message)
        return changes.intended(ledger, record())

    with pytest.raises(LookupError):
        held.update(only_one, intent=True)
    assert cluster.ledger == before


def test_somebody_who_writes_all_the_time_ends_the_try(cluster: Cluster) -> None:
    """After a few conflicts it is an error, and not an endless loop."""
    held = journal(cluster)
    held.current()
    cluster.faults = ["conflict"] * 50
    with pytest.raises(KubernetesUnreachable, match="all the time"):
        held.update(intent(record()))
    assert 40 < len(cluster.faults) < 50


def test_many_threads_write_one_journal(cluster: Cluster) -> None:
    """Each remediation has a thread of its own: all that was acknowledged to any of them is there once."""
    held = journal(cluster)
    held.current()
    cluster.faults = ["lost", "conflict", "missed", "odd", "conflict"] * 8
    acknowledged: list[str] = []

    def work(thread: int) -> None:
        for n in range(10):
            one = record(id=f"{thread}-{n}", workload=WorkloadRef("Deployment", "n", f"{thread}", f"{thread}"))
            held.update(intent(one), intent=True)
            if n % 2:
                held.update(end(one))
            acknowledged.append(one.id)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    ledger = cluster.ledger
    assert held.current() == ledger
    there = [*ledger.in_flight, *(one.id for one in ledger.settled)]
    assert sorted(there) == sorted(acknowledged) == sorted(f"{t}-{n}" for t in range(8) for n in range(10))
    assert sorted(act.remediation_id for act in ledger.acts) == sorted(there)


# Another leader


def test_an_older_leader_writes_nothing_once_a_new_one_has_begun(cluster: Cluster) -> None:
    """A leader that was frozen and believes in its lease is refused by the journal, and steps down."""
    old_leader = Leader(cluster, "old")
    old = journal(cluster, old_leader)
    old.update(intent(record()))
    new = journal(cluster, Leader(cluster, "new"))
    new.current()
    before = cluster.ledger
    with pytest.raises(NotLeader, match=r"led by new \(epoch 2\)"):
        old.update(intent(record(id="late")), intent=True)
    assert cluster.ledger == before
    assert old_leader.stepped_down
    with pytest.raises(NotLeader):
        old.update(intent(record(id="later")), intent=True)
    assert cluster.ledger == before


def test_without_the_lease_nothing_is_written(cluster: Cluster) -> None:
    """Every write asks the fence first, with its own time-out."""
    leader = Leader(cluster, "me")
    held = journal(cluster, leader)
    held.current()
    leader.leading = False
    before = cluster.ledger
    with pytest.raises(NotLeader):
        held.update(intent(record()))
    assert cluster.ledger == before
    assert held.current() == before
    assert all(timeout >= 1 for timeout in leader.fenced)


def test_without_the_lease_no_term_begins(cluster: Cluster) -> None:
    """Neither a first journal nor an epoch is written by somebody who does not lead."""
    leader = Leader(cluster, "me")
    leader.leading = False
    with pytest.raises(NotLeader):
        journal(cluster, leader).current()
    assert cluster.maps == {}
    cluster.put(NAME, encode(Ledger(epoch=4, holder="x")))
    with pytest.raises(NotLeader):
        journal(cluster, leader).current()
    assert cluster.ledger.epoch == 4


def test_a_term_that_is_over_writes_nothing(cluster: Cluster) -> None:
    """``close`` refuses everything that comes later, though the lease may still be ours."""
    held = journal(cluster)
    held.current()
    held.close(timeout=1)
    before = cluster.ledger
    with pytest.raises(NotLeader, match="term is over"):
        held.update(intent(record()))
    assert cluster.ledger == before


# Gone, replaced, unreadable, full


def test_a_journal_that_is_gone_stops_everything(cluster: Cluster) -> None:
    """Deleting the ConfigMap erases no cooldown silently: not at a start, and not in the middle of a term."""
    held = journal(cluster)
    held.current()
    del cluster.maps[NAME]
    with pytest.raises(JournalMissing, match="remediator resume --journal"):
        held.update(intent(record()))
    with pytest.raises(JournalMissing):
        journal(cluster, Leader(cluster, "next")).current()
    assert cluster.maps == {}


def test_a_journal_that_was_replaced_stops_everything(cluster: Cluster) -> None:
    """Another ConfigMap of that name is not the one that the Lease knows."""
    held = journal(cluster)
    held.update(intent(record()))
    del cluster.maps[NAME]
    cluster.put(NAME, encode(Ledger()))
    before = cluster.maps[NAME]
    with pytest.raises(JournalMissing, match="replaced by another one"):
        held.update(intent(record(id="two")))
    with pytest.raises(JournalMissing):
        journal(cluster, Leader(cluster, "next")).current()
    assert cluster.maps[NAME] == before


@pytest.mark.parametrize("text", [None, "", "{", '{"version":9,"ledger":{}}'])
def test_a_journal_that_can_t_be_read_is_kept_aside_and_stops_everything(cluster: Cluster, text: str | None) -> None:
    """Its content is copied under another name, once, and nothing is written over it."""
    journal(cluster).current()
    broken = cluster.put(NAME, text)
    held = journal(cluster, Leader(cluster, "next"))
    for _ in range(3):
        with pytest.raises(JournalUnreadable, match="resume --journal"):
            held.current()
    assert cluster.maps[NAME] == broken
    [aside] = [name for name in cluster.maps if name != NAME]
    assert aside == f"{NAME}-unreadable-{broken.version}"
    assert cluster.maps[aside].text == (text or "")


def test_an_accepted_journal_goes_on(cluster: Cluster) -> None:
    """What ``resume --journal`` leaves behind is taken over by the leader that has been waiting, in a new epoch."""
    leader = Leader(cluster, "me")
    held = journal(cluster, leader)
    held.update(intent(record()))
    cluster.put(NAME, "broken")
    with pytest.raises(JournalUnreadable):
        held.refresh()
    cluster.put(NAME, encode(Ledger()))
    assert held.current().holder == "me"
    held.update(intent(record(id="two")))
    assert list(cluster.ledger.in_flight) == ["two"]
    assert leader.leading
    del cluster.maps[NAME]
    cluster.annotations[UID_ANNOTATION] = cluster.put(NAME, encode(Ledger())).uid
    assert held.refresh() == cluster.ledger
    assert cluster.ledger.holder == "me"


@pytest.mark.parametrize("fault", ["lost", "missed", "odd", 500, "conflict"])
def test_a_take_over_that_goes_wrong_is_made_again(cluster: Cluster, fault: str | int) -> None:
    """An epoch may be raised twice; it is never that of somebody else, and the term works."""
    journal(cluster, Leader(cluster, "old")).update(intent(record()))
    leader = Leader(cluster, "new")
    held = journal(cluster, leader)
    cluster.faults = [fault]
    with pytest.raises(RemediatorError):
        held.current()
    cluster.faults = []
    found = held.current()
    assert found.holder == "new"
    assert found.epoch >= 2
    assert list(found.in_flight) == [record().id]
    held.update(end(record()))
    assert cluster.ledger.in_flight == {}
    assert leader.leading


def test_a_full_journal_takes_no_intent_and_settles_all_the_same(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its bound nothing is begun, and what is in flight can still end."""
    held = journal(cluster)
    held.update(intent(record()), intent=True)
    size = len(encode(held.current()))
    monkeypatch.setattr("remediator.act.journal.ROOM_FOR_INTENT", size + 50)
    with pytest.raises(JournalFull):
        held.update(intent(record(id="two")), intent=True)
    assert list(cluster.ledger.in_flight) == [record().id]
    held.update(end(record()))
    assert cluster.ledger.in_flight == {}
    assert len(cluster.ledger.settled) == 1


@pytest.mark.parametrize("fault", ["lost", "missed", "odd", "conflict", None])
def test_at_its_bound_history_gives_way_to_an_intent(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, fault: str | None
) -> None:
    """The oldest settled records leave; no act and nothing in flight does, whatever becomes of the write."""
    held = journal(cluster)
    for n in range(40):
        one = record(id=f"old-{n}", detail="x" * 200)
        held.update(intent(one))
        held.update(end(one))
    before = held.current()
    monkeypatch.setattr("remediator.act.journal.ROOM_FOR_INTENT", len(encode(before)))
    cluster.faults = [fault] if fault else []
    held.update(intent(record(id="new")), intent=True)
    after = cluster.ledger
    assert held.current() == after
    assert list(after.in_flight) == ["new"]
    assert [one.id for one in after.settled] == [one.id for one in before.settled][-len(after.settled) :]
    assert 30 < len(after.settled) < 40
    assert len(after.acts) == 41


def test_the_bound_counts_bytes(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is not ASCII takes more bytes than it has characters."""
    held = journal(cluster)
    held.current()
    wide = record(detail="ü" * 1000)
    monkeypatch.setattr(
        "remediator.act.journal.ROOM_FOR_INTENT", len(encode(changes.intended(held.current(), wide))) + 500
    )
    with pytest.raises(JournalFull):
        held.update(intent(wide), intent=True)


def test_every_failure_of_the_journal_is_one_of_ours(cluster: Cluster) -> None:
    """Whoever calls it has three kinds of errors to expect."""
    assert issubclass(JournalFull, JournalError)
    for fault in (400, 404, 409, 500, "lost", "missed", "odd", "blind"):
        held = journal(cluster, Leader(cluster, f"of-{fault}"))
        cluster.faults = [fault] * 20
        with pytest.raises(RemediatorError):
            held.update(intent(record(id=f"of-{fault}")))
        cluster.faults = []


@pytest.mark.parametrize("code", [500, 504])
def test_a_write_that_timed_out_in_the_server_is_looked_up(code: int) -> None:
    """It may have landed: what is in flight in the cluster is in flight for us."""

    class Slow(Cluster):
        armed = False

        def write(self, land: Callable[[], StoredText]) -> StoredText:
            stored = land()
            if self.armed:
                self.armed = False
                raise refused(code)
            return stored

    slow = Slow()
    held = journal(slow)
    held.current()
    slow.armed = True
    assert held.update(intent(record()), intent=True) == slow.ledger
    assert list(held.current().in_flight) == [record().id]


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_a_journal_with_no_number_in_it_is_unreadable(number: str) -> None:
    """Python's parsers take what JSON has not; nothing is counted from it."""
    act = f'"acts":[{{"workload_uid":"u","remediation_id":"r","at":{number}}}]'
    with pytest.raises(JournalUnreadable):
        decode(encode(Ledger()).replace('"acts":[]', act))


# Journals of before


def test_a_journal_of_before_there_were_groups_is_read() -> None:
    """Written by the first version: two records in flight, one settled, a breaker; none of their workloads has a group.

    Whoever reads it takes them for Kubernetes' own, as that version did, and writes them down again as they were.
    """
    ledger = decode(Path(__file__).with_name("journal-before-groups.json").read_text())
    assert sorted(ledger.in_flight) == ["0123456789ab", "a" * 12]
    assert [one.id for one in ledger.settled] == ["b" * 12]
    assert set(ledger.breakers) == {"dep-2"}
    every = [*ledger.in_flight.values(), *ledger.settled, ledger.breakers["dep-2"].record]
    assert {one.workload.api_version for one in every} == {""}
    assert all(one.workload.is_a("Deployment") for one in every)
    assert ledger.in_flight["0123456789ab"] == record()
    assert decode(encode(ledger)) == ledger


def test_the_group_of_a_workload_is_written() -> None:
    """Although it does not count when two are compared."""
    one = record(workload=WorkloadRef("CloneSet", "shop", "web", "uid", "apps.kruise.io/v1alpha1"))
    read = decode(encode(changes.intended(Ledger(), one))).in_flight[one.id]
    assert read.workload.api_version == "apps.kruise.io/v1alpha1"
