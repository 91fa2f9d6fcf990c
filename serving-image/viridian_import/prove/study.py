"""All that is found out about a model before anything is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from viridian_import.faults import ImportFault
from viridian_import.learn.draft import Draft, draft
from viridian_import.learn.features import choose
from viridian_import.learn.sensitive import looks_sensitive
from viridian_import.messages import Answers, Description
from viridian_import.original.process import OriginalModel
from viridian_import.prove.conversion import Converted, convert
from viridian_import.prove.probes import Case, Trial, trial_of, without_each
from viridian_import.sample.odd_cells import odd_cells
from viridian_import.sample.reading import ENOUGH
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind
from viridian_shared.words import count

_MOST_NOTICED: Final = 3
"""Rows of the sample that a notice names."""
Say = Callable[[str, str], None]
"""Prints a line: what it is about, and a sentence."""


@dataclass(frozen=True)
class Learned:
    """What was found out about the original."""

    description: Description
    features: Table
    """Of the sample."""
    trial: Trial
    answers: Answers
    """Of the original, to the trial."""
    drafts: Sequence[Draft]
    notices: Sequence[str]


@dataclass(frozen=True)
class Study(Learned):
    """What was found out about the original, and the ONNX file of it."""

    converted: Converted


def study(
    original: OriginalModel, sample: Table, target: str | None, tolerance: float, scratch: Path, say: Say
) -> Study:
    """Learn the features, convert the model, and compare.

    Args:
        original: The model.
        sample: All columns of it.
        target: The one that the model predicts, if it is there.
        tolerance: How far apart numbers may be; see compare().
        scratch: A folder for ONNX files.
        say: Told what is found on the way.

    Returns:
        What was found out.

    Raises:
        ImportFault: The sample does not fit the model, or the model cannot be converted faithfully.
    """
    learned = learn(original, sample, target, say)
    try:
        converted = convert(original, learned.trial, learned.answers, learned.drafts, scratch, tolerance)
    except ImportFault as fault:
        raise _with_cause(fault, learned.features) from fault
    return Study(**vars(learned), converted=converted)


def learn(original: OriginalModel, sample: Table, target: str | None, say: Say) -> Learned:
    """Learn the features, and ask the original; see study()."""
    description = original.description
    say("model", f"{description.model} ({description.task})")
    say("apart", f"it runs in a separate process, {description.network}, and without your environment variables")
    chosen = choose(sample, description, target)
    features = chosen.features
    unmissable = _unmissable(original, features)
    trial = trial_of(features, list(filter(looks_sensitive, features.names)), _said_by_empty(features, unmissable))
    columns = count(len(features.columns), "feature")
    say("sample", f"{count(sample.rows, 'row')}, {columns}; {count(trial.table.rows, 'row')} to compare")
    answers = original.answer(trial.table)
    try:
        notices = [*description.notices, *chosen.notices, *_few(sample), *_refused(trial, answers)]
    except ImportFault as fault:
        raise _with_cause(fault, features) from fault
    for notice in notices:
        say("notice", notice)
    closed = [trial.probes[row].feature for row in trial.rows(Case.UNSEEN) if row in answers.refused]
    drafts = draft(features, closed, unmissable)
    return Learned(description, features, trial, answers, drafts, notices)


def _unmissable(original: OriginalModel, features: Table) -> list[str]:
    """Features of which the original fails a missing value."""
    refused = original.answer(without_each(features)).refused
    return [name for row, name in enumerate(features.names) if row in refused]


def _said_by_empty(features: Table, unmissable: Sequence[str]) -> set[str]:
    """Features for which the empty string says that a value is missing."""
    return {column.name for column in features.columns if column.kind is Kind.STRING} - set(unmissable)


def _few(sample: Table) -> list[str]:
    if sample.rows >= ENOUGH:
        return []
    return [
        f"the sample has only {count(sample.rows, 'row')}: ranges, categories and the comparison with the original "
        f"cover little of what clients may send; give {ENOUGH} or more"
    ]


def _with_cause(fault: ImportFault, features: Table) -> ImportFault:
    """The fault, with what explains it at its end: a cell that turns a column of numbers into text."""
    cells = list(odd_cells(features))
    return ImportFault("\n".join([f"{fault}", *(f"The likely cause: {cell}" for cell in cells)])) if cells else fault


def _refused(trial: Trial, answers: Answers) -> list[str]:
    rows = trial.rows(Case.SAMPLE)
    refused = [row for row in rows if row in answers.refused]
    if not refused:
        return []
    words = answers.refused[refused[0]]
    if len(refused) == len(rows):
        raise ImportFault(
            f"the original fails every row of the sample ({words}); give rows as it was trained with: the same "
            "columns, and types that --dtype COLUMN=TYPE sets right"
        )
    named = ", ".join(str(row + 1) for row in refused[:_MOST_NOTICED])
    more = f" and {len(refused) - _MOST_NOTICED} more" if len(refused) > _MOST_NOTICED else ""
    return [f"the original fails row {named}{more} of the sample ({words})"]
