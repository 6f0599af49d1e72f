"""Forms of values that a chart's values.yaml names by `# @schema $ref: NAME`, as JSON Schemas of draft 7.

Those of Kubernetes are closed where its API is, so that a misspelt `runAsNonRooot` is an error at `helm install`, not a
container that runs as root. Values that must be text have that one type: `value: 1` under `env` is answered with "got
number, want string" at its place. Patterns are read by Go's RE2 in Helm and by JavaScript in editors.
"""

from collections.abc import Mapping
from typing import Any

from remediator.policy import json_schema

Schema = Mapping[str, Any]

_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_TEXT: Schema = {"type": "string"}
_ANY: Schema = {"type": "object"}
_TEXTS: Schema = {"type": "object", "additionalProperties": _TEXT}
_QUANTITY: Schema = {
    "type": ["string", "number"],
    "pattern": r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][0-9]+|[numkMGTPE]|[KMGTPE]i)?$",
    "minimum": 0,
}
_QUANTITIES: Schema = {"type": "object", "additionalProperties": _QUANTITY}
_ID: Schema = {"type": ["integer", "null"], "minimum": 0}
_FLAG: Schema = {"type": ["boolean", "null"]}
_PART: Schema = {"type": ["object", "null"]}


def _closed(*required: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        **({"required": list(required)} if required else {}),
    }


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _duration(seconds: str) -> Schema:
    """Durations with some day, hour or minute in them, or else with so many seconds."""
    parts = [f"([0-9]+{unit})?" for unit in "dhms"]
    ways = ["".join((*parts[:place], f"0*[1-9][0-9]*{unit}", *parts[place + 1 :])) for place, unit in enumerate("dhm")]
    ways.append("".join((*parts[:3], f"0*({seconds})s")))
    return {"type": "string", "pattern": f"^({'|'.join(ways)})$"}


_REFERENCE = _closed("name", name=_TEXT, optional={"type": "boolean"})
_NAME: Schema = {"type": "string", "maxLength": 253, "pattern": rf"^({_LABEL}(\.{_LABEL})*)?$"}
_WINDOWS_AND_LINUX = {
    "runAsUser": _ID,
    "runAsGroup": _ID,
    "runAsNonRoot": _FLAG,
    "seccompProfile": _PART,
    "appArmorProfile": _PART,
    "seLinuxOptions": _PART,
    "windowsOptions": _PART,
}

