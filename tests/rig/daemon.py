"""The daemon as a process of its own against a rig: started, watched through its log, killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import requests
import yaml

from tests.rig.claim import reserved
from tests.rig.cluster import Cluster
from tests.rig.processes import tethered

Json = dict[str, Any]
_ROOT = Path(__file__).resolve().parents[2]
# Seconds in which a daemon on a machine that does much else has answered a request. A paused one never does.
_ANSWER = 20.0


class _Plain(yaml.SafeDumper):
    """Writes what is there twice twice: policy files know no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        """All of them."""
        del data
        return True


_RESERVATIONS: list[socket.socket] = []


def free_port() -> int:
    """A port on which nobody listens, and which no other test gets while this process lives.

    One that the kernel gives is anybody's again until the daemon listens, and whenever it is started anew.
    """
    ((port, reservation),) = reserved(1).items()
    _RESERVATIONS.append(reservation)
    return port


def create_account(
    cluster: Cluster, namespace: str, *, name: str = "remediator", without: Collection[str] = ()
) -> None:
    """A service account of a namespace, with the rules of deploy/rbac.yaml but those for the resources ``without``."""
    rules = {
        kind: [rule for rule in given if not set(without) & set(rule["resources"])]
        for kind, given in _rules("rbac.yaml").items()
    }
    cluster.service_account(namespace, name, rules=rules["Role"], cluster_rules=rules["ClusterRole"])


def allow_surge(cluster: Cluster, namespace: str) -> None:
    """Give the service account of a namespace what deploy/surge/rbac.yaml allows."""
    allow(cluster, namespace, *_rules("surge/rbac.yaml")["ClusterRole"])


def allow_delete(cluster: Cluster, namespace: str) -> None:
    """Give it what deploy/delete/rbac.yaml allows."""
    allow(cluster, namespace, *_rules("delete/rbac.yaml")["ClusterRole"])


def allow_exec(cluster: Cluster, namespace: str) -> None:
    """Give it what deploy/exec/rbac.yaml allows, in the whole cluster."""
    allow(cluster, namespace, *_rules("exec/rbac.yaml")["Role"])


def _rules(manifest: str) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for document in yaml.safe_load_all((_ROOT / "deploy" / manifest).read_text("utf-8")):
        found.setdefault(document["kind"], []).extend(document.get("rules", ()))
    return found


def allow(cluster: Cluster, namespace: str, *rules: Json) -> None:
    """Give that service account these rights in the whole cluster as well."""
    name = f"{namespace}-remediator"
    role = cluster.api.get("rbac.authorization.k8s.io/v1/clusterroles", None, name)
    more = {"rules": [*role["rules"], *rules]}
    cluster.api.patch("rbac.authorization.k8s.io/v1/clusterroles", None, name, more)


