"""Asks a version by NVIDIA's tritonclient, as users of the Open Inference Protocol do.

Over HTTP: of a pod's ports only that one believes that a request is a check's. By gRPC it would count as a user's.
"""

import asyncio
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from viridian_serving.codec.oip import TensorValues
from viridian_serving.codec.tensors import DataType
from viridian_serving.http1.client import PeerUnreachableError

if TYPE_CHECKING:
    from tritonclient.http import InferenceServerClient, InferInput

_T = TypeVar("_T")


class ProtocolError(Exception):
    """What was asked is refused, or the answer cannot be read. The message ends "it answers with"."""


@dataclass(frozen=True)
class RawTensor:
    """One input of an inference."""

    name: str
    datatype: DataType
    shape: tuple[int, ...]
    raw: bytes
    """Its elements, as codec.oip.pack writes them."""


@dataclass(frozen=True)
class Description:
    """What a server says of itself and of a model."""

    live: bool
    ready: bool
    model_ready: bool
    metadata: Mapping[str, Any]
    config: Mapping[str, Any]


class TritonClient:
    """One version, as tritonclient sees it."""

    def __init__(self, address: str, peer: str, headers: Mapping[str, str], seconds: float) -> None:
        """Remember where it is.

        Args:
            address: Host and port, such as iris-green.default.svc:8000.
            peer: What errors call it.
            headers: Of every request.
            seconds: After which a request counts as unanswered.
        """
        self._address = address
        self._peer = peer
        self._headers = headers
        self._seconds = seconds

    async def describe(self, model: str) -> Description:
        """Ask how it is, and what the model is.

        Raises:
            PeerUnreachableError: Nobody answers.
            ProtocolError: It refuses.
            TimeoutError: It took too long.
        """

        def ask(client: "InferenceServerClient") -> Description:
            with reading():
                return Description(
                    client.is_server_live(headers=self._headers),
                    client.is_server_ready(headers=self._headers),
                    client.is_model_ready(model, headers=self._headers),
                    client.get_model_metadata(model, headers=self._headers),
                    client.get_model_config(model, headers=self._headers),
                )

        return await asyncio.to_thread(self._asked, ask)

    async def infer(self, model: str, inputs: Sequence[RawTensor], outputs: Sequence[str]) -> list[TensorValues]:
        """Make one inference.

        Args:
            model: Its name.
            inputs: What is asked.
            outputs: Which are answered.

        Raises:
            PeerUnreachableError: Nobody answers.
            ProtocolError: It refuses, or leaves an output out.
            TimeoutError: It took too long.
        """

        def ask(client: "InferenceServerClient") -> list[TensorValues]:
            from tritonclient.http import InferRequestedOutput

            wanted = [InferRequestedOutput(name, binary_data=True) for name in outputs]
            given = [_input(each) for each in inputs]
            with reading():
                # The client adds headers to the mapping that it gets.
                result = client.infer(model, given, outputs=wanted, headers={**self._headers})
                return [_values(name, result.get_output(name), result.as_numpy(name)) for name in outputs]

        return await asyncio.to_thread(self._asked, ask)

    def _asked(self, ask: Callable[["InferenceServerClient"], _T]) -> _T:
        """Ask within one thread, to which gevent binds a client."""
        # Half a second, and needed only where a check asks this way.
        from geventhttpclient.response import HTTPParseError
        from tritonclient.http import InferenceServerClient
        from tritonclient.utils import InferenceServerException

        try:
            with InferenceServerClient(
                self._address, connection_timeout=self._seconds, network_timeout=self._seconds
            ) as client:
                return ask(client)
        except InferenceServerException as error:
            raise ProtocolError(_said(error.status(), error.message())) from error
        except TimeoutError:
            raise
        except (OSError, HTTPParseError) as error:
            raise PeerUnreachableError(f"{self._peer} does not answer tritonclient: {error}") from error


@contextmanager
def reading() -> Iterator[None]:
    """Read an answer, whose form the client takes for granted.

    Raises:
        ProtocolError: It has another one.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise ProtocolError(f"what does not follow the protocol ({error!r})") from error


def _said(status: str | None, message: str) -> str:
    return f"status {status}: {message}" if status is not None else message


def _input(tensor: RawTensor) -> "InferInput":
    import numpy as np
    from tritonclient.http import InferInput
    from tritonclient.utils import deserialize_bytes_tensor, triton_to_np_dtype

    kind = tensor.datatype.name
    if tensor.datatype is DataType.BYTES:
        array = deserialize_bytes_tensor(tensor.raw)
    else:
        array = np.frombuffer(tensor.raw, triton_to_np_dtype(kind))
    return InferInput(tensor.name, list(tensor.shape), kind).set_data_from_numpy(array.reshape(tensor.shape))


def _values(name: str, told: Mapping[str, Any] | None, array: Any) -> TensorValues:  # noqa: ANN401  numpy is not loaded
    if told is None or array is None:
        raise ProtocolError(f"an answer without output {name!r}")
    flat = array.ravel().tolist()
    if told["datatype"] == DataType.BYTES.name:
        flat = [value.decode("utf-8", "replace") for value in flat]
    return TensorValues(name, DataType[told["datatype"]], tuple(array.shape), flat)
