"""The chart's alerts about etcd, in a real Prometheus that scrapes real members: quiet, fired, quiet again.

Where an alert has to end, windows are a twentieth of the chart's, so that what has happened is forgotten in seconds.
Not here: EtcdNodeDisk, which is about node_exporter's series, and EtcdDatabaseGrowth, which looks at hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.exporters.alerts import Firing, firing, impatient, watching
from tests.exporters.etcd import Etcd, Member, Refused
from tests.rig.prometheus import query
from tests.rig.waiting import until
from tests.rules.names import Exposed, asked, missing

# One worker, so that the three members are started once.
pytestmark = pytest.mark.xdist_group("etcd")

MIB = 1024 * 1024
QUOTA = 260 * MIB
KEPT = 108
"""Values of 1 MiB that make more than the 100 MiB below which nobody minds, and less than half of the quota."""

FASTER = 20

OF_DISKS = ("EtcdFsyncSlow", "EtcdFsyncVerySlow", "EtcdCommitSlow")
"""Alerts that fire once for each member."""


@pytest.fixture(scope="module")
def etcd() -> Iterator[Etcd]:
    """Three members."""
    with Etcd(3) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def undisturbed() -> Iterator[tuple[Etcd, str]]:
    """Three more members, and the URL of a Prometheus with the alerts about speed, at thresholds that all pass.

    From the first test on, for the last: only each 30 s a member says how far its peers are (etcd 3.6, rafthttp's
    `statusMonitoringInterval`).
    """
    alerts = {name: {"for": "0s", "threshold": 0} for name in (*OF_DISKS, "EtcdPeerRoundTripSlow")}
    with Etcd(3) as etcd, watching("etcd", alerts, [job("all", etcd.members)]) as url:
        yield etcd, url


def job(namespace: str, members: list[Member]) -> dict[str, Any]:
    """How members are scraped that are known in a namespace; each as a pod has it, with a node and an endpoint."""
    return {
        "job_name": namespace,
        "static_configs": [
            {
                "targets": [member.address],
                "labels": {
                    "job": "kube-etcd",
                    "namespace": namespace,
                    "instance": member.name,
                    "pod": f"pod-of-{member.name}",
                    "node": f"node-of-{member.name}",
                    "endpoint": "http-metrics",
                },
            }
            for member in members
        ],
    }


def names(url: str) -> set[tuple[str, str]]:
    """Alert and namespace of all that fires."""
    return names_of(firing(url))


def names_of(alerts: list[Firing]) -> set[tuple[str, str]]:
    """Alert and namespace of each."""
    return {(one.name, one.labels["namespace"]) for one in alerts}


def told(one: Firing) -> tuple[str, str, float, str, str, str | None]:
    """What an alert says: its name, of which namespace, how many, by which job, how bad, of which member."""
    labels = one.labels
    return one.name, labels["namespace"], one.value, labels["job"], labels["severity"], labels.get("instance")


def seen(url: str, alert: str = ".+") -> bool:
    """Whether it, or any, has fired at any time."""
    return bool(query(url, f'count_over_time(ALERTS{{alertname=~"{alert}",alertstate="firing"}}[1h])'))


def instances(url: str, alert: str) -> set[str]:
    """For which members it fires."""
    return {one.labels["instance"] for one in firing(url, alert)}


@pytest.mark.timeout(420)
def test_members_that_stop_fire_their_alerts_until_they_are_back(etcd: Etcd) -> None:
    """One of three stopped is no lost quorum, two are; where discovery has forgotten it, its peers miss it."""
    survivor, second, first = etcd.members
    both = {"all", "forgotten"}
    # Five scrapes: on a busy machine some may come late.
    waits = {name: {"for": "5s"} for name in ("EtcdMembersDown", "EtcdInsufficientMembers", "EtcdNoLeader")}
    # In one namespace Prometheus knows all three; in the other the one that stops first has left discovery.
    jobs = [job("all", etcd.members), job("forgotten", [survivor, second])]
    with watching("etcd", waits, jobs, faster=FASTER) as url:
        until(lambda: len(query(url, "count_over_time(etcd_server_has_leader[1h]) > 4")) == 5, "five scrapes of each")
        until(lambda: len(query(url, "up == 1")) == 5, "all five are up")
        assert not seen(url)

        first.stop()
        one_down = {("EtcdMembersDown", one, 1.0, "kube-etcd", "warning", None) for one in both}
        until(lambda: {told(one) for one in firing(url)} == one_down, "one is missed in both, and no more")
        assert not seen(url, "EtcdInsufficientMembers")

        second.stop()
        two_down = {
            fired
            for one in both
            for fired in (
                ("EtcdMembersDown", one, 2.0, "kube-etcd", "warning", None),
                ("EtcdInsufficientMembers", one, 1.0, "kube-etcd", "critical", None),
                ("EtcdNoLeader", one, 0.0, "kube-etcd", "critical", survivor.name),
            )
        }
        until(lambda: {told(one) for one in firing(url)} == two_down, "all three fire in both, and two are missed")

        for member in (first, second):
            member.start()
        for member in (first, second):
            member.wait()
        until(lambda: not names(url), "all quiet")
        until(lambda: len(query(url, "up == 1")) == 5, "all five are up again")


def test_an_alert_tells_of_a_leader_that_is_handed_round(etcd: Etcd) -> None:
    """Five changes in a row, each of which all members have seen, fire it once for the cluster."""
    with watching("etcd", impatient("EtcdLeaderChanges"), [job("all", etcd.members)], faster=FASTER) as url:
        until(lambda: len(query(url, "count_over_time(etcd_server_has_leader[1h]) > 2")) == 3, "three scrapes of each")
        for _ in range(5):
            before = [member.leader_changes() for member in etcd.members]
            until(etcd.hand_over, "there is a leader, who hands over")
            until(
                lambda before=before: all(  # type: ignore[misc]
                    member.leader_changes() > count for member, count in zip(etcd.members, before, strict=True)
                ),
                "all have seen it",
            )
        (alert,) = until(lambda: firing(url), "it fires")
        assert (alert.name, alert.labels["namespace"], "instance" in alert.labels) == (
            "EtcdLeaderChanges",
            "all",
            False,
        )


def test_an_alert_tells_of_proposals_that_fail(etcd: Etcd) -> None:
    """Of writes to a member without a majority nothing becomes, and it counts them; at a threshold that few pass."""
    survivor, *others = etcd.members
    alerts = impatient("EtcdProposalsFailing", threshold=0.05)
    with watching("etcd", alerts, [job("all", etcd.members)], faster=FASTER) as url:
        until(lambda: len(query(url, "count_over_time(etcd_server_has_leader[1h]) > 2")) == 3, "three scrapes of each")
        for member in others:
            member.stop()
        until(lambda: query(url, "etcd_server_has_leader == 0"), "it has no leader")

        def write(_: int) -> None:
            with pytest.raises(requests.Timeout):
                survivor.ask("kv/put", patience=0.5, key=b"key", value=b"lost")

        with ThreadPoolExecutor(20) as writers:
            list(writers.map(write, range(40)))
        until(lambda: instances(url, "EtcdProposalsFailing") == {survivor.name}, "it fires for the one that was asked")
        for member in others:
            member.start()
        for member in others:
            member.wait()


def test_members_give_what_the_alerts_ask_for(etcd: Etcd) -> None:
    """Every name and every label in an expression stands in what members expose that have peers, one of them lost."""
    *_, lost = etcd.members
    lost.stop()
    wanted = {one for one in asked("etcd") if not one.name.startswith("node_")}
    assert len(wanted) > 10

    def exposed() -> Exposed:
        found: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for running in etcd.members[:-1]:
            for family in text_string_to_metric_families(running.metrics()):
                for sample in family.samples:
                    found[sample.name] |= set(sample.labels.items())
        return found

    # Only each 30 s a member says how far its peers are.
    until(lambda: not missing(wanted, exposed()), f"not one is missing of {wanted}")
    lost.start()
    lost.wait()


@pytest.mark.timeout(420)
def test_alerts_about_size_fire_until_the_file_is_defragmented() -> None:
    """A member filled to its quota, then emptied by more than half, then defragmented."""
    waits = impatient("EtcdDatabaseQuota") | impatient("EtcdDatabaseFragmented")
    key = "blob/{:03}".format
    arguments = (f"--quota-backend-bytes={QUOTA}", "--unsafe-no-fsync")
    with Etcd(1, *arguments) as etcd, watching("etcd", waits, [job("all", etcd.members)]) as url:
        (member,) = etcd.members

        def put(name: str) -> bool:
            try:
                member.ask("kv/put", key=name.encode(), value=bytes(MIB))
            except Refused as refused:
                if "database space exceeded" not in str(refused):
                    raise
                return False
            return True

        count = 0
        while put(key(count)):
            count += 1
        full = {("EtcdDatabaseQuota", "all")}
        (alert,) = until(lambda: found if names_of(found := firing(url)) == full else [], "it is full")
        assert 95 < alert.value < 105
        deleted = member.ask("kv/deleterange", key=key(KEPT).encode(), range_end=key(count).encode())
        assert int(deleted["deleted"]) == count - KEPT
        member.ask("kv/compaction", revision=deleted["header"]["revision"], physical=True)
        both = {("EtcdDatabaseQuota", "all"), ("EtcdDatabaseFragmented", "all")}
        until(lambda: names(url) == both, "the file is full, and less than half of it is in use")
        member.ask("maintenance/defragment")
        until(lambda: not names(url), "all quiet")


def test_alerts_about_speed_fire_on_what_members_say(undisturbed: tuple[Etcd, str]) -> None:
    """With thresholds that the fastest disk and network pass, each finds the series of every member and every way."""
    etcd, url = undisturbed
    # In its series a member is named by its number in hexadecimal.
    numbers = {member.name: f"{int(member.number()):x}" for member in etcd.members}
    ways = {(one, numbers[other]) for one in numbers for other in numbers if one != other}

    def each() -> bool:
        etcd.members[0].ask("kv/put", key=b"key", value=b"value")
        measured = {(one.labels["instance"], one.labels["To"]) for one in firing(url, "EtcdPeerRoundTripSlow")}
        return measured == ways and all(instances(url, alert) == {*numbers} for alert in OF_DISKS)

    until(each, "one for each disk, and one for each way from member to member", 120)
