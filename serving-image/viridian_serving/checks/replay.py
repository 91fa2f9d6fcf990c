"""The replay check: requests that users have made, and whether a candidate answers them as they were answered then."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from viridian_serving.checks.agreement import LONGEST, Finding
from viridian_serving.checks.golden import SHOWN, Difference, brief, cut, told_by_reason
from viridian_serving.checks.logged import Log, Record
from viridian_serving.checks.sending import Post
from viridian_serving.codec.comparison import compare, differences

_CLOSE: Final = 0.01
"""As far apart as numbers may be that agree; see codec.comparison."""


async def replay(post: Post, log: Log) -> list[Difference | None]:
    """Ask a candidate what was asked before, one request after the other.

    Args:
        post: Sends one.
        log: What was asked, and answered.

    Returns:
        For each request what is different; None where nothing is.

    Raises:
        PeerUnreachableError: Nobody answers.
        TimeoutError: It took too long.
    """
    return [await _asked(post, record) for record in log.records]


async def _asked(post: Post, record: Record) -> Difference | None:
    reply = await post(msgspec.json.encode(record.inputs))
    if reply.status != 200:
        return Difference(record.request_id, f"status {reply.status}: {brief(reply.body)}")
    try:
        answer = msgspec.json.decode(reply.body)
    except msgspec.DecodeError as error:
        return Difference(record.request_id, f"the answer is not JSON ({error})")
    if compare(record.outputs, answer).agrees:
        return None
    return Difference(record.request_id, _how(record.outputs, answer))


def _how(logged: Any, answer: Any) -> str:  # noqa: ANN401  JSON values
    return next(differences(logged, answer, _CLOSE), "it answers something else")


def agreement_with_log(found: Sequence[Difference | None], log: Log, last: str, least: float | None) -> Finding:
    """Judge a replay.

    Args:
        found: For each request what is different; None where nothing is. One or more.
        log: Where the requests are from.
        last: How far back it was read, for people.
        least: Share that must be answered as before; None where a difference is only told.
    """
    different = [each for each in found if each is not None]
    same = len(found) - len(different)
    share = 100 * same / len(found)
    passed = least is None or same >= least * len(found)
    shown = f"{int(share * 10) / 10:.1f}" if different else "100"
    parts = [f"agreed on {shown}% of {len(found):,} logged requests of the last {last}"]
    if not passed and least is not None:
        parts[0] += f", and must on {least * 100:.5g}%"
    if different:
        parts[0] += f": {'; '.join(told_by_reason(different, SHOWN))}"
    parts += omissions(log)
    sentence = "; ".join(parts)
    return Finding(passed, cut(sentence, LONGEST))


def omissions(log: Log) -> list[str]:
    """What of a log could not be asked again, as clauses."""
    clauses = []
    if log.hidden:
        clauses.append(f"{log.hidden:,} more are redacted and cannot be asked again")
    if log.unreadable:
        clauses.append(f"{log.unreadable:,} lines are no records of predictions")
    return clauses