class Process:
    """A daemon's process: started, watched through its log and its HTTP server, ended; a context manager that ends it.

    Its log (JSON lines) is in ``log_file``, and ``events`` gives what it has said so far.
    """

    def __init__(self, *, command: Sequence[str], environment: Mapping[str, str], log_file: Path, port: int) -> None:
        self.log_file = log_file
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start the process; the log goes on where it ended. It dies with the thread that starts it (tether.py)."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*tethered(), *self._command],
                cwd=_ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    @property
    def pid(self) -> int:
        """The process' id."""
        if self._process is None:
            message = "the daemon was not started"
            raise AssertionError(message)
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """With what the process has ended; None while it runs, or where it was not started."""
        return self._process.poll() if self._process is not None else None

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.signal(signal.SIGKILL)
        self.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def freeze(self) -> None:
        """SIGSTOP; returns when each of its threads stands still."""
        self.signal(signal.SIGSTOP)
        while self._states() != {"T"}:
            time.sleep(0.01)

    def _states(self) -> set[str]:
        """The states of its threads, by their letters."""
        found = set()
        for file in Path(f"/proc/{self.pid}/task").glob("*/stat"):
            # One that has ended since it was listed has none.
            with suppress(FileNotFoundError, ProcessLookupError):
                # It comes after the name, which may hold anything.
                found.add(file.read_text().rpartition(")")[2].split()[0])
        return found

    def wait(self, timeout: float = 40) -> int:
        """The exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        return 0 if self._process is None else self._process.wait(timeout)

    def stop(self) -> int:
        """SIGTERM; the exit code. A daemon that does not end fails with where each of its threads was."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        try:
            return self.wait()
        except subprocess.TimeoutExpired as exc:
            self.signal(signal.SIGABRT)
            self.wait(10)
            message = f"it has not ended within {exc.timeout:g} s; its log ends with:\n{self.tail(100)}"
            raise AssertionError(message) from None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if error is not None:
            sys.stderr.write(f"\nthe daemon's log ended with:\n{self.tail()}\n")

    def events(self, event: str | None = None, **fields: object) -> list[Json]:
        """The log lines so far, of one event, and with these fields."""
        found = []
        for line in self.log_file.read_bytes().splitlines() if self.log_file.exists() else ():
            try:
                said = orjson.loads(line)
            except orjson.JSONDecodeError:
                # Not a line of ours: a traceback of the interpreter, say. ``tail`` shows it.
                continue
            if (event is None or said.get("event") == event) and all(said.get(k) == v for k, v in fields.items()):
                found.append(said)
        return found

    def wait_for(self, event: str, *, count: int = 1, timeout: float = 90, **fields: object) -> list[Json]:
        """The lines of one event, once there are so many."""
        found: list[Json] = self.until(
            lambda: found if len(found := self.events(event, **fields)) >= count else None,
            what=f"{count} lines {event!r} with {fields}",
            timeout=timeout,
        )
        return found

    def until(self, condition: Callable[[], Any], *, what: str, timeout: float = 90) -> Any:  # noqa: ANN401
        """What the condition gives, once that is true; fails with the log's end, also where the daemon has ended."""
        deadline = time.monotonic() + timeout
        while True:
            # Before the last look: what a daemon says and does right before it ends counts as well.
            ended, late = self.exit_code is not None, time.monotonic() > deadline
            if value := condition():
                return value
            if ended or late:
                why = f"the daemon ended with {self.wait()}" if ended else f"not within {timeout:g} s"
                message = f"{what}: {why}; its log ends with:\n{self.tail()}"
                raise AssertionError(message)
            time.sleep(0.05)

    def get(self, path: str, *, timeout: float = _ANSWER) -> requests.Response:
        """An answer of its HTTP server. Raises requests.RequestException."""
        return requests.get(self.url + path, timeout=timeout)

    def ready(self) -> str:
        """The words of ``/readyz``; empty while nobody listens, or answers."""
        try:
            return self.get("/readyz").text
        except (requests.ConnectionError, requests.Timeout):
            return ""

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of one series of ``/metrics``; None where it is not there."""
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        for line in self.get("/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            family, _, rest = series.partition("{")
            if family == name and wanted <= set(rest.rstrip("}").split(",")):
                return float(value)
        return None

    def tail(self, lines: int = 25) -> str:
        """The end of the log, shortened."""
        text = self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""
        return "\n".join(line[:400] for line in text.splitlines()[-lines:])


class Daemon(Process):
    """``remediator run`` in a namespace of its own, with the settings of a test.

    ``policy`` is the policy file as an object or as text; ``sample_interval`` in whole seconds is what it is told of
    scraping and measuring.
    """

    def __init__(
        self,
        *,
        kubeconfig: Path,
        prometheus_url: str,
        namespace: str,
        policy: Json | str,
        sample_interval: int = 1,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        name: str = "remediator",
    ) -> None:
        self._owned = None if folder else tempfile.TemporaryDirectory(prefix="remediator-daemon-")
        self.folder = folder or Path(self._owned.name if self._owned else ".")
        self.policy_file = self.folder / f"{name}.policy.yaml"
        self.write_policy(policy)
        port = free_port()
        settings = {
            **{key: value for key, value in os.environ.items() if not key.startswith("REMEDIATOR_")},
            "REMEDIATOR_POLICY": str(self.policy_file),
            "REMEDIATOR_PROMETHEUS_URL": prometheus_url,
            "REMEDIATOR_KUBECONFIG": str(kubeconfig),
            "REMEDIATOR_NAMESPACE": namespace,
            "REMEDIATOR_NAME": name,
            "REMEDIATOR_SCRAPE_INTERVAL": f"{sample_interval}s",
            "REMEDIATOR_KUBELET_INTERVAL": f"{sample_interval}s",
            "REMEDIATOR_LEASE_DURATION": "20s",
            "REMEDIATOR_HTTP_ADDRESS": f"127.0.0.1:{port}",
            "REMEDIATOR_LOG_FORMAT": "json",
            "PYTHONFAULTHANDLER": "1",
            **(environment or {}),
        }
        command = [sys.executable, "-m", "remediator", "run"]
        super().__init__(command=command, environment=settings, log_file=self.folder / f"{name}.log", port=port)

    def write_policy(self, policy: Json | str) -> None:
        """Replace the policy file, in one step."""
        fresh = self.policy_file.with_suffix(".new")
        fresh.write_text(policy if isinstance(policy, str) else yaml.dump(policy, Dumper=_Plain, sort_keys=False))
        fresh.replace(self.policy_file)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._owned is not None:
            self._owned.cleanup()
