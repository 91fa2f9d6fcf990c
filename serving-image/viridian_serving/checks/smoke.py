"""The smoke check: what any version must answer, and what a new one refuses that the one that serves takes."""

import json
from collections.abc import Callable, Sequence
from http import HTTPStatus

import msgspec

from viridian_serving.artifacts.golden_file import GOLDEN_PATH
from viridian_serving.checks.agreement import LONGEST, Finding
from viridian_serving.checks.golden import SHOWN, Difference, Golden, brief, cut, load, told_by_reason
from viridian_serving.checks.protocol import check_protocol
from viridian_serving.checks.schema_change import refusals
from viridian_serving.checks.target import Target
from viridian_serving.codec.tensors import ModelSchema
from viridian_serving.contract.contract import Contract


async def check_smoke(
    sample: bytes, candidate: Target, stable: Target | None, contract_of: Callable[[ModelSchema], Contract]
) -> Finding:
    """Send the candidate its own sample, also by tritonclient, and then what stable takes.

    A version may be meant to refuse what stable takes, so that is only told. One that fails for it (5xx) is broken.

    Args:
        sample: A body that the candidate must answer.
        candidate: Who is checked.
        stable: Who serves; None where nobody does.
        contract_of: Makes the contract of a model with the files that lie beside the candidate's.

    Raises:
        PeerUnreachableError: One of them does not answer.
        TimeoutError: It took too long.
        ValueError: The files beside the model are not those that the candidate serves.
    """
    reply = await candidate.predict(sample)
    if reply.status != HTTPStatus.OK:
        return Finding(False, f"the sample is answered with status {reply.status}: {brief(reply.body)}")
    after = json.loads((await candidate.get("/schema")).body)
    protocol = await check_protocol(sample, candidate, contract_of, after)
    if not protocol.passed:
        return Finding(False, _cut(protocol.sentence))
    if stable is None:
        return Finding(True, f"the sample is answered; {protocol.sentence}")
    before = json.loads((await stable.get("/schema")).body)
    narrower = refusals(before, after)
    example = Golden("stable's example", before["example"], HTTPStatus.OK)
    golden = await _golden_of(stable)
    refused = []
    for line in (example, *golden):
        body = msgspec.json.encode(line.request)
        reply = await candidate.predict(body)
        if reply.status == HTTPStatus.OK:
            continue
        told = Difference(line.case, f"status {reply.status}: {brief(reply.body)}")
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR and (await stable.predict(body)).status == HTTPStatus.OK:
            return Finding(False, _cut(f"{line.case} is answered with {told.reason}"))
        refused.append(told)
    asked = f"{example.case}{f' and its {len(golden)} golden requests' if golden else ''}"
    are = "are" if golden else "is"
    if not narrower and not refused:
        also = f"{asked} {are} answered too, and the schema takes all that stable's takes"
    else:
        also = _told(narrower, refused, asked)
    return Finding(True, _cut(f"the sample is answered; {protocol.sentence}; {also}"))


async def _golden_of(stable: Target) -> Sequence[Golden]:
    """The golden requests beside stable's model that it answers; none where it has none, or cannot show them."""
    reply = await stable.get(GOLDEN_PATH)
    if reply.status != HTTPStatus.OK:
        return ()
    return [
        msgspec.structs.replace(line, case=f"stable's {line.case}")
        for line in load(reply.body)
        if line.status == HTTPStatus.OK
    ]


def _told(narrower: Sequence[str], refused: Sequence[Difference], asked: str) -> str:
    """What the candidate refuses, by its schema and by what it was asked, as clauses."""
    parts = []
    if narrower:
        parts.append(f"unlike stable, its schema refuses {', and '.join(narrower)}")
    if refused:
        parts.append(f"of {asked}, it refuses {len(refused)}: {'; '.join(told_by_reason(refused, SHOWN))}")
    return "; ".join(parts)


def _cut(sentence: str) -> str:
    return cut(sentence, LONGEST)
