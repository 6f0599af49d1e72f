"""Kubeconfig files with the certificates inside, so that one path is all that a client needs."""

import base64
import json
from pathlib import Path

from tests.rig.certificates import Credential


def write_kubeconfig(
    path: Path,
    *,
    url: str,
    ca_file: Path,
    credential: Credential | None = None,
    token: str | None = None,
    namespace: str = "default",
) -> Path:
    """Writes a kubeconfig with one context for a client certificate or a bearer token, and gives its path."""
    user: dict[str, str] = {}
    if credential is not None:
        user["client-certificate-data"] = _encoded(credential.certificate)
        user["client-key-data"] = _encoded(credential.key)
    if token is not None:
        user["token"] = token
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "rig", "cluster": {"server": url, "certificate-authority-data": _encoded(ca_file)}}],
        "users": [{"name": "rig", "user": user}],
        "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": "rig", "namespace": namespace}}],
        "current-context": "rig",
    }
    path.touch(mode=0o600)
    # JSON is YAML, and every client reads it.
    path.write_text(json.dumps(config, indent=2))
    return path


def by_way_of(url: str, kubeconfig: Path, *, path: Path) -> Path:
    """Writes a kubeconfig for the same user by way of another URL, a proxy's, and gives its path."""
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"] = {"server": url}
    path.write_text(json.dumps(config, indent=2))
    return path


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
