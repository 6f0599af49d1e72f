"""Runs the daemon as in a pod, whose credentials are in another folder: `python incluster.py FOLDER ARGUMENT...`.

That is the one path in a pod that is no argument and no variable: client libraries know it by heart. All else of the
way in a cluster (the Service's address in the environment, the token's and the namespace's file) is as it is.
"""

import sys
from pathlib import Path

from kubernetes.config import incluster_config

from remediator.cli import main
from remediator.cluster import api

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    incluster_config.SERVICE_TOKEN_FILENAME = str(folder / "token")
    incluster_config.SERVICE_CERT_FILENAME = str(folder / "ca.crt")
    api.SERVICE_ACCOUNT = folder
    sys.argv = ["remediator", *sys.argv[2:]]
    main()
