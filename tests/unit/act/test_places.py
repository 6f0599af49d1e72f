"""Can the node of a DaemonSet's pod have another one?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from remediator.act.places import why_unfit
from remediator.cluster.nodes import Nodes
from remediator.errors import KubernetesUnreachable
from remediator.model.nodes import Node, Taint
from remediator.model.placement import DAEMON_TOLERATIONS, Placement
from remediator.model.pods import LivePod
from remediator.model.workloads import Workload
from tests.unit.act.owners import agent, custom, daemonset, of_custom, of_daemonset, of_statefulset, statefulset

HERE = Node("node-1", labels={"zone": "a"})
PLACEMENT = Placement(node_selector={"zone": "a"}, tolerations=DAEMON_TOLERATIONS)


@dataclass
class FakeNodes:
    """``Nodes`` of a cluster that has this one, or none, or that does not answer."""

    node: Node | KubernetesUnreachable | None
    asked: list[str] = field(default_factory=list)

    def read(self, name: str) -> Node | None:
        """As the real one."""
        self.asked.append(name)
        if isinstance(self.node, KubernetesUnreachable):
            raise self.node
        return self.node


def unfit(node: Node | None, of: Workload, pods: Iterable[LivePod] = ()) -> str:
    """Why the node of the record can't have a pod."""
    return why_unfit(of_daemonset(), of, pods, cast("Nodes", FakeNodes(node)))


def test_a_node_that_is_gone_can_not() -> None:
    """Removed while we wait."""
    assert unfit(None, daemonset(placement=PLACEMENT)) == "node node-1 is gone"


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (HERE, ""),
        (replace(HERE, labels={"zone": "b"}), "node node-1 is not selected any more"),
        (
            replace(HERE, taints=(Taint("maintenance", effect="NoExecute"),)),
            "node node-1 has the taint maintenance:NoExecute, which is not tolerated",
        ),
        (replace(HERE, taints=(Taint("node.kubernetes.io/unschedulable", effect="NoSchedule"),)), ""),
    ],
)
def test_what_the_node_says_counts_and_not_how_many_are_wanted(node: Node, words: str) -> None:
    """Fewer may be wanted because of another node; and a cordoned node keeps its daemons."""
    for wanted in (1, 2, 3, 4):
        assert unfit(node, daemonset(placement=PLACEMENT, wanted=wanted)) == words


def test_where_nodes_may_not_be_read_the_number_and_the_places_tell() -> None:
    """Fewer are wanted than before, and every one of those is elsewhere; anything less is no proof."""
    blind = Node("node-1", readable=False)
    two = [agent("node-2", "peer-1"), agent("node-3", "peer-2")]
    words = "DaemonSet/agent wants 2 pods now, and has them on other nodes than node-1"
    assert unfit(blind, daemonset(wanted=2), two) == words
    assert unfit(blind, daemonset(wanted=3), two) == "", "none has left"
    assert unfit(blind, daemonset(wanted=2), two[:1]) == "", "one is still to come, perhaps here"
    assert unfit(blind, daemonset(wanted=2), [two[0], replace(two[1], deleted_at=1.0)]) == ""
    assert unfit(blind, daemonset(wanted=2), [two[0], replace(two[1], phase="Failed")]) == ""
    assert unfit(blind, daemonset(wanted=2), [two[0], replace(two[1], node="node-2")]) == "", "two on one node"
    assert unfit(blind, daemonset(wanted=2), [two[0], agent("node-1", "new")]) == "", "it is there"


def test_of_any_other_workload_no_node_is_asked() -> None:
    """Their pods may be anywhere."""
    nodes = FakeNodes(None)
    for one, of in ((of_statefulset(), statefulset()), (of_custom(), custom())):
        assert why_unfit(one, of, (), cast("Nodes", nodes)) == ""
    foreign = replace(of_daemonset().workload, api_version="apps.kruise.io/v1alpha1")
    assert why_unfit(replace(of_daemonset(), workload=foreign), daemonset(), (), cast("Nodes", nodes)) == ""
    assert nodes.asked == []


def test_no_answer_is_no_proof() -> None:
    """Whoever asks has to deal with it."""
    nodes = FakeNodes(KubernetesUnreachable("gone"))
    with pytest.raises(KubernetesUnreachable):
        why_unfit(of_daemonset(), daemonset(), (), cast("Nodes", nodes))
