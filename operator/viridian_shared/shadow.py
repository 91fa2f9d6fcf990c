"""How stable's pods learn which share of their requests to mirror, and to whom: a header that the route sets.

The route tells every pod within the second or two in which a gateway follows it, and stops telling in the very write
that takes the candidate back. A mounted ConfigMap would take up to the kubelet's minute, both ways.

The value is an item of Structured Fields (RFC 9651), such as `iris-4;share=0.1`.
"""

import re
from dataclasses import dataclass
from typing import Final

HEADER: Final = "Viridian-Shadow"
_VALUE: Final = re.compile(r"([a-z][-a-z0-9]{0,252});share=([01](?:\.[0-9]{1,6})?)")


@dataclass(frozen=True)
class Shadow:
    """Which candidate gets copies, by its revision, and of which share of stable's requests, above 0 and up to 1."""

    candidate: str
    share: float

    def __str__(self) -> str:
        """The header's value."""
        return f"{self.candidate};share={f'{self.share:.6f}'.rstrip('0').rstrip('.')}"


def read_shadow(value: str) -> Shadow | None:
    """Read the header's value; None when it is none of ours."""
    found = _VALUE.fullmatch(value)
    if found is None or not 0 < float(found[2]) <= 1:
        return None
    return Shadow(found[1], float(found[2]))
