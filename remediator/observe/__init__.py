"""What one can see: logs, metrics, health, and the HTTP server that shows them.

Everything here is told what happened and decides nothing. Metric labels come from closed sets, from names in the
policy file, and from workloads that were acted upon.
"""
