"""All that is found out about a model before anything is written."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
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
from viridian_import.prove.wrong_types import wrong_types
from viridian_import.sample.odd_cells import odd_cells
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind
from viridian_shared.words import count

_ENOUGH: Final = 100
"""Rows with which ranges, categories and the comparison say something of the model."""
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

    @property
    def answered(self) -> Table:
        """Rows of the sample that both answer."""
        return self.features.take([row for row in self.converted.parity.answered if row < self.features.rows])


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
        raise _with_cause(fault, odd_cells(learned.features)) from fault
    notices = _kept_out(learned, converted)
    for notice in notices:
        say("notice", notice)
    return Study(**vars(replace(learned, notices=[*learned.notices, *notices])), converted=converted)


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
        causes = list(odd_cells(features)) or wrong_types(original, features)
        raise _with_cause(fault, causes) from fault
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
    if sample.rows >= _ENOUGH:
        return []
    return [
        f"the sample has only {count(sample.rows, 'row')}: ranges, categories and the comparison with the original "
        f"cover little of what clients may send; give {_ENOUGH} or more"
    ]


def _with_cause(fault: ImportFault, causes: Iterable[str]) -> ImportFault:
    """The fault, with what explains it at its end."""
    return ImportFault("\n".join([f"{fault}", *(f"The likely cause: {cause}" for cause in causes)]))


def _kept_out(learned: Learned, converted: Converted) -> list[str]:
    """What the original answers and the schema does not let in, as the sample has no such row."""
    rows = converted.parity.kept_out
    if not rows:
        return []
    named = [learned.trial.probes[row].name for row in rows[:_MOST_NOTICED]]
    return [
        f"your model answers rows that schema.yaml refuses, as the sample has none like them: "
        f"{', '.join(named)}{_more(rows)}. If clients may send such rows, give a sample that has some, and import again"
    ]


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
    return [
        f"the original fails row {named}{_more(refused)} of the sample ({words}); schema.yaml has to refuse such rows, "
        "and baseline.json counts no prediction of them"
    ]


def _more(rows: Sequence[int]) -> str:
    return f" and {len(rows) - _MOST_NOTICED} more" if len(rows) > _MOST_NOTICED else ""
