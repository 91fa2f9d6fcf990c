"""How calls to Triton are made for the model that its configuration shows."""

import asyncio
import json
import time
from contextlib import suppress

import pytest
from tests.ports import free_port
from tests.waiting import until

from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.contract import Contract
from viridian_serving.http1.client import HttpClient
from viridian_serving.inference.model import Model

SMALL, LARGE = 1, 250_000
"""Elements of an input; those of an image take longer to reach the model than a small model takes for them."""


class Triton:
    """Answers with as many rows as it is asked for, when a test says so."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        """Rows of each call."""
        self.answer = asyncio.Semaphore(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            with suppress(asyncio.IncompleteReadError):  # the client has closed the connection
                await self._answer(await reader.readuntil(b"\r\n\r\n"), reader, writer)

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lengths = dict(line.split(b": ") for line in head.splitlines()[1:-1])
        body = await reader.readexactly(int(lengths[b"Content-Length"]))
        header = json.loads(body[: int(lengths[b"Inference-Header-Content-Length"])])
        rows = header["inputs"][0]["shape"][0]
        self.asked.append(rows)
        await self.answer.acquire()
        output = {"name": "y", "datatype": "FP32", "shape": [rows, 1], "data": [0.5] * rows}
        document = json.dumps({"outputs": [output]}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(document), document))


@pytest.mark.parametrize(
    ("serial", "elements", "calls"),
    [
        pytest.param(True, SMALL, [1, 1, 2], id="one instance"),
        pytest.param(True, LARGE, [1, 1, 1, 1], id="one instance, but the way to it is long"),
        pytest.param(False, SMALL, [1, 1, 1, 1], id="several instances"),
    ],
)
async def test_beside_a_long_call_one_is_made_only_where_it_would_not_just_wait(
    monkeypatch: pytest.MonkeyPatch, serial: bool, elements: int, calls: list[int]
) -> None:
    # given a model whose last call took a while
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    port, triton = free_port(), Triton()
    one = Encoded(((elements,),), 1, (bytes(4 * elements),))
    inputs, outputs = (Tensor("X", DataType.FP32, (elements,)),), (Tensor("y", DataType.FP32, (1,)),)
    schema = ModelSchema(inputs, outputs, 8, serial=serial)
    async with await asyncio.start_server(triton.serve, "127.0.0.1", port):
        client = HttpClient("127.0.0.1", port)
        model = Model(client, "m", Contract.derived(schema), calls_in_flight=2, max_queue=10)
        deadline = asyncio.get_running_loop().time() + 60
        first = model.submit(one, deadline)
        await until(lambda: triton.asked)
        now = 0.01
        triton.answer.release()
        await first
        # when three requests come one after the other, and all calls are answered
        waits = [model.submit(one, deadline)]
        await until(lambda: len(triton.asked) == 2)
        waits.append(model.submit(one, deadline))
        if calls[2:] == [1, 1]:
            await until(lambda: len(triton.asked) == 3)
        waits.append(model.submit(one, deadline))
        for _ in calls[1:]:
            triton.answer.release()
        answers = await asyncio.gather(*waits)
        client.close()
    # then those behind the call share one where a second would only have waited for it
    assert answers == [[{"prediction": 0.5}]] * 3
    assert triton.asked == calls
