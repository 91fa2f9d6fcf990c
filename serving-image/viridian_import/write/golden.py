"""Requests, and the original model's answers to them in the words of the API."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from viridian_import.messages import Answers, Output
from viridian_import.prove.onnx_side import Gate
from viridian_import.prove.probes import Case, Trial
from viridian_serving.checks.golden import Golden
from viridian_serving.codec.answers import AnswerWriter, NotFiniteError
from viridian_serving.codec.oip import TensorValues
from viridian_serving.contract.contract import Contract


def golden_lines(
    trial: Trial, answers: Answers, originals: Sequence[Output], gate: Gate, contract: Contract, tolerance: float
) -> Iterator[tuple[int, Golden]]:
    """Write down what has to be answered.

    Args:
        trial: The rows that were asked. Those of the sample itself are left out: golden ones are like them.
        answers: What the original answered.
        originals: Its outputs; those of the contract are the same, in their order.
        gate: What is let in.
        contract: How it is answered.
        tolerance: How far apart numbers may be.

    Yields:
        Each row with its line, save those whose answer is no number that JSON has.
    """
    writer = AnswerWriter(contract.answers)
    for row in trial.rows(Case.GOLDEN, Case.MISSING, Case.EXTREME, Case.UNSEEN):
        name, request = trial.probes[row].name, gate.instance(trial.table, row)
        if gate.refusal(trial.table, row):
            yield row, Golden(name, request, 400)
            continue
        if row in answers.refused:
            continue
        given = [answers.values[output.name][row] for output in originals]
        tensors = [
            TensorValues(tensor.name, tensor.datatype, *_flat(value))
            for tensor, value in zip(contract.model.outputs, given, strict=True)
        ]
        try:
            (answer,) = writer.predictions(tensors, 1, batched=True)
        except NotFiniteError:
            continue
        yield row, Golden(name, request, 200, answer, tolerance)


def _flat(value: Any) -> tuple[tuple[int, ...], list[Any]]:  # noqa: ANN401  an element, or lists of them
    if not isinstance(value, list):
        return (1,), [value]
    array = np.array(value, dtype=object)
    flat: list[Any] = [float("nan") if each is None else each for each in array.reshape(-1).tolist()]
    return (1, *array.shape), flat
