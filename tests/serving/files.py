"""Files that a pod reads: a server of them by https with a certificate authority of its own, and its live settings."""

import hashlib
import json
import re
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_RANGE = re.compile(r"bytes=(\d+)-")


@dataclass
class SeenRequest:
    """One request as the server saw it."""

    path: str
    headers: dict[str, str]
    sent: int = 0


Behaviour = Callable[["Handler", bytes], None]


@dataclass
class FileServer:
    """What is served, and how; `behaviours` are used up one by one, and then everything goes well."""

    ca: Path
    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    behaviours: list[Behaviour] = field(default_factory=list)
    always: Behaviour | None = None
    seen: list[SeenRequest] = field(default_factory=list)
    tag: str = '"1"'
    ending: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: FileServer

    def do_GET(self) -> None:
        self.files.seen.append(SeenRequest(self.path, {name.lower(): value for name, value in self.headers.items()}))
        body = self.files.files.get(self.path.partition("?")[0])
        if body is None and self.files.always is None:
            self.answer(404, b"")
            return
        behaviour = self.files.behaviours.pop(0) if self.files.behaviours else self.files.always or well
        behaviour(self, body or b"")

    def answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.send(body)

    def send(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()
        self.files.seen[-1].sent += len(data)

    def cut(self) -> None:
        """End the connection in the middle."""
        self.close_connection = True

    @property
    def offset(self) -> int:
        """Where the client wants to go on, if that is still the same file."""
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        same = self.headers.get("If-Range", self.files.tag) == self.files.tag
        return int(asked[1]) if asked and same else 0

    def log_message(self, *_: Any) -> None:
        pass


def well(handler: Handler, body: bytes) -> None:
    """As it should be, with parts and a tag."""
    serve(handler, body, len(body))


def serve(handler: Handler, body: bytes, until: int, length: int | None = None) -> None:
    offset = handler.offset
    if offset >= len(body) and offset:
        handler.answer(416, b"")
        return
    part = {"Content_Range": f"bytes {offset}-{len(body) - 1}/{len(body)}"} if offset else {}
    announced = len(body) - offset if length is None else length
    handler.answer(206 if offset else 200, body[offset:until], announced, ETag=handler.files.tag, **part)


def cut_after(count: int) -> Behaviour:
    """Ends the connection when so many bytes of the file were sent."""

    def behave(handler: Handler, body: bytes) -> None:
        serve(handler, body, count)
        handler.cut()

    return behave


def status(code: int, **headers: str) -> Behaviour:
    return lambda handler, _: handler.answer(code, b"x" * 10, **headers)


def silent(handler: Handler, _: bytes) -> None:
    """Takes the request and says nothing, until the test ends."""
    handler.files.ending.wait(60)
    handler.cut()


def dripping(handler: Handler, body: bytes) -> None:
    """Sends a byte now and then: never silent, never done."""
    handler.answer(200, b"", len(body))
    for number in range(len(body)):
        if handler.files.ending.wait(0.05):
            break
        try:
            handler.send(body[number : number + 1])
        except OSError:
            break
    handler.cut()


@contextmanager
def file_server(directory: Path) -> Iterator[FileServer]:
    """Serve until the end of the block."""
    certificate, key = make_certificate(directory)
    files = FileServer(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"files": files}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    # The handshake is made by the request's own thread, when it first reads.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    files.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield files
    finally:
        files.ending.set()
        server.shutdown()
        server.server_close()


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, so that it is its own authority."""
    certificate, key = directory / "ca.pem", directory / "key.pem"
    if certificate.exists():
        return certificate, key
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def make_signed_certificate(directory: Path) -> tuple[Path, Path, Path]:
    """An authority, and a certificate for localhost that it signs, with its key: some clients insist on two."""
    ca, certificate, key = (directory / f"{name}.pem" for name in ("authority", "localhost", "localhost-key"))
    if certificate.exists():
        return ca, certificate, key
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    authority = ("-subj", "/CN=tests", "-keyout", str(directory / "authority-key.pem"), "-out", str(ca))
    signed = ("-CA", str(ca), "-CAkey", str(directory / "authority-key.pem"), "-subj", "/CN=localhost")
    named = ("-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost")
    for command in (
        (*made, *authority, "-days", "2"),
        (*made, *signed, *named, "-days", "2", "-keyout", str(key), "-out", str(certificate)),
    ):
        subprocess.run(command, check=True, capture_output=True)
    return ca, certificate, key


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def settings_file(directory: Path, **settings: Any) -> dict[str, str]:
    """The variable that names a file with these live settings, written as the kubelet does: at once."""
    directory.mkdir(parents=True, exist_ok=True)
    file, new = directory / "serving.json", directory / "new"
    new.write_text(json.dumps(settings))
    new.replace(file)
    return {"LIVE_SETTINGS": str(file)}


def log_secret(directory: Path, **files: str) -> dict[str, str]:
    """The variable that names a folder with the prediction log's Secret: `hash_key`, `headers` and `ca`."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, key in (("hash_key", "hash-key"), ("headers", "headers"), ("ca", "ca.crt")):
        if name in files:
            (directory / "new").write_text(files[name])
            (directory / "new").replace(directory / key)
        else:
            (directory / key).unlink(missing_ok=True)
    return {"LOG_SECRET_DIR": str(directory)}