FORMS: Mapping[str, Schema] = {
    "policy": json_schema(),
    "object": _ANY,
    "strings": _list_of(_TEXT),
    "stringMap": _TEXTS,
    "annotations": _TEXTS,
    "labels": {
        "type": "object",
        # Each object has these in any case; of two with one name the later would hold, and selectors look at ours.
        "patternProperties": {
            r"^(app\.kubernetes\.io/(name|instance|version|managed-by)|helm\.sh/chart)$": False,
            r"^remediator\.dev/(part-of|server)$": False,
        },
        "additionalProperties": {
            "type": "string",
            "maxLength": 63,
            "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        },
    },
    # Prometheus refuses its whole configuration where a name is none to it. Not by `propertyNames`: Helm misplaces it.
    "seriesLabels": {
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {"^[a-zA-Z_][a-zA-Z0-9_]*$": _TEXT},
    },
    "nodeSelector": _TEXTS,
    "namespace": {"type": "string", "pattern": f"^({_LABEL})?$"},
    "name": _NAME,
    "key": {"type": "string", "maxLength": 253, "pattern": "^[-._a-zA-Z0-9]+$"},
    "registry": {
        "type": "string",
        "pattern": r"^([\w.:\[\]-]+(/[\w.-]+)*)?$",
        "examples": ["registry.example.com:5000"],
    },
    "repository": {"type": "string", "pattern": r"^[\w.:-]+(/[\w.-]+)*$"},
    "tag": {"type": "string", "pattern": r"^(\w[\w.-]{0,127})?$"},
    "quantity": _QUANTITY,
    "duration": {"type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "examples": ["30s", "1m"]},
    "time": _duration("[1-9][0-9]*"),
    # remediator.settings.SHORTEST_LEASE.
    "lease": {**_duration("[2-9][0-9]|[1-9][0-9]{2,}"), "examples": ["20s", "1m"]},
    # The daemon takes neither credentials nor parameters in a URL, which is for all to read.
    "url": {
        "type": "string",
        "pattern": r"^(https?://[^\s/@?#]+(/[^\s@?#]*)?)?$",
        "examples": ["http://prometheus:9090"],
    },
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "intOrPercent": {"type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+%$", "examples": [1, "50%"]},
    "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "imagePullSecrets": _list_of(_closed("name", name=_NAME)),
    "resources": _closed(limits=_QUANTITIES, requests=_QUANTITIES, claims=_list_of(_ANY)),
    "env": _list_of(
        _closed("name", name={"type": "string", "pattern": "^[A-Za-z_][-A-Za-z0-9_.]*$"}, value=_TEXT, valueFrom=_ANY)
    ),
    "envFrom": _list_of(_closed(prefix=_TEXT, configMapRef=_REFERENCE, secretRef=_REFERENCE)),
    "volumes": _list_of({"type": "object", "required": ["name"], "properties": {"name": _TEXT}}),
    "volumeMounts": _list_of(
        _closed(
            "name",
            "mountPath",
            name=_TEXT,
            mountPath={"type": "string", "pattern": "^/"},
            subPath=_TEXT,
            subPathExpr=_TEXT,
            readOnly={"type": "boolean"},
            recursiveReadOnly=_TEXT,
            mountPropagation=_TEXT,
        )
    ),
    "tolerations": _list_of(
        _closed(
            key=_TEXT,
            operator={"type": "string", "enum": ["Exists", "Equal", "Lt", "Gt"]},
            value=_TEXT,
            effect={"type": "string", "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
            tolerationSeconds={"type": "integer"},
        )
    ),
    "affinity": _closed(nodeAffinity=_PART, podAffinity=_PART, podAntiAffinity=_PART),
    "topologySpreadConstraints": _list_of(
        _closed(
            "maxSkew",
            "topologyKey",
            "whenUnsatisfiable",
            maxSkew={"type": "integer", "minimum": 1},
            topologyKey=_TEXT,
            whenUnsatisfiable={"type": "string", "enum": ["DoNotSchedule", "ScheduleAnyway"]},
            labelSelector=_ANY,
            matchLabelKeys=_list_of(_TEXT),
            minDomains={"type": "integer", "minimum": 1},
            nodeAffinityPolicy={"type": "string", "enum": ["Honor", "Ignore"]},
            nodeTaintsPolicy={"type": "string", "enum": ["Honor", "Ignore"]},
        )
    ),
    "podSecurityContext": _closed(
        **_WINDOWS_AND_LINUX,
        fsGroup=_ID,
        fsGroupChangePolicy={"type": ["string", "null"], "enum": ["Always", "OnRootMismatch", None]},
        supplementalGroups=_list_of({"type": "integer", "minimum": 0}),
        supplementalGroupsPolicy={"type": ["string", "null"], "enum": ["Merge", "Strict", None]},
        seLinuxChangePolicy={"type": ["string", "null"], "enum": ["MountOption", "Recursive", None]},
        sysctls=_list_of(_closed("name", "value", name=_TEXT, value=_TEXT)),
    ),
    "securityContext": _closed(
        **_WINDOWS_AND_LINUX,
        allowPrivilegeEscalation=_FLAG,
        capabilities={**_closed(add=_list_of(_TEXT), drop=_list_of(_TEXT)), "type": ["object", "null"]},
        privileged=_FLAG,
        procMount={"type": ["string", "null"]},
        readOnlyRootFilesystem=_FLAG,
    ),
}
