"""Stores of models for tests: what every one of them has in common, and S3, which is a real server behind a proxy.

The proxy is there for what real servers cannot be asked to do: to cut a connection, to be slow, to refuse a token that
has expired.
"""

import functools
import hashlib
import re
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from obstore.store import S3Store
from tests.component.harness.binaries import REPOSITORY
from tests.component.harness.processes import start
from tests.ports import free_port
from tests.serving.files import make_signed_certificate

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class StoreRequest:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer, before anything happens to it."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


Fault = Callable[["StoreHandler", Reply], None]
"""What happens to the answer with a file's bytes, in place of sending it."""


@dataclass
class StoreServer:
    """What a store has, what it was asked, and what goes wrong; `faults` are used up one by one."""

    port: int = 0
    ca: Path | None = None
    faults: list[Fault] = field(default_factory=list)
    always: Fault | None = None
    seen: list[StoreRequest] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"{'http' if self.ca is None else 'https'}://localhost:{self.port}"

    def forget(self) -> None:
        """Begin anew, but for the files."""
        self.faults, self.always, self.seen = [], None, []

    def answer(self, handler: "StoreHandler") -> Reply:
        """What this store says to a request."""
        raise NotImplementedError

    def is_content(self, handler: "StoreHandler", reply: Reply) -> bool:
        """Whether an answer has a file's bytes, and so can go wrong."""
        return handler.command == "GET" and reply.status in (200, 206) and "Range" in handler.headers

    def next_fault(self) -> Fault | None:
        with self.lock:
            return self.faults.pop(0) if self.faults else self.always


class StoreHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: StoreServer

    def _serve(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.store.seen.append(StoreRequest(self.command, self.path, headers))
        reply = self.store.answer(self)
        fault = self.store.next_fault() if self.store.is_content(self, reply) else None
        (fault or send)(self, reply)

    do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815  named by the base class

    def part_of(self, content: bytes, **headers: str) -> Reply:
        """An answer with the range that was asked for."""
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if asked is None:
            return Reply(200, {"Content-Length": str(len(content)), **headers}, content)
        start, end = int(asked[1]), min(int(asked[2] or len(content) - 1) + 1, len(content))
        part = content[start:end]
        place = {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}", "Content-Length": str(len(part))}
        return Reply(206, {**place, **headers}, part)

    def log_message(self, *_: Any) -> None:
        pass


def send(handler: StoreHandler, reply: Reply, until: int | None = None) -> None:
    """Send an answer as it is, or its beginning."""
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    if "Content-Length" not in reply.headers:
        handler.send_header("Content-Length", str(len(reply.body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(reply.body[:until])
        handler.wfile.flush()


def cut_after(count: int) -> Fault:
    """Ends the connection when so many bytes of a range were sent."""

    def cut(handler: StoreHandler, reply: Reply) -> None:
        send(handler, reply, count)
        handler.close_connection = True

    return cut


def answering(status: int, body: str = "", **headers: str) -> Fault:
    """Answers something else."""

    def answer(handler: StoreHandler, _: Reply) -> None:
        send(handler, Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body.encode()))

    return answer


def beyond_the_first_range(fault: Fault) -> Fault:
    """Lets the beginning of a file pass."""
    return lambda handler, reply: (send if handler.headers["Range"].startswith("bytes=0-") else fault)(handler, reply)


def silent(handler: StoreHandler, _: Reply) -> None:
    """Takes the request and says nothing, until the test ends."""
    handler.store.ending.wait(60)
    handler.close_connection = True


def dripping(handler: StoreHandler, reply: Reply) -> None:
    """Sends a piece now and then: never silent, but slow."""
    send(handler, reply, 0)
    for at in range(0, len(reply.body), 20_000):
        if handler.store.ending.wait(0.05):
            break
        handler.wfile.write(reply.body[at : at + 20_000])


@contextmanager
def serving(store: StoreServer, tls: Path | None = None) -> Iterator[None]:
    """Serve until the end of the block, by TLS if there is a folder for the certificate."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (StoreHandler,), {"store": store}))
    if tls is not None:
        store.ca, certificate, key = make_signed_certificate(tls)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    store.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        store.ending.set()
        server.shutdown()
        server.server_close()


@dataclass
class Proxy(StoreServer):
    """In front of a real server."""

    behind: int = 0

    def answer(self, handler: StoreHandler) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.behind, timeout=60)
        try:
            # With the client's own Host, which is signed.
            connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                connection.putheader(name, value)
            connection.endheaders(handler.body)
            answer = connection.getresponse()
            body = answer.read()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _OF_THE_CONNECTION}
            return Reply(answer.status, headers, body)
        finally:
            connection.close()


_OF_THE_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "date", "server")


def is_answering(port: int, path: str) -> bool:
    """Whether a server says yes at an address."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def output_of(command: str) -> str:
    """What a script of dev/ prints."""
    done = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True, cwd=REPOSITORY)
    return done.stdout.strip()


# -- S3


KEYS = {"AWS_ACCESS_KEY_ID": "AKIAVIRIDIANTESTS", "AWS_SECRET_ACCESS_KEY": "not-so-secret-but-long"}
BUCKET = "models"


@dataclass
class Gateway(Proxy):
    """The Versity S3 gateway, which is a real server."""

    def put(self, key: str, content: bytes) -> str | None:
        """Upload an object; return its version."""
        store = S3Store(
            BUCKET,
            endpoint=f"http://127.0.0.1:{self.behind}",
            access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            client_options={"allow_http": True},
        )
        return store.put(key, content)["version"]


@functools.cache
def _versitygw() -> Path:
    """The gateway's program; it is built now if it is missing."""
    subprocess.run([REPOSITORY / "dev" / "toolchain" / "build-go.sh", "versitygw"], check=True)
    return Path(output_of(". dev/settings.sh && echo $CACHE")) / "bin" / "versitygw"


def _ask_signed(port: int, method: str, path: str, body: str = "") -> None:
    """What the client that is tested cannot ask for: it only reads and writes objects."""
    keys = ":".join(KEYS.values())
    command = ["curl", "--fail-with-body", "--silent", "--noproxy", "*", "--aws-sigv4", "aws:amz:us-east-1:s3"]
    hashed = f"x-amz-content-sha256: {hashlib.sha256(body.encode()).hexdigest()}"
    address = f"http://127.0.0.1:{port}{path}"
    subprocess.run(
        [*command, "--user", keys, "--header", hashed, "--request", method, "--data", body, address], check=True
    )


@contextmanager
def s3(directory: Path, tls: Path | None = None) -> Iterator[Gateway]:
    """Run a gateway with one bucket, whose objects have versions."""
    for folder in ("data", "versions"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    gateway = Gateway(behind=free_port())
    command = [
        *(str(_versitygw()), "--port", f"127.0.0.1:{gateway.behind}", "--health", "/health", "--quiet"),
        *("--access", KEYS["AWS_ACCESS_KEY_ID"], "--secret", KEYS["AWS_SECRET_ACCESS_KEY"]),
        *("posix", "--versioning-dir", str(directory / "versions"), str(directory / "data")),
    ]
    server = start("versitygw", command, directory / "versitygw.log")
    try:
        server.wait_until(functools.partial(is_answering, gateway.behind, "/health"))
        _ask_signed(gateway.behind, "PUT", f"/{BUCKET}")
        _ask_signed(
            gateway.behind,
            "PUT",
            f"/{BUCKET}?versioning=",
            "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        )
        with serving(gateway, tls):
            yield gateway
    finally:
        server.stop()
