"""Taking a pod away: exactly one request for exactly one instance, and what each answer means."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.cluster.api import READ_TIMEOUT, ApiServer
from remediator.cluster.removal import Answer, Removal, Taken, understand
from remediator.errors import NotLeader, Status
from remediator.model.vocabulary import Action
from tests.unit.cluster.leases import Clock
from tests.unit.cluster.objects import UID, status_object
from tests.unit.servers import Connection, Request, Server, always, http


class Fence:
    """A fence that counts, and that can be shut."""

    def __init__(self, server: Server) -> None:
        self.asked: list[float] = []
        self.shut = False
        self._server = server

    def __call__(self, timeout: float) -> None:
        """As the elector's."""
        assert not self._server.requests, "it is asked before the request is sent"
        self.asked.append(timeout)
        if self.shut:
            message = "0 s are left on the lease"
            raise NotLeader(message)


@pytest.fixture
def fence(server: Server) -> Fence:
    """The fence of ``evict``."""
    return Fence(server)


def take(action: Action, api: ApiServer, fence: Fence, **more: Any) -> Taken:  # noqa: ANN401
    """Take the pod of the tests."""
    removal = Removal(api, fence=fence)
    return removal.take(action, namespace="shop", name="web-0", uid=UID, resource_version="4711", **more)


def evict(api: ApiServer, fence: Fence, **more: Any) -> Taken:  # noqa: ANN401
    """Evict the pod of the tests."""
    return take(Action.EVICT, api, fence, **more)


def test_the_eviction_names_the_instance_and_the_version(server: Server, api: ApiServer, fence: Fence) -> None:
    """UID and resourceVersion of the pod as it was just read, once, behind the fence."""
    server.answer = always(http(201, status_object(201)))
    assert evict(api, fence) == Taken(Answer.ACCEPTED)
    [request] = server.requests
    assert (request.method, request.target) == ("POST", "/api/v1/namespaces/shop/pods/web-0/eviction")
    assert request.json == {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "web-0", "namespace": "shop"},
        "deleteOptions": {"preconditions": {"uid": UID, "resourceVersion": "4711"}},
    }
    assert fence.asked == [READ_TIMEOUT]


@pytest.mark.parametrize("seconds", [1, 30, 3600])
def test_a_grace_period_is_passed_on(server: Server, api: ApiServer, fence: Fence, seconds: int) -> None:
    """Only where the policy names one."""
    server.answer = always(http(201, {}))
    evict(api, fence, grace_period=seconds)
    assert server.requests[0].json["deleteOptions"]["gracePeriodSeconds"] == seconds


POD = "/api/v1/namespaces/shop/pods/web-0"
PRECONDITIONS = {"uid": UID, "resourceVersion": "4711"}


