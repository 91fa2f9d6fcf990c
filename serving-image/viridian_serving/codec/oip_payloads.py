"""What requests and answers of the Open Inference Protocol hold, for those who write them down.

On their way they are bytes that pass; they are only read where somebody keeps a log.
"""

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any, Final

from viridian_serving.codec.oip import HEADER_LENGTH, TensorValues, nest, read_tensors
from viridian_serving.http1.messages import Request, Response

Tensors = dict[str, Any]
"""Lists of lists of values, by the tensors' names."""
_HTTP: Final = b"/v2/"


def inputs_of(request: Request) -> Tensors | None:
    """Read what a model was asked.

    Args:
        request: One that was found to be valid; by gRPC, its body is the message.

    Returns:
        The tensors; None where they cannot be read, such as those of a compressed body.
    """
    return _read(request, request.body, request.headers, "inputs")


def outputs_of(request: Request, response: Response) -> Tensors | None:
    """Read what a model answered.

    Args:
        request: What it was asked.
        response: Its answer, a good one.

    Returns:
        The tensors; None where they cannot be read.
    """
    headers = {name.lower(): value for name, value in response.headers}
    return _read(request, response.body, headers, "outputs")


def _read(request: Request, body: bytes, headers: Mapping[bytes, bytes], member: str) -> Tensors | None:
    try:
        if not request.path.startswith(_HTTP):
            from viridian_serving.codec import oip_grpc

            return _shown(oip_grpc.read_tensors(body, member))
        if b"content-encoding" in headers:
            return None
        length = headers.get(HEADER_LENGTH)
        return _shown(read_tensors(body, None if length is None else int(length), member))
    except (ValueError, TypeError, RecursionError):  # a client wrote it, and may have written anything
        return None


def _shown(tensors: Iterable[TensorValues]) -> Tensors:
    shown = {tensor.name: _nested(tensor) for tensor in tensors}
    if not all(isinstance(name, str) for name in shown):
        raise ValueError("a tensor's name is no string")
    return shown


def _nested(tensor: TensorValues) -> list[Any]:
    # A shape that does not fit its values is a mistake of whoever wrote it; JSON may have nested them already.
    fits = tensor.shape and min(tensor.shape) > 0 and prod(tensor.shape) == len(tensor.values)
    return nest(tensor.values, tensor.shape) if fits else list(tensor.values)
