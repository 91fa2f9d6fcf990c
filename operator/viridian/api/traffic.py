"""`spec.traffic`: where requests come from."""

from typing import Annotated, Final

from pydantic import Field

from .base import ApiModel
from .objects import LABEL, LABELS
from .quantities import cel, matches


class ParentRef(ApiModel):
    """A Gateway that carries the model's traffic."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=253,
            description="Name of the Gateway.",
            json_schema_extra=cel(
                matches(f"^{LABELS}$"), "must be the name of a Gateway: lower-case letters, digits, dashes and dots"
            ),
        ),
    ]
    namespace: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=63,
            description="Namespace of the Gateway; default: the model's own.",
            json_schema_extra=cel(
                matches(f"^{LABEL}$"), "must be the name of a namespace: lower-case letters, digits and dashes"
            ),
        ),
    ] = None
    section_name: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=253,
            description="One listener of the Gateway; default: all.",
            json_schema_extra=cel(
                matches(f"^{LABELS}$"), "must be the name of a listener: lower-case letters, digits, dashes and dots"
            ),
        ),
    ] = None


Hostname = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        json_schema_extra=cel(
            matches(rf"^(\*\.)?{LABELS}$"),
            "must be a host name without scheme, port or path, such as models.example.com or *.example.com",
        ),
    ),
]


class HeaderMatch(ApiModel):
    """A request header with exactly this value."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            description="Name of the header, such as x-user-group.",
            json_schema_extra=cel(
                matches(r"^[A-Za-z0-9-]+$") + " && self.lowerAscii() != 'viridian-via'",
                "must be the name of a request header that clients may set: letters, digits and dashes, such as"
                " x-user-group",
            ),
        ),
    ]
    value: Annotated[str, Field(min_length=1, max_length=256, description="Its value, compared as it stands.")]


class PinMatch(ApiModel):
    """Requests that carry all of these headers."""

    headers: Annotated[
        list[HeaderMatch],
        Field(
            min_length=1,
            max_length=4,
            description="Headers, all of them.",
            json_schema_extra=cel(
                "self.all(h, self.exists_one(g, g.name.lowerAscii() == h.name.lowerAscii()))",
                "must name each header once; for one of several values, write several matches",
            ),
        ),
    ]


class Pin(ApiModel):
    """Users who see the candidate as soon as it may be seen, whatever its weight."""

    matches: Annotated[list[PinMatch], Field(min_length=1, max_length=8, description="Any of these.")]


_SAME_PARENT: Final = (
    "q.name == p.name && has(q.__namespace__) == has(p.__namespace__)"
    " && (!has(q.__namespace__) || q.__namespace__ == p.__namespace__)"
    " && (!has(q.sectionName) || !has(p.sectionName) || q.sectionName == p.sectionName)"
)


class Traffic(ApiModel):
    """Where requests come from."""

    parent_refs: Annotated[
        list[ParentRef],
        Field(
            max_length=8,
            description="Gateways that carry the traffic, at most eight. None: the Service NAME is all there is, and a"
            " new revision takes over by one flip of its selector.",
            json_schema_extra=cel(
                f"self.all(p, self.exists_one(q, {_SAME_PARENT}))",
                "must name each Gateway once, or else different listeners of it by sectionName",
            ),
        ),
    ] = Field(default_factory=list)
    hostnames: Annotated[
        list[Hostname],
        Field(max_length=16, description="Host names that the route answers to; none means all of the listener's."),
    ] = Field(default_factory=list)
    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=256,
            description="Path prefix that belongs to this model; it is cut off before the request reaches a pod.",
            json_schema_extra=cel(
                "self == '/' || (" + matches(r"^(/[A-Za-z0-9._~-]+)+$") + " && !" + matches(r"/[.][.]?(/|$)") + ")",
                "must begin with / and not end with one, such as /iris; . and .. are no parts of it",
            ),
        ),
    ] = "/"
    pins: Annotated[
        list[Pin],
        Field(
            max_length=8,
            description="Requests that always go to the candidate while it gets traffic, and to stable otherwise.",
        ),
    ] = Field(default_factory=list)
