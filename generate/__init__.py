"""What is generated and committed, and from what: `make generate` writes it, `python -m generate --check` compares.

Each module makes some files from one source of truth, as a mapping of paths in the repository to texts: `policy` the
policy's JSON Schema from the models that read it, `values` the chart's schema and `readme` its README from the comments
in its values.yaml, `manifests` deploy/ from its templates, `stack` the chart's copy of the values for
kube-prometheus-stack. `files` writes them, or says which of them differ.
The package `remediator` never imports this one.
"""
