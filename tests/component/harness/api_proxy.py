"""A proxy between one operator and the API server, at which a test lets requests go wrong.

Plain HTTP on loopback to the operator, HTTPS to the API server, with the operator's own token. It tells each request to
the test's rule, which may let a fault befall it:

    with ApiProxy(control_plane.url, control_plane.certificate) as proxy:
        operator = OperatorProcess(proxy.kubeconfig(operator_kubeconfig(control_plane, namespace)), ...)
        proxy.rule = nth(3, is_write, Reset(forwarded=True))
"""

import asyncio
import itertools
import json
import ssl
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import aiohttp
import yaml
from aiohttp import web
from tests.ports import free_port
from tests.waiting import DEADLINE
from yarl import URL

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_TICK = 0.02
_NO_STEP = frozenset({"events", "leases"})
# Of one connection only, or made anew by whoever sends.
_OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "upgrade"})


@dataclass
class Request:
    """One request as the operator sent it.

    Attributes:
        number: Counts all requests of this proxy, from 1.
        path: Without the query.
        query: The query as it was sent.
        status: What the operator was answered, or would have been; None until then, and when there is no answer.
        forwarded: The API server got it.
    """

    number: int
    method: str
    path: str
    query: str
    body: bytes = b""
    status: int | None = None
    forwarded: bool = False

    @property
    def resource(self) -> str:
        """Such as `deployments`; of a subresource, `modeldeployments/status`."""
        parts = self.path.strip("/").split("/")
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        if len(parts) > 2 and parts[0] == "namespaces":
            parts = parts[2:]
        return "/".join(parts[:1] + parts[2:])

    @property
    def name(self) -> str:
        """The object's name; for a POST, the one in the body."""
        if self.method == "POST":
            return str(json.loads(self.body)["metadata"].get("name", ""))
        return self.path.partition(f"/{self.resource.partition('/')[0]}/")[2].partition("/")[0]

    @property
    def is_watch(self) -> bool:
        return self.method == "GET" and "watch=" in self.query

    def __str__(self) -> str:
        return f"{self.number}. {self.method} {self.path} → {self.status}"


def is_write(request: Request) -> bool:
    """Whether it changes something that a rollout is made of; Events, Leases and dry runs do not."""
    changes = request.method in _WRITES and "dryRun=" not in request.query
    return changes and request.resource.partition("/")[0] not in _NO_STEP


def is_watch(request: Request) -> bool:
    return request.is_watch


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What befalls a request; with `forwarded`, only after the API server has acknowledged it.

    Attributes:
        act: Called at that moment, before the operator could hear of anything: to kill it, for instance.
    """

    forwarded: bool = False
    act: Callable[[], None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class Reset(Fault):
    """The connection ends without an answer."""


@dataclass(frozen=True, kw_only=True)
class Answer(Fault):
    """The API server's answer is this one, as far as the operator hears."""

    status: int
    message: str = "a fault of the test"
    retry_after: int | None = None


@dataclass(frozen=True, kw_only=True)
class WatchError(Fault):
    """A watch begins well, and its first event is an ERROR with this code, as for a version that is too old."""

    code: int = 410


@dataclass(frozen=True, kw_only=True)
class Hold(Fault):
    """The request waits until the test sets `until`, and then goes its usual way; one never set is a hang.

    With `forwarded`, it is the answer that waits.
    """

    until: threading.Event = field(default_factory=threading.Event)


Rule = Callable[[Request], Fault | None]


def nth(number: int, of: Callable[[Request], bool], fault: Fault) -> Rule:
    """A rule for the n-th request of a kind, counted from 1 and from now."""
    counter = itertools.count(1)
    return lambda request: fault if of(request) and next(counter) == number else None


def every(of: Callable[[Request], bool], fault: Fault) -> Rule:
    """A rule for all requests of a kind."""
    return lambda request: fault if of(request) else None


