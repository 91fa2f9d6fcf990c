"""A model that stays as it is: what its library is told, and the contract that a pod will have."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from viridian_import.faults import ImportFault
from viridian_import.learn.schema_text import schema_text
from viridian_import.messages import Output, Role, Source
from viridian_import.prove.conversion import contract_of
from viridian_import.prove.onnx_side import MOST_INSTANCES, Gate
from viridian_import.prove.probes import Case
from viridian_import.prove.study import Learned
from viridian_serving.codec.tensors import DataType, Kind, ModelSchema, Tensor
from viridian_serving.contract.contract import Contract

_FORMATS: Final = {Source.PICKLE: "sklearn", Source.XGBOOST: "xgboost", Source.LIGHTGBM: "lightgbm"}
_TYPES: Final = {
    Kind.NUMBER: DataType.FP64,
    Kind.INTEGER: DataType.INT64,
    Kind.STRING: DataType.BYTES,
    Kind.BOOLEAN: DataType.BOOL,
}


@dataclass(frozen=True)
class Native:
    """A model to be served by its own library."""

    form: str
    """The format: sklearn, xgboost or lightgbm."""
    described: dict[str, Any]
    """What native.json says; see native_model.py."""
    schema: str
    contract: Contract
    gate: Gate


def form_of(source: Source) -> str:
    """Return the format in which a file is served natively.

    Raises:
        ImportFault: There is none.
    """
    if source not in _FORMATS:
        raise ImportFault(
            f"--native serves pickles and joblib files of scikit-learn's interface, and the own files of XGBoost and "
            f"LightGBM, and this one is of {source.value}; leave --native out, or save the model with joblib"
        )
    return _FORMATS[source]


def native(learned: Learned, source: Source, file: str) -> Native:
    """Describe a model as its library will run it.

    Args:
        learned: What was found out.
        source: What the file is.
        file: Its name in the version's folder.

    Returns:
        The description, and the contract with it.

    Raises:
        ImportFault: It has no native format, or its answers are nothing that Triton has.
    """
    form, description = form_of(source), learned.description
    taken = {each.name for each in learned.drafts}
    outputs = [msgspec.structs.replace(each, name=_free(each.name, taken)) for each in description.outputs]
    tensors = [
        _output(each, learned.answers.values[old.name]) for each, old in zip(outputs, description.outputs, strict=True)
    ]
    model = ModelSchema(
        tuple(Tensor(each.name, _TYPES[each.kind], (1,)) for each in learned.drafts),
        tuple(tensors),
        max_batch=MOST_INSTANCES,
    )
    # Only numbers have NaN, which null becomes.
    drafts = [replace(each, nullable=each.nullable and each.kind is Kind.NUMBER) for each in learned.drafts]
    empty = [each.name for each in drafts if each.empty]
    schema = schema_text(drafts, outputs, description.classes, len(learned.trial.rows(Case.SAMPLE)), None)
    contract = contract_of(schema, model)
    described = {
        "format": form,
        "file": file,
        "layout": description.given,
        "features": [{"name": each.name, "type": str(each.kind)} for each in drafts],
        "outputs": [
            {"name": each.name, "type": tensor.datatype.name, "size": tensor.dims[0], "method": each.method}
            for each, tensor in zip(outputs, tensors, strict=True)
        ],
        "empty": empty,
        "versions": description.versions,
    }
    return Native(form, described, schema, contract, Gate(contract, empty))


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _output(output: Output, values: Sequence[Any]) -> Tensor:
    first = next((value for value in values if value is not None), None)
    size = len(first) if isinstance(first, list) else 1
    elements = first if isinstance(first, list) else [first]
    if output.role is not Role.LABEL:
        return Tensor(output.name, DataType.FP64, (size,))
    whole = all(isinstance(each, int) for each in elements)
    return Tensor(output.name, DataType.INT64 if whole else DataType.BYTES, (size,))
