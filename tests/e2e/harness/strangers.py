"""Strangers who can reach the gateway: requests that end, swell or overrun what reads them without care."""

import gzip
import itertools
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator

from examples.demo.load import reason
from tests.component.harness.loopback import open_url

_JSON = {"Content-Type": "application/json"}
_TENSOR = '{"inputs":[{"name":"X","shape":%s,"datatype":"%s","data":%s}]}'
INFER: dict[str, tuple[dict[str, str], bytes]] = {
    "a shape of 9e18 rows": (_JSON, (_TENSOR % ("[9000000000000000000,64]", "FP32", "[1,2,3,4]")).encode()),
    "a gigabyte in 80 bytes": (_JSON, (_TENSOR % ("[4000000,64]", "FP32", "[1,2,3,4]")).encode()),
    "data nested 200,000 deep": (_JSON, (_TENSOR % ("[1,64]", "FP32", "[" * 200_000 + "]" * 200_000)).encode()),
    "a hundred megabytes in gzip": ({**_JSON, "Content-Encoding": "gzip"}, gzip.compress(b"0" * 100_000_000)),
    "an empty object": (_JSON, b"{}"),
    "inputs that are null": (_JSON, b'{"inputs":null}'),
    "a negative size": (_JSON, (_TENSOR % ("[-1,64]", "FP32", "[1,2,3,4]")).encode()),
    "a shape that is text": (_JSON, (_TENSOR % ('"a"', "FP32", "[1]")).encode()),
    "too few values": (_JSON, (_TENSOR % ("[1,64]", "FP32", "[1]")).encode()),
    "text among numbers": (_JSON, (_TENSOR % ("[1,64]", "FP32", '["a"' + ",1" * 63 + "]")).encode()),
    "a binary header beyond the body": ({"Inference-Header-Content-Length": "99999999"}, b'{"inputs":[]}'),
    "binary data that is not there": (
        {"Inference-Header-Content-Length": "112"},
        b'{"inputs":[{"name":"X","shape":[1,64],"datatype":"FP32","parameters":{"binary_data_size":256}}]}'.ljust(112),
    ),
}
"""Bodies for the Open Inference Protocol."""
PREDICT: dict[str, tuple[dict[str, str], bytes]] = {
    "nested 200,000 deep": (_JSON, b"[" * 200_000 + b"]" * 200_000),
    "not JSON": (_JSON, b"\xff\xfe\x00{"),
    "numbers beyond any range": (_JSON, b'{"X":[' + b"1e999," * 63 + b"1]}"),
    "a number of a million digits": (_JSON, b'{"X":[' + b"9" * 1_000_000 + b"]}"),
    "instances without end": (_JSON, b'{"instances":[' + b"{}," * 100_000 + b"{}]}"),
}
"""Bodies for /predict."""
_SECONDS = 20.0


class Strangers:
    """Sends one hostile request after the other while its context lasts.

    Attributes:
        answers: How often each kind was answered with which status; 0 stands for no answer.
        faults: How often one was answered with which status of 500 and more, and why, as the answer says it.
    """

    def __init__(self, url: str, model: str, rate: float) -> None:
        """Prepare.

        Args:
            url: Where the model's clients send their requests; it ends with /predict.
            model: Name of the model.
            rate: Requests a second, if each is answered in time.
        """
        base = url.removesuffix("/predict")
        self._requests = itertools.cycle([*_all(f"{base}/v2/models/{model}/infer", INFER), *_all(url, PREDICT)])
        self._period = 1 / rate
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="strangers", daemon=True)
        self.answers: Counter[tuple[str, int]] = Counter()
        self.faults: Counter[tuple[str, int, str]] = Counter()

    def __enter__(self) -> "Strangers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._left.wait(self._period):
            kind, request = next(self._requests)
            status, body = _send(request)
            self.answers[kind, status] += 1
            if status >= 500:
                self.faults[kind, status, reason(body)] += 1

    def __str__(self) -> str:
        return "\n".join(f"{kind}: {status} ({count})" for (kind, status), count in sorted(self.answers.items()))


def _all(url: str, bodies: dict[str, tuple[dict[str, str], bytes]]) -> Iterator[tuple[str, urllib.request.Request]]:
    for kind, (headers, body) in bodies.items():
        yield kind, urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - http on loopback


def _send(request: urllib.request.Request) -> tuple[int, bytes]:
    try:
        with open_url(request, timeout=_SECONDS) as answer:
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:  # the gateway or the API may close the connection before it has read all of a large body
        return 0, b""
