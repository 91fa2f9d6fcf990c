"""Durations, percentages and ratios as users write them: strings, never floats."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")
NUMBER = re.compile(r"^-?[0-9]{1,12}(\.[0-9]{1,9})?$")
_PART = re.compile(r"([0-9]+)(ms|h|m|s)")
_PERCENT = re.compile(r"^[0-9]{1,3}(\.[0-9]{1,3})?%$")
_SIZE = re.compile(r"^([1-9][0-9]{0,4})(Mi|Gi)$")
QUANTITY = re.compile(r"^([0-9]{1,18}(?:[.][0-9]{1,9})?)(n|u|m|k|[KMGTPE]i|[MGTPE])?$")
"""Kubernetes' own, of at least 0, but without exponents: whoever reads 1e999999999 as a number is busy for minutes."""
DECIMAL = re.compile(r"^[0-9]{1,4}(\.[0-9]{1,4})?$")


def parse_duration(text: str) -> timedelta:
    """Read a duration such as `90s`, `1h30m` or `500ms`.

    Raises:
        ValueError: the text is not a duration; the message shows how to write one.
    """
    if not DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: write whole numbers with units, such as 500ms, 90s or 1h30m")
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text)))


def format_duration(duration: timedelta) -> str:
    """Write a duration the way users do, to the millisecond; zero is `0s`."""
    rest = round(duration.total_seconds() * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_percent(text: str) -> float:
    """Read a percentage such as `10%` or `0.5%` as a share between 0 and 1, both left out.

    Raises:
        ValueError: the text is not a percentage above 0% and below 100%.
    """
    if not _PERCENT.fullmatch(text) or not 0 < float(text[:-1]) < 100:
        raise ValueError(
            f"{text!r} is not a percentage above 0% and below 100%: write a number with a percent sign, such as 0.5%"
        )
    return float(text[:-1]) / 100


def parse_decimal(text: str) -> float:
    """Read a plain decimal number such as `1.5`.

    Raises:
        ValueError: the text is not a decimal number.
    """
    if not DECIMAL.fullmatch(text):
        raise ValueError(f"{text!r} is not a decimal number: write digits such as 1.5")
    return float(text)


def parse_number(text: str) -> float:
    """Read a number such as `0.2`, `-5` or `1000000`.

    Raises:
        ValueError: the text is not a number.
    """
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number: write digits such as 0.2 or 1000")
    return float(text)


def parse_size(text: str) -> int:
    """Read a size such as `512Mi` or `2Gi`, in mebibytes.

    Raises:
        ValueError: the text is not a size.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a size: write a whole number with Mi or Gi, such as 512Mi or 2Gi")
    return int(found[1]) * (1024 if found[2] == "Gi" else 1)


def _checked(parse: Any) -> AfterValidator:  # noqa: ANN401 - any parser from text will do
    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


def cel(rule: str, message: str) -> dict[str, Any]:
    """One CEL validation rule for the schema; `message` says what to write instead."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message}]}


def matches(pattern: str) -> str:
    """The CEL expression that holds `self` against a regular expression; raw, so that nothing is escaped twice."""
    return f"self.matches(r'{pattern}')"


def between(shortest: str, longest: str) -> str:
    """The CEL expression that holds `self` to be a duration between these two."""
    return (
        f"{matches(DURATION.pattern)} && duration(self) >= duration('{shortest}') && duration(self) <="
        f" duration('{longest}')"
    )


Duration = Annotated[
    str,
    Field(
        max_length=24,
        json_schema_extra=cel(
            matches(DURATION.pattern),
            "is not a duration: write whole numbers with units and no sign, such as 500ms, 90s or 1h30m",
        ),
    ),
    _checked(parse_duration),
]
Percent = Annotated[
    str,
    Field(
        max_length=8,
        json_schema_extra=cel(
            f"{matches(_PERCENT.pattern)} && double(self.replace('%', '')) > 0.0"
            " && double(self.replace('%', '')) < 100.0",
            "is not a percentage above 0% and below 100%: write a number with a percent sign, such as 0.5%",
        ),
    ),
    _checked(parse_percent),
]
Decimal = Annotated[
    str,
    Field(
        max_length=9,
        json_schema_extra=cel(
            matches(DECIMAL.pattern),
            "is not a decimal number: write digits in quotes, such as '1.5'",
        ),
    ),
    _checked(parse_decimal),
]
Number = Annotated[
    str,
    Field(
        max_length=24,
        json_schema_extra=cel(
            matches(NUMBER.pattern),
            "is not a number: write digits in quotes, such as '0.2' or '1000'",
        ),
    ),
    _checked(parse_number),
]
Size = Annotated[
    str,
    Field(
        max_length=7,
        json_schema_extra=cel(
            matches(_SIZE.pattern),
            "is not a size: write a whole number with Mi or Gi, such as 512Mi or 2Gi",
        ),
    ),
    _checked(parse_size),
]
