"""A receiver of the prediction log that answers oddly."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from viridian_serving.telemetry.export_queue import PassingError, Record, RefusedError
from viridian_serving.telemetry.log_sinks import Otlp


@contextmanager
def answering(answer: bytes) -> Iterator[Otlp]:
    """A sink whose receiver reads a request, answers it with these bytes, and leaves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Otlp(f"http://127.0.0.1:{listener.getsockname()[1]}/v1/logs", {}, {}, "")
        thread.join(5)


def test_a_refusal_whose_reason_cannot_be_read_is_a_refusal() -> None:
    with (
        answering(b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\nno such") as sink,
        pytest.raises(RefusedError, match="answers 400"),
    ):
        sink.send([Record(1, b"{}")])


@pytest.mark.parametrize(("after", "pause"), [(b"2", 2.0), (b"86400", 30.0), (b"\xb2", 0.0), (b"soon", 0.0)])
def test_a_receiver_may_ask_for_a_pause_but_for_no_long_one(after: bytes, pause: float) -> None:
    with (
        answering(b"HTTP/1.1 503 Busy\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % after) as sink,
        pytest.raises(PassingError) as passing,
    ):
        sink.send([Record(1, b"{}")])
    assert passing.value.pause == pause
