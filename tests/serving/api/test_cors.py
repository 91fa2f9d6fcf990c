"""Pages of other origins may ask where a setting names them."""

import pytest

from viridian_serving.api.cors import Cors
from viridian_serving.http1.messages import Request, Response

PAGE = b"http://localhost:3000"


def asking(method: bytes, origin: bytes | None, **headers: bytes) -> Request:
    given = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return Request(method, b"/predict", given | ({b"origin": origin} if origin else {}), b"", 0.0)


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ([PAGE.decode()], PAGE, PAGE),
        (["*"], PAGE, b"*"),
        (["https://example.com"], PAGE, None),
        (["*"], None, None),
    ],
)
def test_an_answer_is_readable_for_those_who_are_named(
    origins: list[str], origin: bytes | None, allowed: bytes | None
) -> None:
    # given
    cors = Cors(origins)
    # when
    answer = cors.allowing(asking(b"POST", origin), Response(200, b"{}", headers=((b"X", b"y"),)))
    preflight = cors.preflight(asking(b"OPTIONS", origin, access_control_request_method=b"POST"))
    # then
    assert dict(answer.headers).get(b"Access-Control-Allow-Origin") == allowed
    assert dict(answer.headers)[b"X"] == b"y"
    assert (preflight is not None) is (allowed is not None)
    if preflight is not None:
        assert (preflight.status, dict(preflight.headers)[b"Access-Control-Allow-Methods"]) == (200, b"GET, HEAD, POST")


def test_options_without_a_question_are_no_preflight() -> None:
    assert Cors(["*"]).preflight(asking(b"OPTIONS", PAGE)) is None
