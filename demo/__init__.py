"""The demonstration: the real daemon replaces leaking pods on a real control plane, and leaves others alone.

`python -m demo`, or `make demo`. The stage (`stage`) is a few workloads and a policy; what happens on it is read
from the daemon's log (`story`) and from Prometheus (`memory`), checked against the API server's audit log (`audit`)
and printed (`show`). `run` brings them together.
"""
