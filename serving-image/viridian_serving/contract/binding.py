"""Holds ``schema.yaml`` against the model that it lies beside."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from viridian_serving.codec.answers import AnswerSchema
from viridian_serving.codec.features import Feature, RequestSchema, Slot, one_of, written
from viridian_serving.codec.instances import InstanceReader
from viridian_serving.codec.tensors import DYNAMIC, DataType, Kind, ModelSchema, SchemaError, Tensor
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.schema_file import FeatureEntry, SchemaFile, sentence

_OWN_TYPES: Final = {
    Kind.NUMBER: DataType.FP64,
    Kind.INTEGER: DataType.INT64,
    Kind.STRING: DataType.BYTES,
    Kind.BOOLEAN: DataType.BOOL,
}
"""What holds any value of a feature that no input of the model takes."""
PREPROCESS_FILE: Final = "preprocess.py"


def bind(declared: SchemaFile, model: ModelSchema, *, preprocessed: bool = False) -> Contract:
    """Make the contract of a model with a schema.yaml.

    Args:
        declared: What the file says.
        model: What the model takes and gives.
        preprocessed: Whether preprocess.py makes the model's inputs of the features.

    Returns:
        The contract.

    Raises:
        SchemaError: The file says what is not so; every place is named.
    """
    return _Binding(declared, model, preprocessed).contract()


class _Binding:
    def __init__(self, declared: SchemaFile, model: ModelSchema, preprocessed: bool) -> None:
        self._declared = declared
        self._model = model
        self._preprocessed = preprocessed
        self._faults: list[str] = []

    def contract(self) -> Contract:
        requests = self._requests()
        answers = self._answers()
        raw = self._raw(requests, answers)
        if self._faults:
            raise SchemaError(sentence(self._faults))
        return Contract(
            self._model, requests, answers, raw, self._declared.answer.max_age, self._declared.description.strip()
        )

    # -- features

    def _requests(self) -> RequestSchema:
        entries = self._declared.features
        if entries is None:
            if self._preprocessed:
                self._faults.append(f"features is missing, which {PREPROCESS_FILE} is given; write what clients send")
            return replace(RequestSchema.of(self._model), declared=True)
        names = [entry.name for entry in entries]
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            self._faults.append(f"features: {name!r} is there twice; remove one")
        if self._preprocessed:
            features = [self._feature(i, entry, None, column=True) for i, entry in enumerate(entries)]
            return RequestSchema(tuple(features), (), self._model.max_batch, declared=True)
        tensors = self._tensors_of(entries)
        slots = tuple(self._slots(entries, tensors))
        rows = {source for slot in slots if slot.row for source in slot.sources}
        features = [
            self._feature(i, entry, tensor, column=i in rows)
            for i, (entry, tensor) in enumerate(zip(entries, tensors, strict=True))
        ]
        return RequestSchema(tuple(features), slots, self._model.max_batch, declared=True)

    def _tensors_of(self, entries: Sequence[FeatureEntry]) -> list[Tensor | None]:
        """Find the input that each feature goes to."""
        inputs = {tensor.name: tensor for tensor in self._model.inputs}
        named = {entry.tensor or entry.name for entry in entries} & inputs.keys()
        free = [tensor for name, tensor in inputs.items() if name not in named]
        tensors = []
        for i, entry in enumerate(entries):
            tensor = inputs.get(entry.tensor or entry.name)
            if tensor is None and entry.tensor is None and len(free) == 1:
                tensor = free[0]
            if tensor is None:
                key, value = ("tensor", entry.tensor) if entry.tensor else ("name", entry.name)
                self._faults.append(
                    f"features[{i}].{key}: {value!r} is no input of the model; its inputs are "
                    f"{', '.join(map(repr, inputs))}: name one in tensor"
                )
            tensors.append(tensor)
        return tensors

    def _slots(self, entries: Sequence[FeatureEntry], tensors: Sequence[Tensor | None]) -> Iterator[Slot]:
        for tensor in self._model.inputs:
            sources = tuple(i for i, each in enumerate(tensors) if each is tensor)
            if len(sources) == 1:
                yield Slot(tensor, sources)
                continue
            width = tensor.dims[0] if len(tensor.dims) == 1 else None
            if width not in (DYNAMIC, len(sources)) or not sources:
                self._faults.append(self._columns_fault(tensor, len(sources)))
            yield Slot(tensor, sources, row=True)

    def _columns_fault(self, tensor: Tensor, columns: int) -> str:
        takes = f"the model's input {tensor.name!r}, of {_shape(tensor)},"
        if not columns:
            return f"features: nothing goes to {takes} name it as a feature, or its columns one by one"
        if len(tensor.dims) != 1:
            return f"features: {columns} of them go to {takes} which has no columns; name it as one feature"
        return f"features: {columns} of them are columns of {takes} which has {tensor.dims[0]}; name each, in order"

    def _feature(self, i: int, entry: FeatureEntry, tensor: Tensor | None, *, column: bool) -> Feature:
        where = f"features[{i}] ({entry.name!r})"
        kind = entry.type or (tensor.datatype.kind if tensor is not None else None)
        if kind is None:
            if self._preprocessed:
                self._faults.append(f"{where}: type is missing; write number, integer, string or boolean")
            kind = Kind.NUMBER
        datatype = tensor.datatype if tensor is not None else _OWN_TYPES[kind]
        dims = self._dims(where, entry, tensor, column=column)
        faults = [*_type_faults(kind, datatype), *_rule_faults(entry, kind)]
        if entry.nullable and not datatype.is_float and not self._preprocessed:
            faults.append(
                f"nullable: the model takes {datatype.name}, which has no NaN to say null with; "
                f"leave it out, or replace nulls in {PREPROCESS_FILE}"
            )
        whole = kind is Kind.INTEGER
        feature = Feature(
            entry.name,
            kind,
            datatype,
            dims,
            strict=column,
            minimum=_bound(entry.min, whole=whole, up=True),
            maximum=_bound(entry.max, whole=whole, up=False),
            categories=entry.categories,
            max_length=entry.max_length,
            nullable=entry.nullable,
            sensitive=entry.sensitive,
            unit=entry.unit,
            description=entry.description.strip(),
            example=entry.example,
        )
        if not faults:
            faults = _example_faults(feature)
        self._faults += [f"{where}.{fault}" for fault in faults]
        return feature

    def _dims(self, where: str, entry: FeatureEntry, tensor: Tensor | None, *, column: bool) -> tuple[int, ...]:
        shape = entry.shape
        if shape is not None and any(size != DYNAMIC and size < 1 for size in shape):
            self._faults.append(f"{where}.shape: {list(shape)} has a size below 1; write -1 for any length")
        if tensor is None:
            return shape or ()
        dims = () if column else tensor.dims
        if shape is not None and tuple(shape) != dims:
            fits = "a column has none; leave it out" if column else f"the model's input has {list(dims)}; write that"
            self._faults.append(f"{where}.shape: {list(shape)} is not so: {fits}")
        return dims

    # -- outputs

    def _answers(self) -> AnswerSchema:
        entry, policy = self._declared.outputs, self._declared.answer
        answers = AnswerSchema.recognised(self._model.outputs)
        if entry is not None:
            classes = tuple(map(str, entry.classes))
            if entry.prediction or entry.probabilities or entry.confidence:
                answers = AnswerSchema(
                    self._model.outputs, entry.prediction, entry.probabilities, entry.confidence, classes
                )
            answers = replace(answers, classes=classes)
            if self._roles_exist(answers) and classes:
                self._check_classes(answers)
        answers = replace(answers, top_k=policy.top_k, decimals=policy.round, withhold=frozenset(policy.withhold))
        if policy.top_k is not None and not answers.classes:
            self._faults.append("answer.top_k: the classes have no names to tell them by; write outputs.classes")
        if answers.top_k is not None and len(answers.classes) < answers.top_k:
            self._faults.append(f"answer.top_k: {answers.top_k} of {len(answers.classes)} classes; write fewer")
        known = {"confidence", "probabilities", *(tensor.name for tensor in answers.others)}
        for name in policy.withhold:
            if name not in known or name == "prediction":
                self._faults.append(f"answer.withhold: {name!r} is not answered; write {one_of(sorted(known))}")
        return answers

    def _roles_exist(self, answers: AnswerSchema) -> bool:
        before = len(self._faults)
        outputs = {tensor.name: tensor for tensor in self._model.outputs}
        roles = {
            "prediction": answers.prediction,
            "probabilities": answers.probabilities,
            "confidence": answers.confidence,
        }
        for role, name in roles.items():
            if name is None:
                continue
            tensor = outputs.get(name)
            if tensor is None:
                self._faults.append(
                    f"outputs.{role}: {name!r} is no output of the model; its outputs are "
                    f"{', '.join(map(repr, outputs))}: write one of them"
                )
            elif role == "probabilities" and not (tensor.datatype.is_float and len(tensor.dims) == 1):
                self._faults.append(
                    f"outputs.probabilities: {name!r} is {_shape(tensor)}, and not one row of numbers; name another"
                )
            elif role == "confidence" and not (tensor.datatype.is_float and tensor.dims in ((), (1,))):
                self._faults.append(
                    f"outputs.confidence: {name!r} is {_shape(tensor)}, and not one number; name another"
                )
        return len(self._faults) == before

    def _check_classes(self, answers: AnswerSchema) -> None:
        classes = answers.classes
        if len(set(classes)) != len(classes):
            self._faults.append("outputs.classes: two have the same name; tell them apart")
        label = answers.output(answers.prediction) if answers.prediction is not None else None
        if answers.probabilities is not None:
            width = answers.output(answers.probabilities).elements
            if width not in (None, len(classes)):
                self._faults.append(
                    f"outputs.classes: {len(classes)} names for {width} probabilities; name each class, in their order"
                )
        elif label is None or label.datatype.kind is not Kind.INTEGER:
            self._faults.append(
                "outputs.classes: there are no probabilities and no whole number that is a class; write which output "
                "is which in outputs.probabilities or outputs.prediction"
            )
        if label is not None and (label.datatype.is_float or label.dims not in ((), (1,), (DYNAMIC,))):
            self._faults.append(
                f"outputs.classes: the prediction is {_shape(label)}, and no class; leave the names out, or name the "
                "output with the class in outputs.prediction"
            )

    def _raw(self, requests: RequestSchema, answers: AnswerSchema) -> bool:
        closed = "answer keeps something back" if answers.limited else None
        if self._preprocessed:
            closed = f"{PREPROCESS_FILE} makes the model's inputs"
        if self._declared.raw and closed is not None:
            self._faults.append(f"raw: true opens the model's own inputs and outputs, while {closed}; leave it out")
        if self._declared.raw is None:
            # Tensors are not held against ranges and categories, so that only who says so lets them in.
            return closed is None and not any(feature.ruled for feature in requests.features)
        return self._declared.raw


def _type_faults(kind: Kind, datatype: DataType) -> Iterator[str]:
    takes = {
        Kind.NUMBER: datatype.is_float,
        Kind.INTEGER: datatype.kind in (Kind.NUMBER, Kind.INTEGER),
        Kind.BOOLEAN: datatype.kind is not Kind.STRING,
        Kind.STRING: datatype.kind is Kind.STRING,
    }
    if not takes[kind]:
        yield (
            f"type: {kind} is not what the model's {datatype.name} takes; write {datatype.kind}, "
            f"or turn it into that in {PREPROCESS_FILE}"
        )


def _rule_faults(entry: FeatureEntry, kind: Kind) -> Iterator[str]:
    ranged = kind in (Kind.NUMBER, Kind.INTEGER) and not entry.categories
    if not ranged and (entry.min is not None or entry.max is not None):
        yield f"min and max: {'categories have no range' if entry.categories else f'a {kind} has none'}; leave them out"
    if entry.min is not None and entry.max is not None and entry.min > entry.max:
        yield f"min: {written(entry.min)} is above max, {written(entry.max)}; exchange them"
    if entry.max_length is not None and (kind is not Kind.STRING or entry.categories):
        yield "max_length: only a string without categories has a length; leave it out"
    if entry.categories:
        wanted = {Kind.STRING: str, Kind.INTEGER: int}.get(kind)
        if wanted is None:
            yield f"categories: a {kind} has none; make it an integer or a string"
        elif wrong := next((value for value in entry.categories if not isinstance(value, wanted)), None):
            yield f"categories: {wrong!r} is no {kind}; write all of them as {kind}s"
        if len(set(entry.categories)) != len(entry.categories):
            yield "categories: one is there twice; remove it"


def _bound(given: float | None, *, whole: bool, up: bool) -> float | None:
    """A bound as a number of the feature's own kind, which decoders compare with."""
    if given is None or not whole:
        return None if given is None else float(given)
    return math.ceil(given) if up else math.floor(given)


def _example_faults(feature: Feature) -> list[str]:
    if feature.example is None:
        return []
    _, violations = InstanceReader(RequestSchema((feature,), (), 0), 1).encode({feature.name: feature.example})
    return [f"example{each.pointer.removeprefix(f'/{feature.name}')}: {each.detail}" for each in violations]


def _shape(tensor: Tensor) -> str:
    return f"{tensor.datatype.name}{list(tensor.dims)}"
