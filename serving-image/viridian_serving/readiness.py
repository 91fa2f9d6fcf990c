"""When this pod may be given traffic: after one real inference, and from then on until it is told to stop.

Readiness answers "has this pod started", not "is the model well". Once on, a failing model does not turn it off: an
unready pod that has weight is a 503 at the gateway which no guard would see, while a failing one is counted, judged and
taken out of the route. (When the triton container itself ends, the kubelet takes the pod out until it runs again,
whatever is said here.)
"""

import asyncio
import logging
from collections.abc import Iterator
from math import prod
from pathlib import Path

import msgspec

from viridian_serving.joiner import CallFailedError, QueueFullError
from viridian_serving.model import Model, ModelFailedError
from viridian_serving.schema import DYNAMIC, DataType, ModelSchema
from viridian_serving.wire import Encoded, pack

LOG = logging.getLogger("viridian.api")

SAMPLE_FILE = "sample.json"
"""Beside the model: a body for /predict, for models that do not take made-up inputs."""


def synthesised(schema: ModelSchema) -> Iterator[Encoded]:
    """Make inputs that fit the schema: all zeros, then all ones, since some models divide by their input.

    Args:
        schema: What the model takes.

    Yields:
        One instance.
    """
    for number, text in ((0, ""), (1, "1")):
        shapes = tuple(tuple(1 if dim == DYNAMIC else dim for dim in tensor.dims) for tensor in schema.inputs)
        tensors = []
        for tensor, shape in zip(schema.inputs, shapes, strict=True):
            value = text if tensor.datatype is DataType.BYTES else number
            tensors.append(pack(tensor.datatype, [value] * prod(shape)))
        yield Encoded(shapes, 1, tuple(tensors))


class Readiness:
    """The switch and the reason why it is off."""

    def __init__(self) -> None:
        self.ready = False
        self.reason = "Triton has not loaded the model yet"

    def turn_off(self, reason: str) -> None:
        """Turn it off for good, because the pod is being stopped."""
        self.ready = False
        self.reason = reason

    async def try_inference(self, model: Model, samples: Iterator[Encoded], patience: float) -> bool:
        """Try inputs until one is answered.

        Args:
            model: What must answer.
            samples: The inputs.
            patience: Seconds for each.

        Returns:
            Whether one was.
        """
        for sample in samples:
            try:
                await model.submit(sample, asyncio.get_running_loop().time() + patience)
            except ModelFailedError as error:
                self.reason = (
                    f"the model fails on a trial input: {error}. If it takes only particular inputs, "
                    f"put one as {SAMPLE_FILE} beside the model"
                )
                LOG.warning("%s", self.reason)
            except (CallFailedError, QueueFullError, TimeoutError) as error:
                self.reason = f"no answer to a trial input: {str(error) or f'none within {patience:g} s'}"
                LOG.warning("%s", self.reason)
            else:
                self.ready = True
                self.reason = "ready"
                LOG.info("the model answered a trial input: ready")
                return True
        return False


def read_sample(directory: Path) -> bytes | None:
    """Read the sample beside the model.

    Args:
        directory: The model's directory.

    Returns:
        A body for /predict, or None when there is none.
    """
    try:
        return (directory / SAMPLE_FILE).read_bytes()
    except OSError:
        return None


def health(status: str, identity: dict[str, str], schema: ModelSchema | None) -> bytes:
    """Write the body of ``/health``."""
    inputs = [tensor.describe() for tensor in schema.inputs] if schema is not None else None
    outputs = [tensor.describe() for tensor in schema.outputs] if schema is not None else None
    return msgspec.json.encode({"status": status, **identity, "inputs": inputs, "outputs": outputs})
