"""Whether clients of the Open Inference Protocol get what those of /predict get."""

import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from viridian_serving.checks.agreement import Finding
from viridian_serving.checks.golden import brief
from viridian_serving.checks.target import Target
from viridian_serving.checks.triton_client import Description, ProtocolError, RawTensor, TritonClient, reading
from viridian_serving.codec.answers import AnswerWriter, NotFiniteError, Prediction
from viridian_serving.codec.comparison import differences
from viridian_serving.codec.instances import InstanceReader
from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.tensors import ModelSchema
from viridian_serving.contract.contract import Contract
from viridian_serving.http1.problems import Problem

_CLOSE: Final = 0.01
"""As far apart as numbers may be that agree; see codec.comparison."""
_TRIES: Final = 3
"""Pairs of answers that must all differ: a model may answer the same input differently each time."""
_CHANGED: Final = (
    "spec.model.uri: with the files that are there now, the model's inputs are not those of /schema, so they have"
    " changed since the pods loaded them; write spec.model.digest, and a new version for new files"
)


async def check_protocol(
    sample: bytes, version: Target, contract_of: Callable[[ModelSchema], Contract], schema: Mapping[str, Any]
) -> Finding:
    """Ask a version by tritonclient how it is, what its model is, and the sample.

    Args:
        sample: A body that /predict answers.
        version: What is asked.
        contract_of: Makes the contract of a model with the files that lie beside it.
        schema: What the version answers to /schema.

    Returns:
        What was found, as a clause.

    Raises:
        PeerUnreachableError: Nobody answers.
        TimeoutError: It took too long.
        ValueError: The files beside the model are not those that the version serves.
    """
    if not schema["raw"]:
        return Finding(True, "its schema.yaml closes the Open Inference Protocol, so tritonclient was not used")
    try:
        found = await version.triton.describe(schema["model"])
        if fault := _unready(found, schema["model"]):
            return Finding(False, f"asked by tritonclient, {fault}")
        with reading():
            model = ModelSchema.from_triton(found.config)
            fault = metadata_fault(found.metadata, model)
        if fault:
            return Finding(False, f"asked by tritonclient for the model's metadata, the version answers {fault}")
        contract = contract_of(model)
        if contract.fingerprint != schema["input_schema"]:
            raise ValueError(_CHANGED)
        return await _compared(sample, version, contract, schema)
    except ProtocolError as error:
        return Finding(False, f"asked by tritonclient, the version answers with {error}")


def metadata_fault(metadata: Mapping[str, Any], model: ModelSchema) -> str | None:
    """Say what of a model's metadata is not as the model is known to be.

    Args:
        metadata: As the protocol has it.
        model: What is known.

    Returns:
        The end of a sentence; None where all is well.
    """
    for member, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        told = {each["name"]: each for each in metadata[member]}
        known = {tensor.name: tensor for tensor in tensors}
        if told.keys() != known.keys():
            return f"{member} {_names(told)}, and its schema has {_names(known)}"
        for name, tensor in known.items():
            datatype, shape = told[name]["datatype"], [int(size) for size in told[name]["shape"]]
            if (datatype, shape[1:] if model.max_batch else shape) != (tensor.datatype.name, list(tensor.dims)):
                batch = [shape[0]] if model.max_batch else []
                return (
                    f"{member} {name!r} as {datatype} of shape {shape}, and its schema has {tensor.datatype.name} of "
                    f"shape {[*batch, *tensor.dims]}"
                )
    return None


def _names(tensors: Mapping[str, object]) -> str:
    return ", ".join(map(repr, sorted(tensors))) or "none"


def _unready(found: Description, model: str) -> str | None:
    if not found.live:
        return "the server is not live (/v2/health/live)"
    if not found.ready:
        return "the server is not ready (/v2/health/ready)"
    return None if found.model_ready else f"the model is not ready (/v2/models/{model}/ready)"


async def _compared(sample: bytes, version: Target, contract: Contract, schema: Mapping[str, Any]) -> Finding:
    try:
        encoded = InstanceReader(contract.requests, schema["limits"]["instances"]).read(sample).encoded[0]
    except Problem as problem:
        raise ValueError(_CHANGED) from problem
    by_predict: list[Prediction] = []
    for _ in range(_TRIES):
        reply = await version.predict(sample)
        if reply.status != HTTPStatus.OK:
            told = f"{reply.status}: {brief(reply.body)}"
            return Finding(False, f"the sample is answered with status 200 first, and then with {told}")
        predictions = await _inferred(encoded, version.triton, contract, schema["model"])
        wanted, given = _pair(json.loads(reply.body), predictions)
        by_predict.append(wanted)
        different = next(differences(wanted, given, _CLOSE), None)
        if different is None:
            return Finding(True, "tritonclient gets the same answer to it")
    if any(next(differences(by_predict[0], each, _CLOSE), None) for each in by_predict[1:]):
        return Finding(True, "the model answers it differently each time, so tritonclient's answer was not compared")
    return Finding(False, f"tritonclient gets another answer to the sample than /predict: {different}")


async def _inferred(encoded: Encoded, triton: TritonClient, contract: Contract, model: str) -> list[Prediction]:
    """Ask for the predictions of instances."""
    is_batched = contract.model.max_batch > 0
    rows = (encoded.rows,) if is_batched else ()
    slots = zip(contract.model.inputs, encoded.shapes, encoded.tensors, strict=True)
    inputs = [RawTensor(tensor.name, tensor.datatype, (*rows, *shape), raw) for tensor, shape, raw in slots]
    outputs = await triton.infer(model, inputs, [tensor.name for tensor in contract.model.outputs])
    try:
        return AnswerWriter(contract.answers).predictions(outputs, encoded.rows, batched=is_batched)
    except NotFiniteError as error:
        raise ProtocolError(f"output {str(error)!r}, which holds a number that is not finite") from error
    except ValueError as error:
        raise ProtocolError(f"outputs that cannot be used: {error}") from error


def _pair(answer: dict[str, Any], given: Sequence[Prediction]) -> tuple[Prediction, Prediction]:
    """Bring an answer to /predict and predictions into the same form, without what a request or a version adds."""
    if "predictions" not in answer:
        return {name: answer.get(name) for name in given[0]}, given[0]
    pairs = zip(answer["predictions"], given, strict=False)  # the protocol was asked the first ones
    wanted = [{name: told.get(name) for name in each} for told, each in pairs]
    return {"predictions": wanted}, {"predictions": given}
