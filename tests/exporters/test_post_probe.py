"""The example application of deploy/examples/post-probe, run as its image runs it, and probed by POST with JSON."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.exporters.blackbox import Blackbox
from tests.exporters.chart import modules, rendered, the
from tests.rig.claim import Claim
from tests.rig.helm import Helm
from tests.rig.loopback import answers, ask
from tests.rig.processes import Component
from tests.rig.servers import HOST

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "examples" / "post-probe"


def entrypoint() -> list[str]:
    """What the image starts, with this Python and from this tree."""
    (found,) = re.findall(r"^ENTRYPOINT (.*)$", (EXAMPLE / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    program, *arguments = json.loads(found)
    assert program == "python"
    return [sys.executable, *(str(EXAMPLE / one[1:]) if one.startswith("/") else one for one in arguments)]


@pytest.fixture(scope="module")
def application() -> Iterator[Component]:
    """The application on a free port; its name is its URL."""
    claim = Claim()
    (port,) = claim.ports(1)
    url = f"http://{HOST}:{port}"
    component = Component(
        name=url,
        command=entrypoint(),
        log=claim.folder / "post-probe.log",
        healthy=lambda: answers(f"{url}/healthz"),
        environment={**os.environ, "PORT": str(port)},
    )
    component.start()
    try:
        component.wait_healthy(60)
        yield component
    finally:
        component.stop()
        claim.release()


def post(application: Component, body: bytes, path: str = "/") -> tuple[int, dict[str, object]]:
    """Status and content of the answer to this body."""
    answer = ask("POST", f"{application.name}{path}", data=body)
    return answer.status_code, answer.json()


def test_the_post_probe_succeeds_when_the_answer_says_ok(blackbox: Blackbox, application: Component) -> None:
    """http_post_json sends its body as JSON, and the words that it wants are in the answer."""
    probed = blackbox.probe("http_post_json", f"{application.name}/")
    assert probed.succeeded, probed.log
    assert probed.metrics["probe_http_status_code"] == 200


def test_a_200_that_is_not_well_is_told_by_its_body_alone(helm: Helm, application: Component) -> None:
    """A degraded answer passes a probe that looks at the status, and fails the one that looks into the body."""
    target = f"{application.name}/degraded"
    with Blackbox(modules(helm, {"modules": {"http_post_2xx": {"http": {"body": "{}"}}}})) as running:
        assert running.probe("http_post_2xx", target).succeeded
        probed = running.probe("http_post_json", target)
    assert not probed.succeeded
    assert probed.metrics["probe_http_status_code"] == 200
    assert probed.metrics["probe_failed_due_to_regex"] == 1


def test_what_is_sent_is_what_the_values_say(helm: Helm, application: Component) -> None:
    """Body and expected words are values; the application hands back what it got."""
    own = {"http": {"body": '{"order": 7}', "fail_if_body_not_matches_regexp": ['"received": \\{"order": 7\\}']}}
    with Blackbox(modules(helm, {"modules": {"http_post_json": own}})) as running:
        probed = running.probe("http_post_json", f"{application.name}/")
        assert probed.succeeded, probed.log


@pytest.mark.parametrize(
    ("body", "status", "content"),
    [
        (b'{"a": [1, "\xe9\x9b\xaa"]}', 200, {"status": "ok", "received": {"a": [1, "\u96ea"]}}),
        (b"{}", 200, {"status": "ok", "received": {}}),
        (b"", 400, {"status": "error", "reason": "the body is not JSON"}),
        (b'{"a": ', 400, {"status": "error", "reason": "the body is not JSON"}),
        (b"\xff\xfe", 400, {"status": "error", "reason": "the body is not JSON"}),
        (b"[" * 60000, 400, {"status": "error", "reason": "the body is not JSON"}),
        (b"[1]", 400, {"status": "error", "reason": "the body is not a JSON object"}),
        (b" " * 65537, 413, {"status": "error", "reason": "more than 65536 bytes"}),
    ],
    ids=["object", "empty object", "nothing", "half", "not UTF-8", "deep", "list", "large"],
)
def test_it_answers_predictably(application: Component, body: bytes, status: int, content: dict[str, object]) -> None:
    """The same body is answered alike, whatever came before; what is no JSON object is refused with the reason."""
    assert post(application, body) == (status, content)


def test_only_post_is_for_probing(application: Component) -> None:
    """GET is the kubelet's at /healthz, and is told elsewhere what to send."""
    assert ask("GET", f"{application.name}/healthz").status_code == 200
    refused = ask("GET", application.name)
    assert refused.status_code == 405
    assert refused.headers["Allow"] == "POST"


def test_a_request_without_a_length_is_refused(application: Component) -> None:
    """It is answered at once, and the connection ends, since what follows can't be told from the next request."""
    port = int(application.name.rpartition(":")[2])
    with socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
        with connection.makefile("rb") as answer:
            text = answer.read()
    assert text.startswith(b"HTTP/1.1 411 ")


def test_it_ends_in_order_when_it_is_told_to(application: Component) -> None:
    """SIGTERM is what the kubelet sends; the exit code is 0."""
    process = application.process
    assert process is not None
    application.signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    application.start()
    application.wait_healthy(60)


def test_the_examples_values_probe_it_where_its_manifests_put_it(helm: Helm) -> None:
    """Module and target in values.yaml are those of the Service in the example."""
    objects = rendered(helm, yaml.safe_load((EXAMPLE / "values.yaml").read_text("utf-8")))
    service = yaml.safe_load((EXAMPLE / "service.yaml").read_text("utf-8"))
    spec = the(objects, "Probe", "-probe-post")["spec"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    assert service["spec"]["ports"][0]["port"] == 80
    assert spec["targets"]["staticConfig"]["static"] == [f"http://{name}.{namespace}.svc/"]
    assert spec["module"] == "http_post_json"
