"""Which certificates are believed: the same on each version of Python, and the same that kubectl believes.

Since 3.13 Python's and urllib3's own contexts ask for ``VERIFY_X509_STRICT``. That refuses an authority whose
certificate has no key identifiers, as it is on EKS clusters of a certain age, and on many that were made by hand:
*Missing Authority Key Identifier*, https://github.com/kubernetes-client/python/issues/2394. Signatures, times, names
and the authority are checked all the same.
"""

from __future__ import annotations

import ssl


def believing_no_one_yet() -> ssl.SSLContext:
    """A context of a client that checks the server's certificate and name; its authorities are still to be loaded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    # As Python has it since 3.13: an intermediate authority may be the one that is believed.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
