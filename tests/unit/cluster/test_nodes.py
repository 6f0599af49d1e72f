"""Whether a node is Ready, and what is said where it may not be asked."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.cluster.api import ApiServer
from remediator.cluster.nodes import Nodes
from remediator.errors import KubernetesOdd, KubernetesRefused
from remediator.model.nodes import Node
from tests.unit.cluster.objects import Json, status_object
from tests.unit.servers import Server, always, http

LABELS = {"kubernetes.io/hostname": "node-1"}


def node_object(*conditions: Json) -> Json:
    """A node with these conditions beside one that says nothing of readiness."""
    quiet = {"type": "MemoryPressure", "status": "False", "reason": "KubeletHasSufficientMemory", "message": "well"}
    return {"metadata": {"name": "node-1", "labels": LABELS}, "status": {"conditions": [quiet, *conditions]}}


def ready(status: str, reason: str = "", message: str = "") -> Json:
    """The condition Ready."""
    return {"type": "Ready", "status": status, "reason": reason, "message": message}


@pytest.fixture
def nodes(api: ApiServer) -> Nodes:
    """Nodes that may be read."""
    return Nodes(api, readable=True)


@pytest.mark.parametrize(
    ("conditions", "not_ready"),
    [
        pytest.param([ready("True", "KubeletReady", "kubelet is posting ready status")], "", id="Ready"),
        pytest.param([ready("False", "KubeletNotReady", "no network")], "KubeletNotReady: no network", id="not Ready"),
        pytest.param([ready("Unknown", "NodeStatusUnknown")], "NodeStatusUnknown", id="lost"),
        pytest.param([ready("Unknown")], "it has not said that it is Ready", id="without words"),
        pytest.param([], "it has not said that it is Ready", id="new"),
    ],
)
def test_a_node_is_ready_where_it_says_so(nodes: Nodes, server: Server, conditions: list[Json], not_ready: str) -> None:
    """Only the condition Ready with the status True is one; the words of any other are kept."""
    server.answer = always(http(200, node_object(*conditions)))
    assert nodes.read("node-1") == Node("node-1", not_ready=not_ready, labels=LABELS)
    assert [request.path for request in server.requests] == ["/api/v1/nodes/node-1"]


def test_a_node_without_a_status_is_not_ready(nodes: Nodes, server: Server) -> None:
    """It has only just been made."""
    server.answer = always(http(200, {"metadata": {"name": "node-1"}}))
    assert nodes.read("node-1") == Node("node-1", not_ready="it has not said that it is Ready")


def test_a_node_that_is_gone(nodes: Nodes, server: Server) -> None:
    """No such node is an answer."""
    server.answer = always(http(404, status_object(404)))
    assert nodes.read("node-1") is None


def test_a_right_that_is_missing_is_named(nodes: Nodes, server: Server) -> None:
    """The one who reads it knows which right, where it is written, and how to do without."""
    server.answer = always(http(403, status_object(403)))
    with pytest.raises(KubernetesRefused, match=r"`get` nodes is missing.*REMEDIATOR_NODES=false") as caught:
        nodes.read("node-1")
    assert caught.value.status.code == 403


def test_another_refusal_is_told_as_it_is(nodes: Nodes, server: Server) -> None:
    """An overload has nothing to do with rights."""
    server.answer = always(http(429, status_object(429)))
    with pytest.raises(KubernetesRefused) as caught:
        nodes.read("node-1")
    assert "REMEDIATOR_NODES" not in str(caught.value)


def test_where_nodes_may_not_be_read_nothing_is_asked(api: ApiServer, server: Server) -> None:
    """With REMEDIATOR_NODES=false only the name is known."""
    assert Nodes(api, readable=False).read("node-1") == Node("node-1", readable=False)
    assert server.requests == []


@pytest.mark.parametrize("odd", [{}, {"metadata": {}}, node_object({"status": "True"}), {"metadata": [], "status": {}}])
def test_an_odd_node_is_odd(nodes: Nodes, server: Server, odd: Any) -> None:  # noqa: ANN401
    """What can't be understood is not taken for Ready."""
    server.answer = always(http(200, odd))
    with pytest.raises(KubernetesOdd, match="node node-1"):
        nodes.read("node-1")
