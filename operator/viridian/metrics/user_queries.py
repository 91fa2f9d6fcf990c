"""Users' own queries. They run with the operator's rights, so they go to an endpoint that enforces a namespace."""

import math
from collections.abc import Sequence
from typing import Any

from .connection import Connection, MetricsError


class UserQueries:
    """An endpoint such as prom-label-proxy, which shows a query only the series of the namespace it is asked for."""

    def __init__(self, connection: Connection) -> None:
        """Ask through `connection`."""
        self._connection = connection

    async def ask(self, namespace: str, query: str) -> float:
        """The one number that a query answers.

        Args:
            namespace: whose series the query may see; the endpoint reads it from the parameter `namespace`.
            query: PromQL.

        Raises:
            MetricsError: no answer, or not exactly one finite number.
        """
        return await self._connection.ask(query, {"namespace": namespace}, one_number)


def one_number(result: Sequence[Any]) -> float:
    """Read the `result` of an instant query's answer.

    Raises:
        MetricsError: it is not exactly one finite number.
    """
    match result:
        case []:
            raise MetricsError("there is no sample; where nothing may have been counted, add `or vector(0)`")
        case [{"value": [_, str(text)]}] | [int() | float(), str(text)]:
            return _finite(text)
        case [{"values": _}, *_]:
            raise MetricsError("it is a range of samples, not one: wrap it in a function such as rate()")
        case [{"value": _}, *_]:
            raise MetricsError(f"there are {len(result)} samples, not one: aggregate them, for example by sum()")
        case _:
            raise MetricsError("the answer is not a number")


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise MetricsError(f"{text[:40]!r} is no number") from None
    if not math.isfinite(value):
        raise MetricsError(f"the sample is {text}, as after a division by zero")
    return value
