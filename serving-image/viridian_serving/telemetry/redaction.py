"""What a log may not show: members of instances and predictions that are left out, hidden, or told apart only."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from viridian_serving.codec.tensors import ModelSchema
from viridian_serving.contract.feature_metadata import FeatureMetadata
from viridian_shared.prediction_log import RedactAction

_HIDDEN: Final = "***"
_DIGITS: Final = 32
_ELEMENT: Final = re.compile(r"(.+)\[[0-9]+\]", re.DOTALL)
"""How metrics name one number of a list."""


Rules = Mapping[str, RedactAction]


class Redactor:
    """Applies rules to what is logged of one model."""

    def __init__(self, rules: Rules, key: str, schema: ModelSchema, metadata: FeatureMetadata) -> None:
        """Prepare.

        Args:
            rules: By name.
            key: For hashes; may be empty.
            schema: Of the model.
            metadata: What it says is sensitive is left out, unless a rule says otherwise.
        """
        self._rules = {**dict.fromkeys(metadata.sensitive, RedactAction.DROP), **rules}
        self._key = key.encode()
        names = [tensor.name for tensor in schema.inputs]
        self._sole_input = names[0] if len(names) == 1 else None
        # A feature may have the name of an output, and be a part of an input nevertheless.
        features = metadata.sensitive.union(feature.name for feature in metadata.features)
        self._tensors = {*names, *(tensor.name for tensor in schema.outputs if tensor.name not in features)}
        # A whole list or input shows each of its numbers.
        for rule in rules:
            if element := _ELEMENT.fullmatch(rule):
                self._rules.setdefault(element[1], RedactAction.MASK)
        for feature in metadata.features:
            if feature.name in self._rules:
                self._rules.setdefault(names[feature.tensor], RedactAction.MASK)

    def instance(self, item: object) -> object:
        """Redact one instance.

        Args:
            item: As the client sent it, found to be valid.

        Returns:
            An object of named members, without what may not be shown.
        """
        if isinstance(item, dict):
            return self._members(item)
        # Without names, no rule can be applied but the one for the whole input; so with any, nothing is shown.
        if self._rules and self._sole_input not in self._rules:
            return _HIDDEN
        return self._members({self._sole_input or "": item})

    def prediction(self, prediction: dict[str, Any]) -> dict[str, Any]:
        """Redact one prediction: its members, and those of several outputs."""
        shown = self._members(prediction)
        for member in ("prediction", "outputs"):  # the latter holds what is neither prediction nor its probabilities
            if isinstance(outputs := shown.get(member), dict):
                shown[member] = self._members(outputs)
        return shown

    def tensors(self, values: dict[str, Any]) -> dict[str, Any]:
        """Redact a model's own inputs or outputs, by their names."""
        # A rule for anything else may be one for a part of a tensor: which, is not known here.
        if not self._rules.keys() <= self._tensors:
            return dict.fromkeys(values, _HIDDEN)
        if not self._rules:
            return dict(values)
        # What the model never took, because it failed, may stand under any name.
        unknown = dict.fromkeys(values.keys() - self._tensors, _HIDDEN)
        return self._members({**values, **unknown})

    def _members(self, item: dict[str, Any]) -> dict[str, Any]:
        if not self._rules:
            return dict(item)
        return {
            name: value if (action := self._rules.get(name)) is None else self._redacted(action, name, value)
            for name, value in item.items()
            if self._rules.get(name) is not RedactAction.DROP
        }

    def _redacted(self, action: RedactAction, name: str, value: object) -> str:
        if action is not RedactAction.HASH or not self._key:
            return _HIDDEN
        said = name.encode() + b"\0" + msgspec.json.encode(value)
        return "hmac-sha256:" + hmac.new(self._key, said, hashlib.sha256).hexdigest()[:_DIGITS]
