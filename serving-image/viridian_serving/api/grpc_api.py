"""The Open Inference Protocol over gRPC: its inference part passes to Triton byte for byte, and inferences count.

Nobody comes here by the route: every call is a direct one. What manages Triton (repository, shared memory, trace and
log settings) does not pass, and neither do streams, whose answers nothing could count.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import grpc
import grpc.aio
import msgspec

from viridian_serving.api.api_keys import HEADERS as KEY_HEADERS
from viridian_serving.api.oip_proxy import QUEUE_FULL, died
from viridian_serving.api.pipeline import Inferences
from viridian_serving.codec.offload import aside
from viridian_serving.codec.oip import has_lost_process
from viridian_serving.http1.messages import Request, Response
from viridian_serving.http1.problems import Problem
from viridian_serving.inference.deaths import GIVEN_UP
from viridian_serving.inference.request_context import RequestContext

LOG = logging.getLogger("viridian.api")

_SERVICE: Final = "/inference.GRPCInferenceService/"
_INFER: Final = _SERVICE + "ModelInfer"
_STREAM: Final = _SERVICE + "ModelStreamInfer"
_PROBES: Final = frozenset({_SERVICE + "ServerLive", _SERVICE + "ServerReady"})
"""What is read without an API key."""
_READS: Final = _PROBES | frozenset(
    _SERVICE + method
    for method in (
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
        "ModelConfig",
        "ModelStatistics",
    )
)
_HTTP_STATUS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 413,
    grpc.StatusCode.UNIMPLEMENTED: 404,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""The outcome of a call by its status, as over HTTP; a missing status is a failure of the model."""
_GRPC_STATUS: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    422: grpc.StatusCode.FAILED_PRECONDITION,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_METADATA: Final = ("x-request-id", "traceparent", "tracestate", *(name.decode() for name in KEY_HEADERS))
"""What means the same as over HTTP."""
_READ_SECONDS: Final = 5.0
_MOST_CALLS: Final = 256
"""At a time, whether their messages have come or not: a message is in memory from its first byte."""
_NEVER_SENT: Final = "failed to connect"
"""In what gRPC says of a call when there was nobody to send it to."""
_RECONNECT_MS: Final = 100
"""Between two tries to reach a Triton that is starting again, at first."""
_CONNECT_MS: Final = 1000
"""Between two later ones, and how long each of them may take."""


