"""Requests of the Open Inference Protocol over HTTP, read before Triton sees them.

Triton believes what a request says of itself: it takes memory for a shape of nine quintillion rows, and follows lists
as deep as its stack goes. So the JSON header is read here, bounded, held against the bytes that came, and written anew:
what Triton gets is what was checked, and no second member of the same name. Tensors that came as bytes pass as they
are; those in JSON become bytes.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from viridian_serving.codec.instances import Violations, invalid, join
from viridian_serving.codec.json_reading import parse, too_deep
from viridian_serving.codec.oip_values import JSON_NAMES, add_error, packed
from viridian_serving.codec.tensor_rules import TensorRules, elements_of, fault_of_bytes
from viridian_serving.codec.tensors import DataType, ModelSchema
from viridian_serving.http1.problems import Problem

_T = TypeVar("_T")
_Scalar = str | bool | int | float
_PARAMETERS: Final[Mapping[str, tuple[type, ...]]] = {
    "binary_data_output": (bool,),
    "priority": (int,),
    "sequence_end": (bool,),
    "sequence_id": (int, str),
    "sequence_start": (bool,),
    "timeout": (int,),
    "binary_data": (bool,),
    "binary_data_size": (int,),
    "classification": (int,),
}
"""Types of the parameters that Triton knows; it has others of a user's own, of any of them."""
_SIZE: Final = "binary_data_size"
_MOST_KNOWN: Final = 1024
_LONGEST_KNOWN: Final = 2048
"""Headers that are remembered, and bytes of one."""
_MOST_INTEGER: Final = 2**63 - 1


class _Input(msgspec.Struct, Generic[_T], omit_defaults=True):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, _Scalar] = {}
    data: _T | msgspec.UnsetType = msgspec.UNSET


class _Output(msgspec.Struct, omit_defaults=True):
    name: str
    parameters: dict[str, _Scalar] = {}


class _Header(msgspec.Struct, Generic[_T], omit_defaults=True):
    inputs: list[_Input[_T]]
    id: str = ""
    parameters: dict[str, _Scalar] = {}
    outputs: list[_Output] = []


_fast: Final = msgspec.json.Decoder(_Header[msgspec.Raw])
"""Leaves the values as text, to be read when it is known what they must be."""


class InferRequest(NamedTuple):
    """A request as Triton gets it."""

    header_length: int
    """Bytes of the JSON header; 0 where there is none, and the body is the only input's bytes."""
    body: list[bytes | memoryview]
    """The header, then the tensors' bytes."""
    instances: int = 1
    """How many it is about."""

    @property
    def tensors(self) -> "list[bytes | memoryview]":
        """The tensors' bytes alone."""
        return self.body[1:] if self.header_length else self.body


class InferReader:
    """Reads requests for one model."""

    def __init__(self, model: ModelSchema) -> None:
        """Prepare.

        Args:
            model: What it takes and gives.
        """
        self._model = model
        self._rules = TensorRules(model)
        self._known: dict[tuple[bytes, int], tuple[bytes, int]] = {}
        """What Triton gets as a header before this many bytes in all, and of how many instances, where the bytes hold
        every value."""
        self._has_strings = any(not tensor.datatype.size for tensor in model.inputs)

    def effort(self, body: bytes, header_length: bytes | None) -> int:
        """Return how many bytes of a request have to be looked at, one by one.

        Args:
            body: See read().
            header_length: See read().
        """
        if header_length is None or self._has_strings or not header_length.isdigit():
            return len(body)
        return min(len(body), int(header_length[:20]))

    def read(self, body: bytes, header_length: bytes | None) -> InferRequest:
        """Read a request.

        Args:
            body: A JSON header, and the bytes of the tensors that it announces.
            header_length: The value of ``Inference-Header-Content-Length``; None when all of the body is JSON.

        Returns:
            What Triton may get: every size in it is that of bytes which came.

        Raises:
            Problem: Status 400; it names what is wrong.
        """
        length = len(body) if header_length is None else _length(header_length, len(body))
        if header_length is not None and length == 0:
            return self._raw(body)
        text = body[:length]
        # A client that names no request sends the same header for every tensor of one shape.
        if (known := self._known.get((text, len(body)))) is not None:
            return InferRequest(len(known[0]), [known[0], memoryview(body)[length:]], known[1])
        header = _header(text)
        violations = Violations()
        _check_parameters(header.parameters, "/parameters", violations)
        self._check_outputs(header.outputs, violations)
        tensors = list(self._tensors(header.inputs, body, length, violations, binary=header_length is not None))
        if violations.number:
            raise refused(violations)
        written, instances = msgspec.json.encode(header), self._rules.instances_of(each.shape for each in header.inputs)
        # Where the values are in the header, their bytes are more than none, which is what follows it.
        if not self._has_strings and sum(map(len, tensors)) == len(body) - length > 0 and length <= _LONGEST_KNOWN:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[text, len(body)] = written, instances
        return InferRequest(len(written), [written, *tensors], instances)

    def _raw(self, body: bytes) -> InferRequest:
        """A body that is nothing but the bytes of the only input, one instance."""
        if len(self._model.inputs) != 1:
            raise Problem(
                400,
                "invalid-input",
                f"A body without a header can hold one input, and the model has {len(self._model.inputs)}; "
                "set Inference-Header-Content-Length to the length of the JSON header.",
            )
        return InferRequest(0, [body])

    def _tensors(
        self, inputs: Sequence[_Input[Any]], body: bytes, start: int, violations: Violations, *, binary: bool
    ) -> Iterator[bytes | memoryview]:
        """Return the inputs' bytes, in order; makes each input say how many there are, and nothing of its values."""
        view, names = memoryview(body), set()
        for position, each in enumerate(inputs):
            where = f"/inputs/{position}"
            if each.name in names:
                violations.add(f"{where}/name", "is there twice")
            names.add(each.name)
            _check_parameters(each.parameters, f"{where}/parameters", violations)
            datatype = self._rules.check(each.name, each.datatype, each.shape, where, violations)
            if each.data is not msgspec.UNSET:
                yield _of_values(each, datatype, where, violations)
            else:
                given = _of_bytes if binary else _missing
                piece = given(each, datatype, view[start:], where, violations)
                start += len(piece)
                yield piece
        if binary and start < len(body) and not violations.number:
            violations.add("", f"{len(body) - start} bytes follow the last input, and no {_SIZE} counts them")

    def _check_outputs(self, outputs: Sequence[_Output], violations: Violations) -> None:
        names: set[str] = set()
        for position, each in enumerate(outputs):
            where = f"/outputs/{position}"
            self._rules.check_output(each.name, names, where, violations)
            _check_parameters(each.parameters, f"{where}/parameters", violations)


