"""Which API servers are believed: the one whose certificate an authority of the kubeconfig signed, for that name."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from remediator.cluster.api import ApiServer, connect
from remediator.errors import KubernetesUnreachable
from tests.rig.certificates import Authority, strict_context
from tests.unit.cluster.conftest import written
from tests.unit.servers import Server, always, http, serving

POD = "/api/v1/namespaces/shop/pods/web-0"


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """Two, neither of which has key identifiers; the first signs."""
    return Authority(tmp_path_factory.mktemp("ca")), Authority(tmp_path_factory.mktemp("other"))


@pytest.fixture(scope="module")
def secure(authorities: tuple[Authority, Authority]) -> Iterator[Server]:
    """An API server behind TLS, known as 127.0.0.1 and as ``kubernetes``."""
    credential = authorities[0].serving("server", hosts=("127.0.0.1", "kubernetes"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credential.certificate, credential.key)
    with serving(always(http(200, {"kind": "Pod"})), context=context) as running:
        yield running


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client would make by itself is as strict as it is since Python 3.13."""
    monkeypatch.setattr("urllib3.connection.create_urllib3_context", strict_context)


def asked(url: str, folder: Path, cluster: Mapping[str, object]) -> object:
    """A pod, read with that entry of a kubeconfig."""
    file = written(url, folder)
    content = yaml.safe_load(file.read_text())
    content["clusters"][0]["cluster"] |= cluster
    file.write_text(yaml.safe_dump(content))
    return ApiServer(connect(file), observe=lambda *_: None).get(POD)


def as_file(authority: Authority) -> dict[str, object]:
    """The authority as a file."""
    return {"certificate-authority": str(authority.certificate)}


def inline(authority: Authority) -> dict[str, object]:
    """The authority in the kubeconfig itself."""
    return {"certificate-authority-data": base64.b64encode(authority.certificate.read_bytes()).decode()}


@pytest.mark.parametrize("form", [as_file, inline])
def test_an_authority_without_key_identifiers_is_believed_on_every_python(
    secure: Server, authorities: tuple[Authority, Authority], tmp_path: Path, form: object
) -> None:
    """As kubectl does; since Python 3.13 the libraries by themselves refuse such a cluster."""
    assert callable(form)
    assert asked(secure.url, tmp_path, form(authorities[0])) == {"kind": "Pod"}
    with pytest.raises(KubernetesUnreachable, match="certificate verify failed"):
        asked(secure.url, tmp_path, form(authorities[1]))


def test_without_an_authority_those_of_the_system_are_believed(
    secure: Server, authorities: tuple[Authority, Authority], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public certificate needs no entry; ours is not one, until the system says so."""
    with pytest.raises(KubernetesUnreachable, match="certificate verify failed"):
        asked(secure.url, tmp_path, {})
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities[0].certificate))
    assert asked(secure.url, tmp_path, {}) == {"kind": "Pod"}


def test_a_name_that_the_certificate_does_not_have_is_refused(
    secure: Server, authorities: tuple[Authority, Authority], tmp_path: Path
) -> None:
    """The server must be the one that was asked for, or the one whose name the kubeconfig gives."""
    url = secure.url.replace("127.0.0.1", "localhost")
    with pytest.raises(KubernetesUnreachable, match="Hostname mismatch"):
        asked(url, tmp_path, as_file(authorities[0]))
    assert asked(url, tmp_path, {**as_file(authorities[0]), "tls-server-name": "kubernetes"}) == {"kind": "Pod"}


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_who_wants_no_check_gets_none(secure: Server, tmp_path: Path) -> None:
    """``insecure-skip-tls-verify`` in a kubeconfig does what it says."""
    assert asked(secure.url, tmp_path, {"insecure-skip-tls-verify": True}) == {"kind": "Pod"}
