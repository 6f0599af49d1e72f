"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler: their files, flags and health.

The flags are those of a production cluster where they decide who may do what (certificates, Node and RBAC
authorization, Pod Security admission, bound tokens, audit log), and quick where a test would only wait.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tests.rig import audit
from tests.rig.certificates import Authority, Credential, write_signing_key
from tests.rig.claim import Claim
from tests.rig.kubeconfig import write_kubeconfig
from tests.rig.loopback import answers
from tests.rig.processes import Component

HOST = "127.0.0.1"
SERVICE_CIDR = "10.96.0.0/16"

# The group of the two that only look; `viewer` gives it the right to.
VIEWERS = "rig:viewers"

_PORTS = (
    "etcd",
    "etcd-peer",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "cadvisor",
    "prometheus",
    "kube-state-metrics",
    "kube-state-metrics-telemetry",
)

_ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True)
class Site:
    """Where everything of one cluster lives: its folder, its ports, its certificates and kubeconfigs."""

    folder: Path
    binaries: dict[str, Path]
    ports: dict[str, int]
    ca_file: Path
    serving: Credential
    admin: Credential
    watcher: Credential
    """Of Prometheus."""

    @property
    def api_url(self) -> str:
        """The address of the API server."""
        return f"https://{HOST}:{self.ports['kube-apiserver']}"

    @property
    def audit_log(self) -> Path:
        """The file that the API server writes its audit events to."""
        return self.folder / "audit.log"

    def url(self, component: str, *, scheme: str = "http") -> str:
        """The address of a component other than the API server."""
        return f"{scheme}://{HOST}:{self.ports[component]}"

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of one of the users that `prepare` made."""
        return self.folder / f"{user}.kubeconfig"

    def component(
        self,
        name: str,
        arguments: list[str],
        *,
        health: str,
        environment: dict[str, str] | None = None,
        program: list[str] | None = None,
    ) -> Component:
        """The binary of that name, or another program; it is healthy when GET of `health` gives 200."""

        def healthy() -> bool:
            admin = (str(self.admin.certificate), str(self.admin.key))
            return answers(health, cert=admin, verify=str(self.ca_file))

        return Component(
            name=name,
            command=[*(program or [str(self.binaries[name])]), *arguments],
            log=self.folder / f"{name}.log",
            healthy=healthy,
            environment=environment or {},
        )


def prepare(claim: Claim, binaries: dict[str, Path]) -> Site:
    """Chooses ports, and writes certificates, kubeconfigs and configuration into the claim's folder."""
    folder = claim.folder
    authority = Authority(folder)
    site = Site(
        folder=folder,
        binaries=binaries,
        ports=dict(zip(_PORTS, claim.ports(len(_PORTS)), strict=True)),
        ca_file=authority.certificate,
        serving=authority.serving(
            "serving", hosts=(HOST, "localhost", "kubernetes", "kubernetes.default.svc", "10.96.0.1")
        ),
        admin=authority.client("admin", groups=("system:masters",)),
        watcher=authority.client("system:prometheus", groups=(VIEWERS,)),
    )
    write_signing_key(folder / "tokens.key", folder / "tokens.pub")
    users = {
        "admin": site.admin,
        "kube-controller-manager": authority.client("system:kube-controller-manager"),
        "kube-scheduler": authority.client("system:kube-scheduler"),
        # KWOK stands for all the kubelets.
        "kwok": authority.client("system:kwok", groups=("system:masters",)),
        "prometheus": site.watcher,
        "kube-state-metrics": authority.client("system:kube-state-metrics", groups=(VIEWERS,)),
    }
    for user, credential in users.items():
        write_kubeconfig(site.kubeconfig(user), url=site.api_url, ca_file=site.ca_file, credential=credential)
    _write(folder / "audit-policy.json", audit.POLICY)
    _write(folder / "scheduler.json", _scheduler_configuration(site))
    return site


