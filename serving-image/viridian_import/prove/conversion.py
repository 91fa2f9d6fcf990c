"""Finds the first way to convert a model that is faithful to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from viridian_import.faults import ImportFault
from viridian_import.learn.draft import Draft
from viridian_import.learn.schema_text import schema_text
from viridian_import.messages import Answers, Description, Layout, Output, Plan
from viridian_import.original.process import OriginalModel
from viridian_import.prove.onnx_side import Gate, OnnxSide
from viridian_import.prove.parity import Parity, compare
from viridian_import.prove.probes import Case, Trial
from viridian_serving.artifacts.locate import MODEL_FILE
from viridian_serving.codec.tensors import Kind, ModelSchema, SchemaError
from viridian_serving.contract.binding import bind
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.schema_file import parse
from viridian_serving.triton.onnx_model import LoadError

_SHOWN: Final = 10
"""Rows that a refusal shows."""


@dataclass(frozen=True)
class Converted:
    """The model as ONNX, with what was found out about it."""

    file: Path
    """What belongs to it, such as preprocess.py, is in the same folder."""
    plan: Plan
    schema: str
    contract: Contract
    gate: Gate
    outputs: tuple[Output, ...]
    """Of the file: those of the original, by the names that they have there."""
    side: OnnxSide
    parity: Parity


def convert(
    original: OriginalModel, trial: Trial, answers: Answers, drafts: Sequence[Draft], folder: Path, tolerance: float
) -> Converted:
    """Try one way after the other until one is faithful.

    Args:
        original: The model.
        trial: Rows to compare.
        answers: What the original answered to them.
        drafts: The features.
        folder: Where the files are written.
        tolerance: How far apart numbers may be; see compare().

    Returns:
        The first way that is faithful.

    Raises:
        ImportFault: No way is. It shows the rows of the one that came closest, or why there is none.
    """
    first: ImportFault | None = None
    closest: Converted | None = None
    for number, plan in enumerate(_plans(original.description, drafts)):
        try:
            place = folder / str(number)
            place.mkdir()
            converted = _try(original, plan, trial, answers, drafts, place / MODEL_FILE, tolerance)
        except ImportFault as fault:
            first = first or fault
            continue
        if converted.parity.faithful:
            return converted
        if closest is None or len(converted.parity.differences) < len(closest.parity.differences):
            closest = converted
    if closest is None:
        raise first or ImportFault("there is no way to convert this model; export it to ONNX yourself")
    differing = trial.table.take([each.row for each in closest.parity.differences])
    raise ImportFault(_unfaithful(closest, trial, tolerance, original.explain(differing)))


def _plans(description: Description, drafts: Sequence[Draft]) -> Iterator[Plan]:
    """Yield the ways to convert a model: the smallest and fastest first."""
    if not description.convertible:
        yield Plan(description.layouts[0])
        return
    whole = any(each.kind in (Kind.INTEGER, Kind.BOOLEAN) for each in drafts)
    for double in (False, True):
        for layout in description.layouts:
            yield Plan(layout, double=double)
            if whole:
                yield Plan(layout, double=double, integers=True)


def _try(
    original: OriginalModel,
    plan: Plan,
    trial: Trial,
    answers: Answers,
    drafts: Sequence[Draft],
    file: Path,
    tolerance: float,
) -> Converted:
    answered = next(row for row in trial.rows(Case.SAMPLE) if row not in answers.refused)
    original.convert(plan, trial.table.take([answered]), file)
    side = _loaded(original.description, file)
    outputs = tuple(
        msgspec.structs.replace(output, name=tensor.name)
        for output, tensor in zip(original.description.outputs, side.schema.outputs, strict=True)
    )
    matrix = side.schema.inputs[0].name if plan.layout is Layout.MATRIX else None
    # An input of whole numbers has no NaN, so that null is nothing it could take.
    fitting = [replace(each, nullable=each.nullable and not _whole(each, plan)) for each in drafts]
    rows = len(trial.rows(Case.SAMPLE))
    schema = schema_text(fitting, outputs, original.description.classes, rows, matrix)
    contract = contract_of(schema, side.schema, preprocessed=original.description.preprocessed)
    gate = Gate(contract, [each.name for each in drafts if each.empty], side.preprocess)
    refusals = {row: why for row in range(trial.table.rows) if (why := gate.refusal(trial.table, row))}
    converted = side.answer(trial.table, contract)
    parity = compare(answers, converted, original.description.outputs, refusals, range(rows), tolerance)
    return Converted(file, plan, schema, contract, gate, outputs, side, parity)


def _loaded(description: Description, file: Path) -> OnnxSide:
    try:
        return OnnxSide(file, preprocessed=description.preprocessed)
    except ImportFault as fault:
        if not description.convertible or not isinstance(fault.__cause__, LoadError):
            raise
        raise ImportFault(
            f"the converter wrote an ONNX file that ONNX Runtime cannot load ({fault.__cause__.words}); change the step"
            " that it names, or give another type of labels, and train again; or leave the model as it is, with"
            " --native"
        ) from fault


def contract_of(schema: str, model: ModelSchema, *, preprocessed: bool = False) -> Contract:
    """Hold a schema.yaml against a model.

    Args:
        schema: Its text.
        model: What the model takes and gives.
        preprocessed: Whether preprocess.py makes its inputs.

    Returns:
        The contract.

    Raises:
        ImportFault: They do not fit.
    """
    try:
        return bind(parse(schema.encode()), model, preprocessed=preprocessed)
    except SchemaError as error:
        raise ImportFault(f"what was learnt from the sample does not fit the converted model: {error}") from error


def _whole(each: Draft, plan: Plan) -> bool:
    return plan.integers and each.kind in (Kind.INTEGER, Kind.BOOLEAN)


def _unfaithful(closest: Converted, trial: Trial, tolerance: float, causes: Sequence[str]) -> str:
    parity = closest.parity
    lines = [
        f"the ONNX file does not answer as the original does on {len(parity.differences)} of {trial.table.rows} rows "
        f"({closest.plan.describe()}; largest difference {parity.largest:.3g}, tolerance {tolerance:g}, labels that "
        f"differ {parity.disagreements}):"
    ]
    for difference in parity.differences[:_SHOWN]:
        values = {name: value for name, value in trial.table.row(difference.row).items() if value is not None}
        shown = ", ".join(f"{name}={value!r}" for name, value in list(values.items())[:6])
        lines.append(
            f"  {trial.probes[difference.row].name}: {difference.reason}   ({shown}{', …' if len(values) > 6 else ''})"
        )
    if len(parity.differences) > _SHOWN:
        lines.append(f"  … and {len(parity.differences) - _SHOWN} more")
    lines += [f"Why: {cause}." for cause in causes]
    lines.append(
        "Nothing was written. Correct the sample where it is at fault; accept a larger difference of numbers with "
        "--tolerance; change the step that makes it, and train again; or leave the model as it is, with --native."
    )
    return "\n".join(lines)
