"""What a pod takes up: of the node, of its claims, and of the namespace's quota.

Source: https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers and
https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from remediator.cluster.api import Json
from remediator.model.surge import Footprint

_NONE = Decimal(0)


def parse_footprint(spec: Json) -> Footprint:
    """What a pod of this spec takes up. Raises KeyError, TypeError, ValueError, AttributeError for an odd one."""
    containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
    ports = (port.get("hostPort") for container in containers for port in container.get("ports") or ())
    volumes = spec.get("volumes") or ()
    return Footprint(
        host_network=bool(spec.get("hostNetwork")),
        host_ports=tuple(sorted({int(port) for port in ports if port})),
        claims=tuple(v["persistentVolumeClaim"]["claimName"] for v in volumes if v.get("persistentVolumeClaim")),
        asks={**_asks(spec, "requests"), **_asks(spec, "limits")},
        best_effort=not any(_is_weighed(holder) for holder in (spec, *containers)),
        ends=spec.get("activeDeadlineSeconds") is not None,
        priority_class=spec.get("priorityClassName") or "",
    )


def parse_quantities(written: Mapping[str, object] | None) -> dict[str, Decimal]:
    """Amounts by the names of what they are of. Raises ValueError for what is no quantity."""
    return {name: Decimal(parse_quantity(str(value))) for name, value in (written or {}).items()}  # type: ignore[no-untyped-call]


def _is_weighed(holder: Json) -> bool:
    """Whether it asks for CPU or memory: where nothing does, the pod is of the class BestEffort.

    Source: ``pkg/apis/core/v1/helper/qos/qos.go`` of Kubernetes 1.36.
    """
    quantities = {**_quantities(holder, "requests"), **_quantities(holder, "limits")}
    return any(quantities.get(name) for name in ("cpu", "memory"))


def _asks(spec: Json, which: str) -> Mapping[str, Decimal]:
    """The sum over the containers that run at the same time, at its highest; the pod's own goes first."""
    beside: dict[str, Decimal] = {}
    alone: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or ():
        own = _quantities(container, which)
        if container.get("restartPolicy") == "Always":
            beside = _sum(beside, own)
        else:
            alone = {
                **alone,
                **{name: max(alone.get(name, _NONE), beside.get(name, _NONE) + own[name]) for name in own},
            }
    for container in spec["containers"]:
        beside = _sum(beside, _quantities(container, which))
    total = {name: max(beside.get(name, _NONE), alone.get(name, _NONE)) for name in {*beside, *alone}}
    total |= _quantities(spec, which)
    overhead = parse_quantities(spec.get("overhead"))
    total = _sum(total, {name: value for name, value in overhead.items() if which == "requests" or name in total})
    return {f"{which}.{name}": value for name, value in total.items()}


def _sum(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: one.get(name, _NONE) + other.get(name, _NONE) for name in {*one, *other}}


def _quantities(holder: Json, which: str) -> dict[str, Decimal]:
    return parse_quantities((holder.get("resources") or {}).get(which))
