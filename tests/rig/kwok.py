"""KWOK: nodes, pods and their memory, without containers. See kwok.yaml for how they live and die.

KWOK also stands in for each kubelet's cAdvisor. Its labels are those of a kubelet with containerd: `id` is
the cgroup, with the pod's UID in it, and `name` the container's ID as in the pod's status, so that a sample
can be tied to the very container that it was taken from. As there, a pod's own cgroup and its sandbox have
series too, which a query has to tell from the containers. Two things differ: a container that isn't running
has series with an empty `id`, which Prometheus drops (see prometheus.py), and samples carry no timestamps of
their own, unless cadvisor.py puts them there. Of the native sidecars of a pod only the first has series.

A command that the API server is asked to run in a container is run by KWOK on this machine. What fails has no exit
code then, but KWOK's words, "exit status N" among them.
"""

import json
from pathlib import Path
from typing import Any

from tests.rig.control_plane import HOST, Site
from tests.rig.processes import Component

CADVISOR = "/metrics/nodes/{nodeName}/metrics/cadvisor"

_STAGES = Path(__file__).with_name("kwok.yaml")
_NOTES = "pod.metadata.annotations"
_RUNNING = f'"rig.remediator.dev/cgroup" in {_NOTES} && pod.status.phase == "Running"'
# One label that fails to evaluate would cost the node all of its series, so nothing is taken for granted.
_HAS_ID = f'{_RUNNING} && ("rig.remediator.dev/id." + container.name) in {_NOTES}'
_HAS_SANDBOX = f'{_RUNNING} && "rig.remediator.dev/sandbox" in {_NOTES}'

# CEL, for each kind of cgroup: the labels by which cAdvisor tells it, in KWOK's dimensions.
_CONTAINER = {
    "container": "container.name",
    "id": f"""
        {_HAS_ID}
        ? {_NOTES}["rig.remediator.dev/cgroup"]
          + ({_NOTES}["rig.remediator.dev/cgroup"].startsWith("/kubepods.slice") ? "/cri-containerd-" : "/")
          + {_NOTES}["rig.remediator.dev/id." + container.name]
          + ({_NOTES}["rig.remediator.dev/cgroup"].startsWith("/kubepods.slice") ? ".scope" : "")
        : "" """,
    "image": "container.image",
    "name": f'{_HAS_ID} ? {_NOTES}["rig.remediator.dev/id." + container.name] : ""',
    "namespace": "pod.metadata.namespace",
    "pod": "pod.metadata.name",
}
_POD = {
    "container": '""',
    "id": f'{_RUNNING} ? {_NOTES}["rig.remediator.dev/cgroup"] : ""',
    "image": '""',
    "name": '""',
    "namespace": "pod.metadata.namespace",
    "pod": "pod.metadata.name",
}
_SANDBOX = {
    **_POD,
    "container": '"POD"',
    "id": f"""
        {_HAS_SANDBOX}
        ? {_NOTES}["rig.remediator.dev/cgroup"]
          + "/cri-containerd-" + {_NOTES}["rig.remediator.dev/sandbox"] + ".scope"
        : "" """,
    "image": '"registry.k8s.io/pause:3.10"',
    "name": f'{_HAS_SANDBOX} ? {_NOTES}["rig.remediator.dev/sandbox"] : ""',
}
_HAS_SIDECAR = f'{_RUNNING} && "rig.remediator.dev/sidecar" in {_NOTES}'
_THE_SIDECAR = f'{_NOTES}["rig.remediator.dev/sidecar"]'
_SIDECAR = {
    **_POD,
    "container": f'{_HAS_SIDECAR} ? {_THE_SIDECAR} : ""',
    "id": f"""
        {_HAS_SIDECAR}
        ? {_NOTES}["rig.remediator.dev/cgroup"]
          + ({_NOTES}["rig.remediator.dev/cgroup"].startsWith("/kubepods.slice") ? "/cri-containerd-" : "/")
          + {_NOTES}["rig.remediator.dev/id." + {_THE_SIDECAR}]
          + ({_NOTES}["rig.remediator.dev/cgroup"].startsWith("/kubepods.slice") ? ".scope" : "")
        : "" """,
    "image": '"registry.example/sidecar:1.0"',
    "name": f'{_HAS_SIDECAR} ? {_NOTES}["rig.remediator.dev/id." + {_THE_SIDECAR}] : ""',
}
_SIDECAR_USAGE = f"""
    ({_HAS_SIDECAR} && ("rig.remediator.dev/memory." + {_THE_SIDECAR}) in {_NOTES}
     ? Quantity({_NOTES}["rig.remediator.dev/memory." + {_THE_SIDECAR}])
     : Quantity("0"))
"""
_NODE = {"container": '""', "id": '"/"', "image": '""', "name": '""', "namespace": '""', "pod": '""'}

