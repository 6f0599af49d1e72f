"""Who takes whose place."""

from __future__ import annotations

from typing import Any

from demo.pods import Place, Pod, placed, seen


def names(places: tuple[Place, ...]) -> list[str]:
    """The pods' names in the order of their places."""
    return [place.pod.name for place in places]


def test_pods_are_read_from_the_api_servers_answer() -> None:
    """In the order of their creation, with what of them is shown."""
    common = {"labels": {"app": "web"}, "creationTimestamp": "2027-01-15T08:00:09Z"}
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    early = {**common, "creationTimestamp": "2027-01-15T08:00:01Z", "deletionTimestamp": "2027-01-15T08:00:20Z"}
    answer: list[dict[str, Any]] = [
        {"metadata": {**common, "name": "web-b", "uid": "b"}, "spec": {"nodeName": "node-1"}, "status": ready},
        {"metadata": {**early, "name": "web-c", "uid": "c"}, "spec": {"nodeName": "node-1"}, "status": ready},
        {"metadata": {**common, "name": "web-a", "uid": "a"}, "spec": {}, "status": {}},
    ]
    assert seen(answer) == [
        Pod("web-c", "c", "web", "node-1", ready=True, leaving=True),
        Pod("web-a", "a", "web", "", ready=False),
        Pod("web-b", "b", "web", "node-1", ready=True),
    ]


def test_a_pod_that_stays_keeps_its_place_and_is_as_read_last() -> None:
    """Whatever the order of the answer."""
    places = (Place(Pod("web-a", "a", "web")), Place(Pod("web-b", "b", "web")))
    found = placed(places, [Pod("web-b", "b", "web", ready=False), Pod("web-a", "a", "web")])
    assert names(found) == ["web-a", "web-b"]
    assert [place.pod.ready for place in found] == [True, False]


def test_a_new_pod_takes_the_place_of_the_one_that_leaves() -> None:
    """Of its own workload, whether that one is still there or not; nobody else moves."""
    places = tuple(Place(Pod(f"{name}-1", name, name)) for name in ("web", "db", "agent"))
    going = Pod("web-1", "web", "web", leaving=True)
    db, agent = Pod("db-1", "db", "db"), Pod("agent-1", "agent", "agent")
    fresh = Pod("web-2", "new", "web", ready=False)
    assert names(placed(places, [going, db, agent])) == ["web-1", "db-1", "agent-1"]
    first = placed(places, [going, db, agent, fresh])
    assert names(first) == ["web-2", "db-1", "agent-1"]
    assert first[0].number == 1
    assert names(placed(first, [db, agent, fresh])) == ["web-2", "db-1", "agent-1"]


def test_a_pod_that_is_gone_keeps_its_place_until_another_one_comes() -> None:
    """It is marked as leaving."""
    (place,) = placed((Place(Pod("web-1", "a", "web")),), [])
    assert (place.pod.name, place.pod.leaving) == ("web-1", True)


def test_the_same_name_comes_first_and_then_the_same_node() -> None:
    """A StatefulSet's pod has its name again, a DaemonSet's pod its node."""
    gone = (
        Place(Pod("db-0", "a", "db", "node-0", leaving=True)),
        Place(Pod("db-1", "b", "db", "node-1", leaving=True)),
    )
    assert names(placed(gone, [Pod("db-1", "new", "db", "node-0")])) == ["db-0", "db-1"]
    assert names(placed(gone, [Pod("db-x", "new", "db", "node-1")])) == ["db-0", "db-x"]


def test_a_pod_too_many_gets_a_place_beside_its_peers() -> None:
    """Nothing that is there is hidden."""
    places = (Place(Pod("web-1", "a", "web")), Place(Pod("db-1", "b", "db")))
    pods = [Pod("web-1", "a", "web"), Pod("db-1", "b", "db"), Pod("web-2", "c", "web"), Pod("other", "d", "other")]
    assert names(placed(places, pods)) == ["web-1", "web-2", "db-1", "other"]


def test_a_pod_that_is_already_leaving_is_nobodys_successor() -> None:
    """It comes too late for a place."""
    places = (Place(Pod("web-1", "a", "web", leaving=True)),)
    assert names(placed(places, [Pod("web-2", "b", "web", leaving=True)])) == ["web-1"]
