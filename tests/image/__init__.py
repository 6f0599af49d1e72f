"""The image: its build steps run for real, and what they make runs as it does in a pod. Needs no container engine."""
