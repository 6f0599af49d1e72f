"""The end of a leader while a hook runs: the next one runs it again, and takes one pod in all."""

from __future__ import annotations

import threading

import pytest

from tests.chaos.steps import in_journal
from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.servers import Handler, LocalServer


class Drains:
    """A pod that drains: the first request has no answer while whoever asked is there, others have it at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hung_up = threading.Event()
        drains = self

        class Asked(Handler):
            def do_POST(self) -> None:  # noqa: N802  http.server's name
                drains.asked.append(self.path)
                if len(drains.asked) > 1:
                    return self.answer(b"drained", "text/plain")
                self.connection.settimeout(600)
                if self.connection.recv(1) == b"":
                    drains.hung_up.set()
                self.close_connection = True
                return None

        self.server = LocalServer(Asked)


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_after_a_leader_that_ended_in_a_hook_one_pod_is_taken(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, end: str
) -> None:
    """Told to stop, it hangs up and exits within seconds; killed or not, its successor calls the pod once more."""
    drains = Drains()
    with drains.server:
        here = workloads.behaviour(pod_ip="127.0.0.1")
        cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER, annotations=here))
        cluster.ready_pods(namespace, 2)
        hook = {"http": {"port": drains.server.port, "path": "/drain"}, "timeout": "10m"}
        daemon = start_daemon(policy_file(namespace, cooldown="10m", before=[hook]))
        daemon.until(lambda: drains.asked, what="the hook is called")
        if end == "SIGTERM":
            assert daemon.stop() == 0
            assert daemon.events("remediation left")
        else:
            daemon.kill()
        assert drains.hung_up.wait(60)
        assert list(in_journal(cluster, home)["in_flight"]), "the record is left to the next leader"
        assert cluster.taken(namespace) == []
        daemon.start()
        (settled,) = daemon.wait_for("remediation settled", timeout=180)
    assert settled["outcome"] == "replaced"
    assert drains.asked == ["/drain", "/drain"]
    (taken,) = cluster.taken(namespace)
    assert taken.uid == settled["uid"]
    stored = in_journal(cluster, home)
    assert len(stored["acts"]) == len(stored["settled"]) == 1
