"""The environment and the arguments of a pod's container, by the kubelet's rules.

https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/ and the kubelet's
`makeEnvironmentVariables` (Kubernetes 1.36): `envFrom` in its order, over it `env`; in values `$(NAME)` is what a
variable before it holds, or stays as it is where there is none, and `$$` is a dollar.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.rig.api import Api, Json
from tests.rig.errors import RigError

_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\((?P<name>[^)]*)\))")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with its references to variables replaced."""

    def found(match: re.Match[str]) -> str:
        return "$" if match["dollar"] else variables.get(match["name"], match[0])

    return _REFERENCE.sub(found, text)


def environment(api: Api, pod: Json, container: Json) -> dict[str, str]:
    """What the container of a pod finds in its environment, but for what comes from its image.

    Raises `RigError` where the kubelet would not start it, or for what the rig does not know.
    """
    if pod["spec"].get("enableServiceLinks", True):
        msg = "the pod wants the addresses of all Services (enableServiceLinks), which the rig does not know"
        raise RigError(msg)
    namespace = pod["metadata"]["namespace"]
    service = _of_the_api_server(api.url)
    variables: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix", "")
        for kind, field in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
            if reference := source.get(field):
                given = texts(api, kind, namespace, reference["name"], optional=reference.get("optional", False))
                variables |= {prefix + key: value for key, value in (given or {}).items()}
    for variable in container.get("env") or ():
        if value := variable.get("value"):
            variables[variable["name"]] = expand(value, {**service, **variables})
        elif (value := _from_elsewhere(api, pod, variable.get("valueFrom"))) is not None:
            variables[variable["name"]] = value
    return {**service, "HOSTNAME": pod["metadata"]["name"], "HOME": "/", **variables}


def texts(api: Api, kind: str, namespace: str, name: str, *, optional: bool) -> dict[str, str] | None:
    """The texts in a ConfigMap or a Secret; None where it is not there and need not be. Raises `RigError`."""
    item = api.find(kind, namespace, name)
    if item is None:
        if optional:
            return None
        msg = f"the container does not start: there is no {kind}/{name} in {namespace}"
        raise RigError(msg)
    data: dict[str, str] = item.get("data") or {}
    return data if kind == "configmaps" else {key: base64.b64decode(value).decode() for key, value in data.items()}


def field_of(pod: Json, path: str) -> str:
    """A field of the pod as the downward API gives it. Raises `RigError` for one that is not of use here."""
    if keyed := _KEYED.fullmatch(path):
        return str((pod["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))
    where: Any = pod
    for part in path.split("."):
        where = where.get(part) if isinstance(where, dict) else None
    if not isinstance(where, str):
        msg = f"the rig does not know the field {path} of a pod"
        raise RigError(msg)
    return where


def _from_elsewhere(api: Api, pod: Json, source: Json | None) -> str | None:
    match source:
        case None:
            return ""
        case {"fieldRef": reference}:
            return field_of(pod, reference["fieldPath"])
        case {"configMapKeyRef": reference}:
            kind = "configmaps"
        case {"secretKeyRef": reference}:
            kind = "secrets"
        case _:
            msg = f"the rig does not know variables from {', '.join(source)}"
            raise RigError(msg)
    optional = reference.get("optional", False)
    found = (texts(api, kind, pod["metadata"]["namespace"], reference["name"], optional=optional) or {}).get(
        reference["key"]
    )
    if found is None and not optional:
        msg = f"the container does not start: {kind}/{reference['name']} has no key {reference['key']}"
        raise RigError(msg)
    return found


def _of_the_api_server(url: str) -> dict[str, str]:
    """What every container is told of the Service `kubernetes`; here of the API server itself, which is behind it."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), str(parts.port)
    at = f"tcp://{host}:{port}"
    return {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        "KUBERNETES_SERVICE_PORT_HTTPS": port,
        "KUBERNETES_PORT": at,
        f"KUBERNETES_PORT_{port}_TCP": at,
        f"KUBERNETES_PORT_{port}_TCP_PROTO": "tcp",
        f"KUBERNETES_PORT_{port}_TCP_PORT": port,
        f"KUBERNETES_PORT_{port}_TCP_ADDR": host,
    }
