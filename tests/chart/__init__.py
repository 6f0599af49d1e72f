"""The chart without a cluster: linted, rendered and judged."""
