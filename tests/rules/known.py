"""Metrics of programs that the tests don't run, with their labels, and where each was read.

An expression may ask for nothing of these programs that does not stand here.
"""

from __future__ import annotations

GRAFANA = {
    # grafana/grafana pkg/middleware/request_metrics.go
    "grafana_http_request_duration_seconds_count": {"handler", "status_code", "method"},
    # grafana/grafana pkg/infra/httpclient/httpclientprovider/datasource_metrics_middleware.go
    "grafana_datasource_request_duration_seconds_bucket": {
        "datasource",
        "datasource_type",
        "code",
        "method",
        "secure_socks_ds_proxy_enabled",
        "le",
    },
}

NODE_EXPORTER = {
    # prometheus/node_exporter collector/filesystem_common.go
    "node_filesystem_avail_bytes": {"device", "mountpoint", "fstype", "device_error"},
    "node_filesystem_size_bytes": {"device", "mountpoint", "fstype", "device_error"},
}

KUBELET = {
    # google/cadvisor metrics/prometheus.go, labels of kubernetes/kubernetes pkg/kubelet/server/server.go
    "container_memory_working_set_bytes": {"id", "name", "image", "container", "pod", "namespace"}
}

KUBE_STATE_METRICS = {
    # kubernetes/kube-state-metrics docs/metrics/workload/pod-metrics.md
    "kube_pod_container_resource_limits": {"resource", "unit", "container", "pod", "namespace", "node", "uid"}
}

KNOWN = GRAFANA | NODE_EXPORTER | KUBELET | KUBE_STATE_METRICS