def viewer() -> list[dict[str, object]]:
    """The RBAC objects with which Prometheus and kube-state-metrics may read everything."""
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": VIEWERS},
            "rules": [
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
                {"nonResourceURLs": ["/metrics/*"], "verbs": ["get"]},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": VIEWERS},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": VIEWERS}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": VIEWERS},
        },
    ]


def etcd(site: Site) -> Component:
    """The store. Not flushed to disk: it has to survive a stop, not a power cut."""
    client = site.url("etcd")
    peer = site.url("etcd-peer")
    return site.component(
        "etcd",
        [
            f"--data-dir={site.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
        health=f"{client}/health",
    )


def kube_apiserver(site: Site) -> Component:
    """The API server, with what decides about requests switched on as in production."""
    folder = site.folder
    return site.component(
        "kube-apiserver",
        [
            f"--etcd-servers={site.url('etcd')}",
            f"--bind-address={HOST}",
            f"--advertise-address={HOST}",
            f"--secure-port={site.ports['kube-apiserver']}",
            # A loopback address can't be an endpoint of the `kubernetes` service, which nobody here uses.
            "--endpoint-reconciler-type=none",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            f"--tls-cert-file={site.serving.certificate}",
            f"--tls-private-key-file={site.serving.key}",
            f"--client-ca-file={site.ca_file}",
            f"--requestheader-client-ca-file={site.ca_file}",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--service-account-issuer={_ISSUER}",
            f"--service-account-key-file={folder / 'tokens.pub'}",
            f"--service-account-signing-key-file={folder / 'tokens.key'}",
            "--authorization-mode=Node,RBAC",
            # Pod Security is among those that are on by default.
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            # For commands in containers: nobody resolves the nodes' names.
            "--kubelet-preferred-address-types=InternalIP",
            f"--audit-policy-file={folder / 'audit-policy.json'}",
            f"--audit-log-path={site.audit_log}",
            # In megabytes: the file is never rotated away from its reader.
            "--audit-log-maxsize=100000",
            "--v=1",
        ],
        health=f"{site.api_url}/readyz",
    )


def kube_controller_manager(site: Site) -> Component:
    """All controllers, each under its own service account, so that the audit log tells them apart."""
    kubeconfig = site.kubeconfig("kube-controller-manager")
    syncs = ("deployment", "replicaset", "statefulset", "job", "gc", "namespace", "resource-quota", "endpoint")
    return site.component(
        "kube-controller-manager",
        [
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--bind-address={HOST}",
            f"--secure-port={site.ports['kube-controller-manager']}",
            f"--tls-cert-file={site.serving.certificate}",
            f"--tls-private-key-file={site.serving.key}",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={site.folder / 'tokens.key'}",
            f"--root-ca-file={site.ca_file}",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            *(f"--concurrent-{kind}-syncs=20" for kind in syncs),
            "--v=1",
        ],
        health=f"{site.url('kube-controller-manager', scheme='https')}/healthz",
    )


def kube_scheduler(site: Site) -> Component:
    """The scheduler, which tries an unschedulable pod again after a second instead of ten."""
    kubeconfig = site.kubeconfig("kube-scheduler")
    return site.component(
        "kube-scheduler",
        [
            f"--config={site.folder / 'scheduler.json'}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--bind-address={HOST}",
            f"--secure-port={site.ports['kube-scheduler']}",
            f"--tls-cert-file={site.serving.certificate}",
            f"--tls-private-key-file={site.serving.key}",
            "--v=1",
        ],
        health=f"{site.url('kube-scheduler', scheme='https')}/healthz",
    )


def _scheduler_configuration(site: Site) -> dict[str, object]:
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": os.fspath(site.kubeconfig("kube-scheduler")), "qps": 500, "burst": 1000},
        "podInitialBackoffSeconds": 1,
        "podMaxBackoffSeconds": 2,
    }


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2))