def test_a_deletion_names_the_instance_and_the_version(server: Server, api: ApiServer, fence: Fence) -> None:
    """A plain DELETE, past the budgets, of this instance in this version and of no other, behind the fence."""
    server.answer = always(http(200, {"kind": "Pod", "metadata": {"name": "web-0"}}))
    assert take(Action.DELETE, api, fence) == Taken(Answer.ACCEPTED)
    [request] = server.requests
    assert (request.method, request.target) == ("DELETE", POD)
    assert request.json == {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": PRECONDITIONS}
    assert request.headers["content-type"] == "application/json"
    assert fence.asked == [READ_TIMEOUT]


@pytest.mark.parametrize("action", [Action.EVICT, Action.DELETE])
def test_a_dry_run_is_one_for_everybody_who_sees_it(
    server: Server, api: ApiServer, fence: Fence, action: Action
) -> None:
    """The API server reads the body, and tells webhooks of an eviction what the query says: both say it."""
    server.answer = always(http(201, {}))
    assert take(action, api, fence, dry_run=True).answer is Answer.ACCEPTED
    [request] = server.requests
    options = request.json if action is Action.DELETE else request.json["deleteOptions"]
    assert options["dryRun"] == ["All"]
    assert options["preconditions"] == PRECONDITIONS
    assert request.path == (POD if action is Action.DELETE else f"{POD}/eviction")
    assert request.query == ({} if action is Action.DELETE else {"dryRun": "All"})
    assert fence.asked == [READ_TIMEOUT]


@pytest.mark.parametrize("action", [Action.EVICT, Action.DELETE])
def test_what_is_no_dry_run_does_not_look_like_one(
    server: Server, api: ApiServer, fence: Fence, action: Action
) -> None:
    """Neither in the body nor in the query."""
    server.answer = always(http(201, {}))
    take(action, api, fence)
    assert "dryRun" not in server.requests[0].raw.decode()


@pytest.mark.parametrize("seconds", [1, 3600])
def test_a_deletion_has_the_grace_period_of_its_policy(
    server: Server, api: ApiServer, fence: Fence, seconds: int
) -> None:
    """Beside the preconditions."""
    server.answer = always(http(200, {}))
    take(Action.DELETE, api, fence, grace_period=seconds)
    assert server.requests[0].json["gracePeriodSeconds"] == seconds
    assert server.requests[0].json["preconditions"] == PRECONDITIONS


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("action", [Action.EVICT, Action.DELETE])
def test_behind_a_shut_fence_nothing_is_asked_for(
    server: Server,
    api: ApiServer,
    fence: Fence,
    action: Action,
    dry_run: bool,  # noqa: FBT001
) -> None:
    """Whoever does not lead neither takes a pod nor rehearses it."""
    fence.shut = True
    with pytest.raises(NotLeader):
        take(action, api, fence, dry_run=dry_run)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("code", "body", "answer"),
    [
        (404, {"kind": "pods"}, Answer.GONE),
        (409, {"kind": "pods"}, Answer.CHANGED),
        (403, {"kind": "pods"}, Answer.FORBIDDEN),
        (401, {}, Answer.OVERLOAD),
        (429, {}, Answer.OVERLOAD),
        (503, {}, Answer.OVERLOAD),
        (504, {}, Answer.UNKNOWN),
        (422, {"kind": "DeleteOptions"}, Answer.REFUSED),
    ],
)
def test_a_deletion_is_answered_by_the_same_table(
    server: Server, api: ApiServer, fence: Fence, code: int, body: dict[str, Any], answer: Answer
) -> None:
    """Whatever is asked for, an answer means the same."""
    server.answer = always(http(code, status_object(code, **body)))
    assert take(Action.DELETE, api, fence).answer is answer
    assert len(server.requests) == 1


def test_a_token_that_is_just_being_rotated_is_waited_for(server: Server, api: ApiServer) -> None:
    """401 says nothing of the workload, and holds all that comes next for a moment."""
    clock = Clock()
    removal = Removal(api, fence=lambda _: None, monotonic=clock)
    server.answer = always(http(401, status_object(401, "Unauthorized")))
    taken = removal.take(Action.DELETE, namespace="shop", name="web-0", uid=UID, resource_version="1")
    assert taken == Taken(Answer.OVERLOAD, "Unauthorized")
    assert removal.pause == 5.0


def cut(_request: Request, connection: Connection) -> None:
    """Take the request and break off."""
    connection.reset()


@pytest.mark.parametrize("answer", [cut, always(b""), always(http(200, b"?")), always(http(201, b""))])
def test_without_a_whole_answer_the_end_is_unknown(server: Server, api: ApiServer, fence: Fence, answer: Any) -> None:  # noqa: ANN401
    """Read again before anything else: the pod may be gone or not."""
    server.answer = answer
    taken = evict(api, fence)
    assert taken.answer is Answer.UNKNOWN
    assert taken.may_have_landed
    assert taken.words
    assert len(server.requests) == 1


BUDGET = {"reason": "DisruptionBudget", "message": "The disruption budget web needs 3 healthy pods and has 3 currently"}
CANNOT = "Cannot evict pod as it would violate the pod's disruption budget."
TWO = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