# What cAdvisor reports, as a share of what the container is said to use: the working set lies between the
# anonymous memory and the usage with all of the page cache.
_SHARES = {
    "container_memory_working_set_bytes": 1.0,
    "container_memory_rss": 0.875,
    "container_memory_usage_bytes": 1.125,
}
_HELP = "Simulated."
_COMMANDS = {
    "apiVersion": "kwok.x-k8s.io/v1alpha1",
    "kind": "ClusterExec",
    "metadata": {"name": "here"},
    "spec": {"execs": [{"local": {}}]},
}


def write_configuration(path: Path) -> None:
    """Writes KWOK's configuration: the stages of kwok.yaml, the cAdvisor metrics, and where commands are run."""
    # JSON is YAML, so that the expressions need no quoting of ours.
    path.write_text(f"{_STAGES.read_text()}---\n{json.dumps(cadvisor(), indent=2)}\n---\n{json.dumps(_COMMANDS)}\n")


def cadvisor() -> dict[str, Any]:
    """The Metric object of KWOK: a node's containers, sandboxes, pods and root as cAdvisor shows them."""
    metrics = []
    for name, share in _SHARES.items():
        metrics += [
            _gauge(name, "container", _CONTAINER, f'pod.Usage("memory", container.name) * {share}'),
            _gauge(name, "pod", _SANDBOX, "262144.0"),
            _gauge(name, "pod", _SIDECAR, f"{_SIDECAR_USAGE} * {share}"),
            # A quantity times a number is a quantity, and only those can be added.
            _gauge(
                name,
                "pod",
                _POD,
                f'Quantity("1") * (pod.Usage("memory") * {share} + 262144.0) + {_SIDECAR_USAGE} * {share}',
            ),
            _gauge(name, "node", _NODE, f'node.Usage("memory") * {share} + 1073741824.0'),
        ]
    limits = {
        "container": (_CONTAINER, '"rig.remediator.dev/limit." + container.name'),
        "sidecar": (_SIDECAR, f'"rig.remediator.dev/limit." + ({_HAS_SIDECAR} ? {_THE_SIDECAR} : "")'),
        "pod": (_POD, '"rig.remediator.dev/pod-limit"'),
    }
    for kind, (labels, annotation) in limits.items():
        dimension = "container" if kind == "container" else "pod"
        metrics.append(_gauge("container_spec_memory_limit_bytes", dimension, labels, _quantity_in(annotation)))
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Metric",
        "metadata": {"name": "cadvisor"},
        "spec": {"path": CADVISOR, "metrics": metrics},
    }


def kwok(site: Site) -> Component:
    """KWOK for all nodes of the site; it keeps their Leases, so that no node turns NotReady by itself."""
    configuration = site.folder / "kwok-configuration.yaml"
    write_configuration(configuration)
    port = site.ports["kwok"]
    return site.component(
        "kwok",
        [
            f"--config={configuration}",
            f"--kubeconfig={site.kubeconfig('kwok')}",
            "--manage-all-nodes",
            f"--node-ip={HOST}",
            f"--node-port={port}",
            f"--server-address={HOST}:{port}",
            # The API server speaks to a kubelet by TLS only; the same port answers plain HTTP as well.
            f"--tls-cert-file={site.serving.certificate}",
            f"--tls-private-key-file={site.serving.key}",
            "--cidr=10.64.0.0/16",
            "--node-lease-duration-seconds=40",
        ],
        health=f"{site.url('kwok')}/healthz",
        # Else ~/.kwok/kwok.yaml of whoever runs the tests would be read as well.
        environment={"KWOK_WORKDIR": str(site.folder / "kwok")},
    )


def _gauge(name: str, dimension: str, labels: dict[str, str], value: str) -> dict[str, Any]:
    return {
        "name": name,
        "dimension": dimension,
        "help": _HELP,
        "kind": "gauge",
        "labels": [{"name": label, "value": " ".join(cel.split())} for label, cel in labels.items()],
        "value": " ".join(value.split()),
    }


def _quantity_in(annotation: str) -> str:
    """What stands in an annotation; 0 where it does not, as cAdvisor has it where there is no limit."""
    return f'({annotation}) in {_NOTES} ? Quantity({_NOTES}[{annotation}]) : Quantity("0")'
