"""What a request may say of a tensor, whichever way it comes: by HTTP or gRPC, as JSON, numbers or bytes."""

import struct
from collections.abc import Iterable, Sequence
from math import prod
from typing import Final

from viridian_serving.codec.instances import Violations
from viridian_serving.codec.tensors import DataType, ModelSchema

MOST_DIMS: Final = 32
_LARGEST: Final = 2**63 - 1
_LENGTH: Final = struct.Struct("<I")


class TensorRules:
    """Those of one model."""

    def __init__(self, model: ModelSchema) -> None:
        """Prepare.

        Args:
            model: What it takes and gives.
        """
        self._inputs = {tensor.name: tensor.datatype for tensor in model.inputs}
        self._outputs = frozenset(tensor.name for tensor in model.outputs)
        self._batched = model.max_batch > 0

    @property
    def outputs(self) -> str:
        """The model's outputs, for people."""
        return ", ".join(sorted(map(repr, self._outputs)))

    def instances_of(self, shapes: Iterable[Sequence[int]]) -> int:
        """Return how many instances inputs of these shapes, which were checked, are about.

        Args:
            shapes: Of all inputs, as the request has them; Triton refuses those whose batches differ.
        """
        first = next(iter(shapes), ())
        return first[0] if self._batched and first else 1

    def check_output(self, name: str, asked: set[str], where: str, violations: Violations) -> None:
        """Check what a request says of an output.

        Args:
            name: As the request has it.
            asked: Names of the outputs before it; it is added.
            where: JSON pointer of the output.
            violations: Gets what is wrong.
        """
        if name not in self._outputs:
            violations.add(f"{where}/name", f"is no output of this model; it has {self.outputs}")
        elif name in asked:
            violations.add(f"{where}/name", "is there twice")
        asked.add(name)

    def check(
        self, name: str, datatype: str, shape: Sequence[int], where: str, violations: Violations
    ) -> DataType | None:
        """Check what a request says of an input. Which sizes the model takes, Triton knows and says.

        Args:
            name: As the request has it.
            datatype: As the request has it.
            shape: As the request has it.
            where: JSON pointer of the input.
            violations: Gets what is wrong.

        Returns:
            The model's type, when nothing is wrong; its shape is then one that elements_of() takes.
        """
        before = violations.number
        known = self._inputs.get(name)
        if known is None:
            inputs = ", ".join(map(repr, self._inputs))
            violations.add(f"{where}/name", f"is no input of this model; it takes {inputs}")
        elif known.name != datatype:
            violations.add(f"{where}/datatype", f"must be {known.name}")
        if len(shape) > MOST_DIMS:
            violations.add(f"{where}/shape", f"has {len(shape)} dimensions, more than the limit of {MOST_DIMS}")
        elif not all(0 <= size <= _LARGEST for size in shape):
            violations.add(f"{where}/shape", f"must hold sizes from 0 to {_LARGEST}")
        return known if violations.number == before else None


def elements_of(shape: Sequence[int]) -> int:
    """Return the number of elements in a shape; it may be larger than anything that could be sent."""
    return prod(shape)


def fault_of_bytes(piece: "bytes | memoryview", datatype: DataType, shape: Sequence[int]) -> str | None:
    """Say why bytes are not the elements of a shape, if they are not.

    Args:
        piece: The bytes, as pack() writes them.
        datatype: The elements' type.
        shape: Their shape.

    Returns:
        What is wrong with the shape; None when nothing is.
    """
    elements = prod(shape)
    if datatype.size:
        wanted = elements * datatype.size
        return None if len(piece) == wanted else f"asks for {wanted} bytes, and {len(piece)} came"
    # The bound comes first: each string takes four bytes and more.
    if elements * _LENGTH.size > len(piece) or (there := _strings(piece, elements)) is None:
        return f"asks for {elements} strings with their lengths, and the {len(piece)} bytes are not those"
    return None if there == elements else f"asks for {elements} strings, and {there} came"


def _strings(piece: "bytes | memoryview", most: int) -> int | None:
    """Count the strings with their lengths that bytes are made of, up to one too many; None when they are not."""
    position = count = 0
    while position < len(piece) and count <= most:
        if position + _LENGTH.size > len(piece):
            return None
        position += _LENGTH.size + _LENGTH.unpack_from(piece, position)[0]
        count += 1
    return count if position <= len(piece) else None
