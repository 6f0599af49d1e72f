"""The values for kube-prometheus-stack, and the Alertmanager that they make: checked, routed, run without a cluster."""