@pytest.mark.parametrize(
    ("code", "body", "answer"),
    [
        pytest.param(404, {"kind": "pods"}, Answer.GONE, id="404"),
        pytest.param(409, {"kind": "pods"}, Answer.CHANGED, id="409 pods"),
        pytest.param(409, {"kind": "pod"}, Answer.CHANGED, id="409 pod"),
        pytest.param(409, {}, Answer.CHANGED, id="409 without a kind"),
        pytest.param(409, {"kind": "poddisruptionbudgets"}, Answer.CONTENTION, id="409 budgets"),
        pytest.param(409, {"kind": "poddisruptionbudget"}, Answer.CONTENTION, id="409 budget"),
        pytest.param(429, {"message": CANNOT, "causes": [BUDGET]}, Answer.BUDGET, id="429 by the budget"),
        pytest.param(
            429, {"message": "Too many requests, please try again later."}, Answer.OVERLOAD, id="429 flow control"
        ),
        pytest.param(429, {"message": CANNOT}, Answer.OVERLOAD, id="429 in the budget's words, without its cause"),
        pytest.param(429, {"causes": [{"reason": "Other", "message": ""}]}, Answer.OVERLOAD, id="429 by a webhook"),
        pytest.param(503, {}, Answer.OVERLOAD, id="503"),
        pytest.param(403, {"kind": "poddisruptionbudget"}, Answer.BUDGET, id="403 budget"),
        pytest.param(403, {"kind": "poddisruptionbudgets"}, Answer.BUDGET, id="403 budgets"),
        pytest.param(403, {"kind": "pods"}, Answer.FORBIDDEN, id="403 RBAC"),
        pytest.param(403, {}, Answer.FORBIDDEN, id="403 without a kind"),
        pytest.param(500, {"message": TWO}, Answer.BUDGET, id="500 two budgets"),
        pytest.param(500, {"message": "etcdserver: request timed out"}, Answer.UNKNOWN, id="500 anything else"),
        pytest.param(504, {}, Answer.UNKNOWN, id="504"),
        pytest.param(502, {}, Answer.UNKNOWN, id="502 by a proxy"),
        pytest.param(507, {}, Answer.UNKNOWN, id="507"),
        pytest.param(400, {}, Answer.REFUSED, id="400"),
        pytest.param(401, {}, Answer.OVERLOAD, id="401"),
        pytest.param(
            400, {"message": 'admission webhook "w.x" does not support dry run'}, Answer.NO_DRY_RUN, id="400 webhook"
        ),
        pytest.param(405, {}, Answer.REFUSED, id="405"),
        pytest.param(422, {}, Answer.REFUSED, id="422"),
        pytest.param(302, {}, Answer.REFUSED, id="302"),
    ],
)
def test_each_answer_means_one_thing(
    server: Server, api: ApiServer, fence: Fence, code: int, body: dict[str, Any], answer: Answer
) -> None:
    """The table of answers, as bytes on the wire; only its cause makes a 429 the budget's."""
    details = {key: value for key, value in body.items() if key != "message"}
    server.answer = always(http(code, status_object(code, body.get("message", "no"), **details)))
    taken = evict(api, fence)
    assert taken.answer is answer
    assert taken.words.startswith(body.get("message", "no"))
    assert taken.may_have_landed == (answer is Answer.UNKNOWN or code == 503)
    assert len(server.requests) == 1


def test_the_budgets_own_words_are_kept() -> None:
    """The message of the cause names the budget; that of the refusal alone does not."""
    taken = understand(Status(429, message=CANNOT, causes=(("DisruptionBudget", BUDGET["message"]),), retry_after=10))
    assert taken == Taken(Answer.BUDGET, f"{CANNOT}; {BUDGET['message']}", 10)


@pytest.mark.parametrize("code", [429, 503])
def test_how_long_to_wait_is_kept(server: Server, api: ApiServer, fence: Fence, code: int) -> None:
    """``Retry-After`` slows down what comes next; this request is over."""
    server.answer = always(http(code, status_object(code), retry_after="7"))
    assert evict(api, fence).retry_after == 7


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        (429, {"retry_after": "7"}, 7.0),
        (503, {}, 5.0),
        (503, {"retry_after": "0"}, 0.0),
        (429, {"retry_after": "3600"}, 30.0),
        (409, {}, 0.0),
        (500, {"retry_after": "7"}, 0.0),
        (404, {"retry_after": "7"}, 0.0),
    ],
)
def test_an_overloaded_server_is_left_in_peace(
    server: Server, api: ApiServer, status: int, headers: dict[str, str], pause: float
) -> None:
    """For as long as it says, half a minute at most; it holds for whoever evicts next, and passes."""
    clock = Clock()
    removal = Removal(api, fence=lambda _: None, monotonic=clock)
    server.answer = always(http(status, status_object(status), **headers))
    assert removal.pause == 0.0
    removal.take(Action.EVICT, namespace="shop", name="web-0", uid=UID, resource_version="1")
    assert removal.pause == pause
    clock.now += pause + 1
    assert removal.pause == 0.0


@pytest.mark.parametrize("code", range(300, 600))
def test_no_refusal_is_taken_for_an_acceptance(code: int) -> None:
    """Whatever the number."""
    assert understand(Status(code)).answer is not Answer.ACCEPTED
