"""Requests by the client whose key they carry."""

from tests.serving.contexts import context_of

from viridian_serving.http1.messages import Request
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.telemetry.client_counts import ClientCounts
from viridian_shared.counts.via import USERLESS, Via


def asked(client: str, via: Via = Via.SPLIT, status: int = 200) -> RequestContext:
    request = Request(b"POST", b"/predict", {}, b"", 0.0)
    return context_of(request, "id", via, client=client, status=status)


def shown(counts: ClientCounts) -> dict[tuple[str, str], float]:
    (family,) = counts.families(("model",), ("m",))
    return {(each.labels["client"], each.labels["code"]): each.value for each in family.samples}


def test_requests_are_counted_by_client_and_class_of_status() -> None:
    # given
    counts = ClientCounts()
    # when: the last one did not wait for its answer, and one has no key
    counts.observe([asked("shop"), asked("shop"), asked("shop", status=503), asked("desk", status=0), asked("")])
    # then
    assert shown(counts) == {("shop", "2xx"): 2, ("shop", "5xx"): 1, ("desk", "left"): 1}
    # and a client without a key any more is forgotten
    counts.keep(["desk"])
    assert shown(counts) == {("desk", "left"): 1}


def test_what_no_user_waits_for_is_no_request_of_a_client() -> None:
    # given: a check has the key of some client, and a copy that of who sent the request
    counts = ClientCounts()
    # when
    counts.observe([asked("shop", via) for via in Via])
    # then
    assert shown(counts) == {("shop", "2xx"): len(Via) - len(USERLESS)}
