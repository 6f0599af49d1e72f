"""Real etcd: members that have each other as peers, on loopback, and asked by its own JSON gateway."""

from __future__ import annotations

from base64 import b64encode
from contextlib import ExitStack
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from tests.rig.claim import Claim
from tests.rig.loopback import answers, ask, read
from tests.rig.processes import Component
from tests.rig.servers import HOST
from tests.rig.tools import ensure


class Refused(Exception):
    """A member does not do what it is asked for; the text is what it said."""


class Member:
    """One member; it can be stopped, and started again with its data."""

    def __init__(self, claim: Claim, name: str, ports: tuple[int, int], peers: str, arguments: tuple[str, ...]) -> None:
        client, peer = ports
        self.name = name
        self.address = f"{HOST}:{client}"
        self._url = f"http://{self.address}"
        own = f"http://{HOST}:{peer}"
        self._component = Component(
            name=f"etcd {name}",
            command=[
                str(ensure("etcd")["etcd"]),
                f"--name={name}",
                f"--data-dir={claim.folder / name}",
                f"--listen-client-urls={self._url}",
                f"--advertise-client-urls={self._url}",
                f"--listen-peer-urls={own}",
                f"--initial-advertise-peer-urls={own}",
                f"--initial-cluster={peers}",
                "--log-level=warn",
                *arguments,
            ],
            log=claim.folder / f"{name}.log",
            healthy=lambda: answers(f"{self._url}/readyz"),
        )

    def start(self) -> None:
        """Starts it, and returns at once."""
        self._component.start()

    def wait(self) -> None:
        """Returns when it serves, which it does while there is a majority."""
        self._component.wait_healthy(60)

    def stop(self) -> None:
        """Ends it at once, as a machine that is gone."""
        self._component.stop(grace=0)

    def metrics(self) -> str:
        """What it exposes to Prometheus."""
        return read(f"{self._url}/metrics").text

    def ask(self, what: str, *, patience: float = 60, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
        """Calls its API, such as ``kv/put``; bytes go as they are.

        Raises `Refused` where it does, and `requests.Timeout` after so many seconds.
        """
        given = {name: _text(value) for name, value in fields.items()}
        answer = ask("POST", f"{self._url}/v3/{what}", json=given, timeout=patience)
        if answer.status_code != 200:
            raise Refused(answer.text)
        return dict(answer.json())

    def leads(self) -> bool:
        """Whether it is the leader."""
        status = self.ask("maintenance/status")
        return bool(status["leader"] == status["header"]["member_id"])

    def leader_changes(self) -> float:
        """How many leaders it has seen come."""
        families = {one.name: one for one in text_string_to_metric_families(self.metrics())}
        (sample,) = families["etcd_server_leader_changes_seen"].samples
        return float(sample.value)

    def number(self) -> str:
        """Its number in the cluster."""
        return str(self.ask("maintenance/status")["header"]["member_id"])


class Etcd:
    """A cluster of so many members; a context manager that ends them. ``arguments`` are more of each member's."""

    def __init__(self, count: int, *arguments: str) -> None:
        self._claim = Claim()
        names = [f"etcd-{number}" for number in range(count)]
        ports = self._claim.ports(2 * count)
        peers = ",".join(f"{name}=http://{HOST}:{port}" for name, port in zip(names, ports[count:], strict=True))
        self.members = [
            Member(self._claim, name, pair, peers, arguments)
            for name, pair in zip(names, zip(ports[:count], ports[count:], strict=True), strict=True)
        ]

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            ends.callback(self.__exit__)
            for member in self.members:
                member.start()
            for member in self.members:
                member.wait()
            ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.stop()
        self._claim.release()

    def hand_over(self) -> bool:
        """Has the leader make another member the leader; whether there was one, and it could."""
        leader = next((member for member in self.members if member.leads()), None)
        if leader is None:
            return False
        heir = next(member for member in self.members if member is not leader)
        try:
            leader.ask("maintenance/transfer-leadership", targetID=heir.number())
        except Refused:
            # It leads no more, or the other one is behind.
            return False
        return True


def _text(value: Any) -> Any:  # noqa: ANN401  (what JSON can hold)
    return b64encode(value).decode() if isinstance(value, bytes) else value
