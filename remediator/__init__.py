"""remediator replaces Kubernetes pods that use more memory than their workload may."""

__version__ = "0.1.0"
