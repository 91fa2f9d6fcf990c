"""Which columns of the sample are the model's features."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from viridian_import.faults import ImportFault
from viridian_import.messages import Description
from viridian_import.sample.reading import listed
from viridian_import.sample.table import Table

_UNNAMED: Final = "Unnamed: "
"""What pandas calls columns without a name."""


@dataclass(frozen=True)
class Chosen:
    """The features, and what is said of the choice."""

    features: Table
    notices: tuple[str, ...] = ()


def choose(sample: Table, description: Description, target: str | None) -> Chosen:
    """Find the model's features among the columns of the sample.

    Args:
        sample: All of it.
        description: What the model takes.
        target: The column that the model predicts, if the sample has it.

    Returns:
        The features, in the model's order.

    Raises:
        ImportFault: The sample lacks some, or it cannot be told which they are.
    """
    if description.features is not None:
        return _by_name(sample, description.features, target)
    rest = [name for name in sample.names if name != target]
    if description.width is not None and len(rest) != description.width:
        raise ImportFault(_count_fault(rest, description.width, target))
    return Chosen(sample.select(rest))


def _by_name(sample: Table, wanted: Sequence[str], target: str | None) -> Chosen:
    names = sample.names
    if missing := [name for name in wanted if name not in names]:
        raise ImportFault(
            f"the sample lacks column{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))}, which the "
            f"model was trained with; {listed(names)}: add what is missing, or rename"
        )
    left = [name for name in names if name not in wanted and name != target]
    return Chosen(sample.select(wanted), (_left_out(left),) if left else ())


def _left_out(names: Collection[str]) -> str:
    columns, are = ("columns", "are") if len(names) > 1 else ("column", "is")
    return f"{columns} {', '.join(map(repr, names))} of the sample {are} no feature of the model, and left out"


def _count_fault(names: Sequence[str], width: int, target: str | None) -> str:
    takes = f"the model takes {width} column{'' if width == 1 else 's'}, without names"
    if any(name.startswith(_UNNAMED) for name in names):
        return (
            f"{takes}, and the sample has {len(names)}; {listed(names)}: the one without a name looks like the index "
            "of a data frame, which to_csv(index=False) leaves out"
        )
    if target is None:
        return f"{takes}, and the sample has {len(names)}; {listed(names)}: name the one to predict with --target"
    return f"{takes}, and the sample has {len(names)} beside {target!r}; {listed(names)}: give it with just those"
