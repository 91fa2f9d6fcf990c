"""Numbers in sentences."""


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular or the plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def whole_percent(share: float) -> str:
    """Return a share of 0 to 1 in whole percent."""
    return f"{100 * share:.0f} %"
