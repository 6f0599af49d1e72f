"""The schemas that the renderings are judged by: what is wrong is found, what is right is not."""

from __future__ import annotations

import pytest

from tests.rig.kubeconform import kubeconform

SOUND = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: sound
  labels: {app: sound}
spec:
  replicas: 1
  selector: {matchLabels: {app: sound}}
  strategy: {rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: sound}}
    spec:
      containers:
        - name: main
          image: example/sound:1
          ports: [{name: http, containerPort: 80}]
          livenessProbe: {httpGet: {path: /, port: http}}
          readinessProbe: {httpGet: {path: /, port: 80}}
          resources: {limits: {cpu: 1, memory: 64Mi}, requests: {cpu: 0.5, memory: 1e7}}
          volumeMounts: [{name: scratch, mountPath: /tmp}]
      volumes: [{name: scratch, emptyDir: {}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, default: {format: any}, x-kubernetes-preserve-unknown-fields: true}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: sound, labels: {release: x}}
spec:
  selector: {matchLabels: {app: sound}}
  endpoints:
    - port: http
      interval: 30s
      metricRelabelings: [{action: drop, sourceLabels: [__name__], regex: go_.*}]
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: sound}
spec:
  groups:
    - name: sound
      rules: [{alert: Sound, expr: up == 0, for: 5m, labels: {severity: warning}}]
"""


def test_what_is_sound_passes() -> None:
    """Quantities that are numbers, ports by name and by number, open places of open types: nothing is found."""
    assert kubeconform({"sound": SOUND}) == []


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        pytest.param("replicas: 1\n", "replicas: '1'\n", "got string, want integer", id="type"),
        pytest.param("  replicas: 1\n", "  replica: 1\n", "'replica' not allowed", id="field"),
        pytest.param("mountPath: /tmp", "mountPaths: /tmp", "'mountPaths' not allowed", id="field deep down"),
        pytest.param("{name: scratch, mountPath: /tmp}", "{name: scratch}", "missing property 'mountPa", id="missing"),
        pytest.param("containerPort: 80", "containerPort: http", "got string, want integer", id="number"),
        pytest.param("port: http}}", "port: [80]}}", "containers/0/livenessProbe/httpGet/port", id="int or string"),
        pytest.param("memory: 64Mi", "memory: {}", "limits/memory", id="quantity"),
        pytest.param("emptyDir: {}", "emptyDir: null", "got null, want object", id="null"),
        pytest.param("  labels: {app: sound}", "  label: {app: sound}", "'label' not allowed", id="metadata"),
        pytest.param("{app: sound}}\n  strategy", "{app: 1}}\n  strategy", "got number, want string", id="label"),
        pytest.param("replicas: 1\n", "replicas: 1\n  replicas: 2\n", 'key "replicas" already set', id="twice"),
        pytest.param("apiVersion: apps/v1", "apiVersion: apps/v1beta1", "could not find schema", id="version"),
        pytest.param("kind: ServiceMonitor", "kind: ServiceMonitors", "could not find schema", id="kind"),
        pytest.param("interval: 30s", "intervall: 30s", "'intervall' not allowed", id="operator's field"),
        pytest.param("interval: 30s", "interval: 30 seconds", "does not match pattern", id="operator's pattern"),
        pytest.param("action: drop", "action: remove", "value must be one of", id="operator's enum"),
        pytest.param("labels: {release: x}", "label: {release: x}", "'label' not allowed", id="operator's metadata"),
        pytest.param("alert: Sound, expr: up == 0", "alert: Sound", "missing property 'expr'", id="operator's missing"),
        pytest.param("served: true", "serving: true", "'serving' not allowed", id="definition"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(right: str, wrong: str, said: str) -> None:
    """One error in one field is found, and nothing else."""
    assert SOUND.count(right) == 1
    (found,) = kubeconform({"file": SOUND.replace(right, wrong)})
    assert found.startswith(
        ("file: Deployment sound: ", "file: CustomR", "file: ServiceMonitor", "file: PrometheusRule")
    )
    assert said in found
