"""The smoke check: what stable takes is asked of the candidate."""

import json

import pytest
from tests.serving.checks.targets import Answer, Version, failing, refusing

from viridian_serving.checks.agreement import Finding
from viridian_serving.checks.smoke import check_smoke
from viridian_serving.contract.contract import Contract

FEATURE = {"name": "x", "type": "integer", "shape": []}
SCHEMA = {"features": [FEATURE], "example": {"x": 0}}
GOLDEN = "".join(
    json.dumps({"case": f"row {x}", "request": {"x": x}, "status": status, "answer": {"prediction": 1}}) + "\n"
    for x, status in ((1, 200), (2, 200), (3, 400))
).encode()
SAMPLE = b'{"x": 9}'
CLOSED = "its schema.yaml closes the Open Inference Protocol, so tritonclient was not used"
"""Of a version that is a table of answers; another module has those that speak the protocol."""


async def smoke(candidate: Version, stable: Version | None) -> Finding:
    return await check_smoke(SAMPLE, candidate, stable, Contract.derived)  # type: ignore[arg-type]


def stable(golden: bytes | None = GOLDEN, answer: Answer | None = None) -> Version:
    return Version(answer or refusing(3), SCHEMA, golden)


@pytest.mark.parametrize(
    ("answer", "golden", "passed", "told"),
    [
        (
            refusing(3),
            GOLDEN,
            True,
            f"the sample is answered; {CLOSED}; stable's example and its 2 golden requests are answered too, and the"
            " schema takes all that stable's takes",
        ),
        (
            refusing(),
            None,
            True,
            f"the sample is answered; {CLOSED}; stable's example is answered too, and the schema takes all that"
            " stable's takes",
        ),
        (
            refusing(2),
            GOLDEN,
            True,
            f"the sample is answered; {CLOSED}; of stable's example and its 2 golden requests, it refuses 1: stable's"
            " row 2: status 400: /x: is not one of 0, 1",
        ),
        (
            refusing(0, 1, 2),
            GOLDEN,
            True,
            f"the sample is answered; {CLOSED}; of stable's example and its 2 golden requests, it refuses 3: 3"
            " requests, such as stable's example: status 400: /x: is not one of 0, 1",
        ),
        (failing(2), GOLDEN, False, "stable's row 2 is answered with status 500: boom"),
        (failing(0), None, False, "stable's example is answered with status 500: boom"),
        (failing(9), GOLDEN, False, "the sample is answered with status 500: boom"),
        (failing(3), GOLDEN, True, None),
    ],
)
async def test_what_stable_takes_is_asked_of_the_candidate(
    answer: Answer, golden: bytes | None, passed: bool, told: str | None
) -> None:
    finding = await smoke(Version(answer, SCHEMA), stable(golden))
    assert finding.passed is passed
    if told is not None:
        assert finding.sentence == told


async def test_a_request_that_stable_fails_for_too_is_no_fault_of_the_candidate() -> None:
    finding = await smoke(Version(failing(2), SCHEMA), stable(answer=failing(2)))
    assert finding.passed
    assert "it refuses 1: stable's row 2: status 500: boom" in finding.sentence


async def test_a_narrower_schema_is_told_beside_what_is_refused() -> None:
    narrower = Version(refusing(2), {"features": [{**FEATURE, "max": 1}], "example": {"x": 0}})
    finding = await smoke(narrower, stable())
    assert finding.passed
    assert finding.sentence.startswith(
        f"the sample is answered; {CLOSED}; unlike stable, its schema refuses x above 1; of stable's"
    )


async def test_a_first_version_is_asked_its_own_sample() -> None:
    first = Version(refusing(), SCHEMA)
    finding = await smoke(first, None)
    assert (finding.passed, finding.sentence) == (True, f"the sample is answered; {CLOSED}")
    assert first.asked == [{"x": 9}]
