"""Durations, percentages and ratios as users write them: strings, never floats."""

import decimal
import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from viridian_shared import durations, sizes

NUMBER = re.compile(r"^-?[0-9]{1,12}(\.[0-9]{1,9})?$")
_PERCENT = re.compile(r"^[0-9]{1,3}(\.[0-9]{1,3})?%$")
QUANTITY = re.compile(r"^([0-9]{1,18}(?:[.][0-9]{1,9})?)(n|u|m|k|[KMGTPE]i|[MGTPE])?$")
"""Kubernetes' own, of at least 0, but without exponents: whoever reads 1e999999999 as a number is busy for minutes."""
_FACTORS = {"": decimal.Decimal(1), "k": decimal.Decimal(1000)}
_FACTORS |= {prefix: decimal.Decimal(1000) ** -power for power, prefix in enumerate("mun", 1)}
_FACTORS |= {f"{prefix}i": decimal.Decimal(1024**power) for power, prefix in enumerate("KMGTPE", 1)}
_FACTORS |= {prefix: decimal.Decimal(1000**power) for power, prefix in enumerate("MGTPE", 2)}
DECIMAL = re.compile(r"^[0-9]{1,4}(\.[0-9]{1,4})?$")


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


def parse_quantity(text: str | int) -> decimal.Decimal:
    """Read a quantity such as `2`, `250m` or `512Mi`.

    Raises:
        ValueError: the text is not a quantity.
    """
    found = QUANTITY.fullmatch(str(text))
    if found is None:
        raise ValueError(
            f"{text!r} is not a quantity: write a number of at least 0 without exponent, such as 2, 250m or 512Mi"
        )
    return decimal.Decimal(found[1]) * _FACTORS[found[2] or ""]


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
        f"{matches(durations.PATTERN.pattern)} && duration(self) >= duration('{shortest}') && duration(self) <="
        f" duration('{longest}')"
    )


Duration = Annotated[
    str,
    Field(
        max_length=24,
        json_schema_extra=cel(
            matches(durations.PATTERN.pattern),
            "is not a duration: write whole numbers with units and no sign, such as 500ms, 90s or 1h30m",
        ),
    ),
    _checked(durations.parse_duration),
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
            matches(sizes.PATTERN.pattern),
            "is not a size: write a whole number with Mi or Gi, such as 512Mi or 2Gi",
        ),
    ),
    _checked(sizes.parse_size),
]