def _length(given: bytes, size: int) -> int:
    text = given.strip()
    if text.isdigit() and len(text) < 20 and int(text) <= size:
        return int(text)
    raise Problem(
        400,
        "invalid-input",
        f"Inference-Header-Content-Length must be the length of the JSON header, from 0 to the body's {size} bytes.",
    )


def _header(text: bytes) -> _Header[Any]:
    """Decode the header, whose values may still be text."""
    try:
        return _fast.decode(text)
    except msgspec.ValidationError as error:
        raise _refusal(error) from None
    except RecursionError:
        raise too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        document = parse(text)  # which knows NaN, as Triton does
    try:
        return msgspec.convert(document, _Header[Any])
    except msgspec.ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: Exception) -> Problem:
    violations = Violations()
    add_error(error, "", violations)
    return refused(violations)


def refused(violations: Violations) -> Problem:
    """Make the problem of a request that cannot be passed on.

    Its sentence names the first mistake, since clients of the protocol show nothing else.
    """
    first, more = violations.listed[0], violations.number - 1
    and_more = f", and {more} more; 'errors' names each" if more else ""
    problem = invalid(violations.listed, violations.number)
    problem.detail = f"{first.pointer or 'The body'} {first.detail}{and_more}."
    return problem


def _check_parameters(parameters: Mapping[str, _Scalar], where: str, violations: Violations) -> None:
    for name, value in parameters.items():
        if name.startswith("shared_memory_"):
            violations.add(join(where, name), "cannot be used here; send the tensor in the body")
        elif (kinds := _PARAMETERS.get(name)) is not None and type(value) not in kinds:
            violations.add(join(where, name), f"must be {' or '.join(JSON_NAMES[kind.__name__] for kind in kinds)}")
        elif isinstance(value, int) and not (0 if kinds else -_MOST_INTEGER) <= value <= _MOST_INTEGER:
            violations.add(join(where, name), "is out of range")
        elif isinstance(value, float) and not math.isfinite(value):
            violations.add(join(where, name), "must be a finite number")


def _of_values(given: _Input[Any], datatype: DataType | None, where: str, violations: Violations) -> bytes:
    """Return the bytes of an input whose values are in the header, which then says how many there are instead."""
    if _SIZE in given.parameters:
        violations.add(f"{where}/parameters/{_SIZE}", "is there, and so is 'data'; leave one of them out")
    if datatype is None:
        return b""
    tensor = packed(given.data, datatype, elements_of(given.shape), f"{where}/data", violations)
    given.parameters = {**given.parameters, _SIZE: len(tensor)}
    given.data = msgspec.UNSET
    return tensor


def _of_bytes(
    given: _Input[Any], datatype: DataType | None, rest: memoryview, where: str, violations: Violations
) -> memoryview:
    """Return the bytes of an input that come behind the header."""
    size = given.parameters.get(_SIZE)
    if size is None:
        return _missing(given, datatype, rest, where, violations)
    if type(size) is not int:
        return rest[:0]  # it has been named already
    piece = rest[: max(0, size)]
    if len(piece) != size:
        violations.add(f"{where}/parameters/{_SIZE}", f"is {size}, and {len(piece)} bytes are left")
    elif datatype is not None and (fault := fault_of_bytes(piece, datatype, given.shape)) is not None:
        violations.add(f"{where}/shape", fault)
    return piece


def _missing(_: _Input[Any], __: DataType | None, rest: memoryview, where: str, violations: Violations) -> memoryview:
    violations.add(
        f"{where}/data",
        f"is missing; write the values there, or send bytes, {_SIZE} of them, with Inference-Header-Content-Length",
    )
    return rest[:0]