class GrpcApi(grpc.GenericRpcHandler):
    """The listener for gRPC."""

    def __init__(self, inferences: Inferences, triton: str, max_body: int) -> None:
        """Wire it up; must be called on a running event loop.

        Args:
            inferences: Counts them.
            triton: Host and port of Triton's gRPC.
            max_body: Largest message in bytes, either way.
        """
        self._inferences = inferences
        sizes = [("grpc.max_receive_message_length", max_body), ("grpc.max_send_message_length", max_body)]
        backoff = [
            ("grpc.initial_reconnect_backoff_ms", _RECONNECT_MS),
            ("grpc.min_reconnect_backoff_ms", _CONNECT_MS),
            ("grpc.max_reconnect_backoff_ms", _CONNECT_MS),
        ]
        self._triton = grpc.aio.insecure_channel(triton, options=[*sizes, *backoff])
        self._server = grpc.aio.server(
            handlers=[self], options=[*sizes, ("grpc.so_reuseport", 0)], maximum_concurrent_rpcs=_MOST_CALLS
        )
        self._running: set[asyncio.Task[Response]] = set()

    async def listen(self, host: str, port: int) -> None:
        """Open the listener.

        Args:
            host: Address to bind.
            port: Port to bind.

        Raises:
            OSError: The address is taken or not ours.
        """
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"gRPC on {address}: {error}") from error
        await self._server.start()

    async def close(self, longest: float) -> bool:
        """Send clients on to other connections, and let their calls finish.

        Args:
            longest: Seconds after which they are cut off.

        Returns:
            Whether every call was answered.
        """
        await self._server.stop(longest)
        drained = not self._running
        await self._triton.close()
        return drained

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Return what handles a call; part of gRPC's own interface."""
        method = handler_call_details.method
        if method == _STREAM:
            return grpc.stream_stream_rpc_method_handler(_refuse_stream)
        if method == _INFER:
            return grpc.unary_unary_rpc_method_handler(self._infer)
        return grpc.unary_unary_rpc_method_handler(self._read(method) if method in _READS else _refuse)

    def _read(self, method: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def read(message: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
            try:
                if method not in _PROBES:
                    self._inferences.admit(_headers_of(context))
                return await _call(self._triton, method)(message, timeout=_READ_SECONDS)
            except Problem as stranger:
                await context.abort(_GRPC_STATUS[stranger.status], stranger.detail)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")

        return read

    async def _infer(self, message: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        call = _PassedCall(self._triton, message, self._inferences)
        asked = Request(
            b"POST", _INFER.encode(), _headers_of(context), message, time.perf_counter(), peer=_peer(context)
        )
        task = asyncio.get_running_loop().create_task(self._inferences.direct(asked, call.answer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            # A client that leaves cancels this, but not the call: see where calls are counted.
            response = await asyncio.shield(task)
        except asyncio.CancelledError:
            asked.leave()
            raise
        context.set_trailing_metadata([(name.decode().lower(), value.decode()) for name, value in response.headers])
        if response.status == 200:
            return response.body
        code, details = call.failure or (
            _GRPC_STATUS.get(response.status, grpc.StatusCode.INTERNAL),
            msgspec.json.decode(response.body)["detail"],
        )
        await context.abort(code, details or "The server failed; its log says why, by x-request-id.")


class _PassedCall:
    """One inference on its way to Triton.

    Attributes:
        failure: Triton's own code and words, if it gave no answer.
    """

    def __init__(self, triton: grpc.aio.Channel, message: bytes, inferences: Inferences) -> None:
        self._triton = triton
        self._message = message
        self._inferences = inferences
        self.failure: tuple[grpc.StatusCode, str] | None = None

    async def answer(self, context: RequestContext) -> Response:
        """Pass it on.

        Raises:
            Problem: It cannot be passed on, or Triton gave no answer.
        """
        reader = self._inferences.started().messages
        # Of bytes only the lengths are looked at, unless they are strings; other values are decoded.
        asked = await aside(len(self._message), partial(reader.read, self._message))
        context.asked, context.passed_instances = asked.tensors, asked.instances
        self._inferences.deaths.check(context)
        left = context.deadline - asyncio.get_running_loop().time()
        try:
            body = await _call(self._triton, _INFER)(self._message, timeout=max(0.0, left))
        except grpc.aio.AioRpcError as error:
            details = error.details() or ""
            lost = error.code() is grpc.StatusCode.UNAVAILABLE and _NEVER_SENT not in details
            if lost:
                raise died() from None
            if has_lost_process(details):
                raise died(GIVEN_UP) from None
            self.failure = error.code(), details
            kind = "queue-full" if QUEUE_FULL in details else "model-failed"
            raise Problem(_HTTP_STATUS.get(error.code(), 500), kind, details, cause=details) from None
        return Response(200, body)


def _call(triton: grpc.aio.Channel, method: str) -> "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]":
    return triton.unary_unary(method)


def _peer(context: "grpc.aio.ServicerContext[bytes, bytes]") -> str:
    """The address alone: the port is another one for every connection."""
    return context.peer().partition(":")[2].rpartition(":")[0]


def _headers_of(context: "grpc.aio.ServicerContext[bytes, bytes]") -> dict[bytes, bytes]:
    """The metadata that means something to us, as HTTP would have it."""
    given = dict(context.invocation_metadata() or ())
    return {name.encode(): value.encode() for name in _METADATA if isinstance(value := given.get(name), str)}


_REFUSED: Final = (
    "is not passed to Triton: only health, metadata, configuration, statistics and ModelInfer are; models are managed"
    " by the ModelDeployment"
)


async def _refuse(_: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"This method {_REFUSED}")


async def _refuse_stream(_: object, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"ModelStreamInfer {_REFUSED}; call ModelInfer")