class ApiProxy:
    """A running proxy.

    Attributes:
        url: Where it listens.
        requests: All requests so far, oldest first; a watch is among them from its beginning.
        rule: Called for each request, in the proxy's thread; what it returns befalls the request.
        failures: What the rules and acts of faults raised: a test whose rule is broken should say so.
    """

    def __init__(self, target: str, certificate: Path) -> None:
        """Prepare a proxy for an API server at `target`, which `certificate` verifies."""
        self._target, self._certificate = target, certificate
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.requests: list[Request] = []
        self.rule: Rule = lambda _: None
        self.failures: list[Exception] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="api-proxy", daemon=True)
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None
        self._pending: set[asyncio.Task[web.StreamResponse]] = set()

    def __enter__(self) -> "ApiProxy":
        self._thread.start()
        self._run(self._open())
        self.come_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_down()
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self.failures and error is None:
            raise self.failures[0]

    def kubeconfig(self, direct: Path) -> Path:
        """A kubeconfig beside `direct`, for the same user, that leads through this proxy."""
        content = yaml.safe_load(direct.read_text())
        for cluster in content["clusters"]:
            cluster["cluster"] = {"server": self.url}
        path = direct.with_name(f"{direct.stem}-proxy-{self._port}.kubeconfig")
        path.write_text(yaml.safe_dump(content))
        path.chmod(0o600)
        return path

    @property
    def writes(self) -> list[Request]:
        """The writes that a rollout is made of and that the API server carried out."""
        return [request for request in self.requests if is_write(request) and request.forwarded and _ok(request)]

    def go_down(self) -> None:
        """All connections end, and new ones are refused."""
        self._run(self._stop_listening())

    def come_up(self) -> None:
        """Listen again, at the same address."""
        self._run(self._listen())

    def _run(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)

    async def _open(self) -> None:
        context = ssl.create_default_context(cafile=str(self._certificate))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )

    async def _close(self) -> None:
        for task in self._pending:
            task.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _listen(self) -> None:
        if self._runner is not None:
            return
        # A watch upstream ends when the operator leaves.
        server = web.Server(self._serve, access_log=None, handler_cancellation=True)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()

    async def _stop_listening(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _serve(self, incoming: web.BaseRequest) -> web.StreamResponse:
        request = Request(
            len(self.requests) + 1, incoming.method, incoming.path, incoming.query_string, await incoming.read()
        )
        self.requests.append(request)
        fault = self._befalls(request)
        if request.is_watch:
            return await self._watch(request, incoming, fault)
        # What was sent goes its way, also when its sender dies meanwhile.
        task = asyncio.ensure_future(self._ask_for(request, incoming, fault))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        return await asyncio.shield(task)

    async def _ask_for(self, request: Request, incoming: web.BaseRequest, fault: Fault | None) -> web.StreamResponse:
        if fault is not None and not fault.forwarded:
            early = await self._suffer(fault, request, incoming)
            if early is not None:
                return early
        answered = await self._forward(request, incoming)
        if fault is not None and fault.forwarded:
            return await self._suffer(fault, request, incoming) or answered
        return answered

    async def _watch(self, request: Request, incoming: web.BaseRequest, fault: Fault | None) -> web.StreamResponse:
        early = await self._suffer(fault, request, incoming) if fault is not None else None
        return early if early is not None else await self._stream(request, incoming)

    def _befalls(self, request: Request) -> Fault | None:
        try:
            return self.rule(request)
        except Exception as error:  # noqa: BLE001 - kept for the test, which would not see it in this thread
            self.failures.append(error)
            return None

    async def _suffer(self, fault: Fault, request: Request, incoming: web.BaseRequest) -> web.StreamResponse | None:
        """Let a fault befall a request; None when it goes on as if nothing had happened."""
        try:
            fault.act()
        except Exception as error:  # noqa: BLE001 - kept for the test, which would not see it in this thread
            self.failures.append(error)
        match fault:
            case Reset():
                _abort(incoming)
                return web.Response(status=502)  # nobody hears it
            case Answer(status=status, message=message, retry_after=seconds):
                request.status = status
                headers = {} if seconds is None else {"Retry-After": str(seconds)}
                return web.json_response(_failure(status, message), status=status, headers=headers)
            case WatchError(code=code):
                request.status = 200
                event = {"type": "ERROR", "object": _failure(code, "too old resource version")}
                return web.json_response(event, dumps=lambda data: json.dumps(data) + "\n")
            case Hold(until=until):
                while not until.is_set():  # noqa: ASYNC110 - the test sets it in another thread
                    await asyncio.sleep(_TICK)
        return None

    async def _forward(self, request: Request, incoming: web.BaseRequest) -> web.Response:
        async with self._ask(request, incoming) as upstream:
            body = await upstream.read()
            request.status, request.forwarded = upstream.status, True
            return web.Response(status=upstream.status, headers=_passed_on(upstream.headers), body=body)

    async def _stream(self, request: Request, incoming: web.BaseRequest) -> web.StreamResponse:
        async with self._ask(request, incoming) as upstream:
            request.status, request.forwarded = upstream.status, True
            response = web.StreamResponse(status=upstream.status, headers=_passed_on(upstream.headers))
            await response.prepare(incoming)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    def _ask(self, request: Request, incoming: web.BaseRequest) -> "aiohttp.client._RequestContextManager":
        if self._session is None:
            raise RuntimeError("the proxy is not running: use it as a context manager")
        return self._session.request(
            request.method,
            URL(f"{self._target}{incoming.raw_path}", encoded=True),
            headers=_passed_on(incoming.headers),
            data=request.body or None,
        )


def _ok(request: Request) -> bool:
    return request.status is not None and 200 <= request.status < 300


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OF_THE_CONNECTION}


def _abort(incoming: web.BaseRequest) -> None:
    if incoming.transport is not None:
        incoming.transport.abort()


def _failure(code: int, message: str) -> dict[str, object]:
    """A Status object, as the API server would send it."""
    reasons = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reasons.get(code, "Unknown"),
        "code": code,
    }
