"""The processes that run preprocess.py, in the container of Triton: how they begin, and how each of them ends."""

import asyncio
import os
import signal
import socket
import stat
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.serving.hosting import Host, children_of, is_alive, start_host, worker_host
from tests.waiting import DEADLINE, eventually

from viridian_serving.codec.frames import LENGTH, framed, last_frame
from viridian_serving.codec.tensors import DataType, ModelSchema, SchemaError, Tensor
from viridian_serving.inference import preprocessing
from viridian_serving.inference.model import UnreachableError
from viridian_serving.inference.preprocess_worker import Loaded, Setup
from viridian_serving.inference.preprocessing import PreprocessFailedError, Preprocessor
from viridian_serving.triton.worker_host import WorkerHost

MODEL = ModelSchema((Tensor("n", DataType.INT64, (1,)),), (Tensor("y", DataType.FP32, (1,)),), 8)
SOURCE = """
import os, subprocess, time
from pathlib import Path


def preprocess(instance):
    if "write" in instance:
        helper = subprocess.Popen(["/bin/sleep", "600"])
        Path(instance["write"]).write_text(f"{os.getpid()} {helper.pid}")
        time.sleep(600)
    return {"n": os.getpid()}
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with worker_host(tmp_path_factory.mktemp("host")) as running:
        yield running


@asynccontextmanager
async def preprocessor(path: Path, directory: Path, seconds: float = 60) -> AsyncIterator[Preprocessor]:
    file = directory / "preprocess.py"
    file.write_text(SOURCE)
    made = Preprocessor(file, MODEL, seconds, 100, path)
    try:
        await made.start()
        yield made
    finally:
        made.close()


async def ask(made: Preprocessor, **instance: object) -> int:
    """Give the number of the process that answers."""
    (encoded,) = await made.encode([instance], asyncio.get_running_loop().time() + 120, many=False)
    (number,) = struct.unpack("<q", encoded.tensors[0])
    return int(number)


async def happens(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(eventually, condition)


async def hanging(made: Preprocessor, notes: Path) -> tuple["asyncio.Future[int]", list[int]]:
    """Ask what never comes back; gives the process that works on it, and the one that this has started."""
    asked = asyncio.ensure_future(ask(made, write=str(notes)))
    started: list[int] = []

    def noted() -> bool:
        started[:] = map(int, notes.read_text().split()) if notes.exists() else ()
        return len(started) == 2

    await happens(noted)
    return asked, started


def test_only_the_pod_s_own_user_may_connect(host: Host) -> None:
    assert stat.S_IMODE(host.socket.stat().st_mode) == 0o600


async def test_one_that_is_killed_between_calls_is_told_with_its_code_and_made_anew(host: Host, tmp_path: Path) -> None:
    async with preprocessor(host.socket, tmp_path) as made:
        first = await ask(made)
        os.kill(first, signal.SIGKILL)
        await happens(lambda: f"process {first}, which ran preprocess.py, ended with code -9" in host.log)
        with pytest.raises(PreprocessFailedError, match="its process ended with code -9"):
            await ask(made)
        assert await ask(made) != first


async def test_one_that_is_killed_during_a_call_is_told_with_its_code(host: Host, tmp_path: Path) -> None:
    async with preprocessor(host.socket, tmp_path) as made:
        asked, (working, _) = await hanging(made, tmp_path / "notes")
        os.kill(working, signal.SIGKILL)
        with pytest.raises(PreprocessFailedError, match="its process ended with code -9"):
            await asked


async def test_one_that_hangs_is_ended_at_the_limit_with_what_it_has_started(host: Host, tmp_path: Path) -> None:
    async with preprocessor(host.socket, tmp_path, seconds=15) as made:
        asked, started = await hanging(made, tmp_path / "notes")
        with pytest.raises(PreprocessFailedError, match="no answer within 15 s"):
            await asked
        await happens(lambda: not any(map(is_alive, started)))
        assert await ask(made) not in started


async def test_it_ends_with_its_connection_whatever_it_does(host: Host, tmp_path: Path) -> None:
    async with preprocessor(host.socket, tmp_path) as made:
        asked, started = await hanging(made, tmp_path / "notes")
        made.close()
        with pytest.raises(UnreachableError):
            await asked
        await happens(lambda: not any(map(is_alive, started)))


async def test_the_api_connects_anew_when_the_container_has_been_started_again(tmp_path: Path) -> None:
    # given
    first = start_host(tmp_path)
    async with preprocessor(first.socket, tmp_path) as made:
        asked, started = await hanging(made, tmp_path / "notes")
        (triton,) = set(children_of(first.process.pid)) - set(first.workers)
        # when the container is killed
        first.process.kill()
        first.process.wait()
        # then the call that runs and the next ones are told so, and its processes end
        with pytest.raises(UnreachableError, match="the triton container"):
            await asked
        with pytest.raises(UnreachableError, match="the triton container does not listen on"):
            await ask(made)
        await happens(lambda: not is_alive(started[0]))
        for each in (started[1], triton):
            os.kill(each, signal.SIGKILL)  # in a container they would have ended with the first process
        # and when it is there again, all is well
        with worker_host(tmp_path) as second:
            answering = await ask(made)
            assert second.workers == [answering]
            # and no call is lost to an end between calls
            second.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(second.process.wait, 30)
            await happens(lambda: not is_alive(answering))
            third = await asyncio.to_thread(start_host, tmp_path)
            assert await ask(made) in third.workers
            third.process.send_signal(signal.SIGTERM)
            third.process.wait(DEADLINE)


async def test_a_container_that_never_listens_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocessing, "_COMING", 0.3)
    wanted = r"cannot be loaded for 0\.3 s: the triton container does not listen on .*gone\.sock"
    with pytest.raises(SchemaError, match=wanted):
        async with preprocessor(tmp_path / "gone.sock", tmp_path):
            pass


async def test_one_that_listens_late_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "preprocess.py"
    file.write_text(SOURCE)
    made = Preprocessor(file, MODEL, 60, 100, tmp_path / "run" / "preprocess.sock")
    starting = asyncio.ensure_future(made.start())
    with worker_host(tmp_path) as host:
        await starting
        assert await ask(made) in host.workers
        made.close()


def test_there_are_only_so_many_and_the_next_waits_for_one_to_end(tmp_path: Path) -> None:
    # given
    def connected() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(host.socket))
        connection.sendall(framed(Setup(str(tmp_path / "preprocess.py"), [("n", "INT64", (1,))])))
        return connection

    with worker_host(tmp_path) as host:
        (tmp_path / "preprocess.py").write_text(SOURCE)
        connections = [connected() for _ in range(5)]
        loaded = framed(Loaded())
        assert [connection.recv(100) for connection in connections[:4]] == [loaded] * 4
        assert len(host.workers) == 4
        # when
        connections[0].close()
        # then
        assert connections[4].recv(100) == loaded
        assert len(host.workers) == 4
        for connection in connections[1:]:
            connection.close()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (LENGTH.pack(3) + b"\xc1\xc1\xc1", "answered something that cannot be used"),
        (framed([]), "answered something that cannot be used"),
        (framed({"a": 1}), "answered something that cannot be used"),
        (last_frame(7), "ended with code 7"),
        (framed([{"type": "Refused", "feature": None, "reason": "x"}])[:9] + last_frame(7), "closed the connection"),
    ],
    ids=["no MessagePack", "too few", "something else", "its end", "its end within an answer"],
)
async def test_an_answer_that_cannot_be_used_is_a_failure_of_its_own(tmp_path: Path, reply: bytes, reason: str) -> None:
    # given author's code that answers in the place of ours
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (framed(Loaded()), reply):
            (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
            await reader.readexactly(length)
            # in two parts, of which the first may be less than a length
            for part in (answer[:3], answer[3:]):
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "fake.sock")
    async with server, preprocessor(tmp_path / "fake.sock", tmp_path) as made:
        with pytest.raises((PreprocessFailedError, UnreachableError), match=reason):
            await ask(made)


def test_a_process_that_cannot_be_started_closes_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def spawn(*_: Any, **__: Any) -> int:
        raise BlockingIOError(11, "no more processes")

    monkeypatch.setattr(os, "posix_spawn", spawn)
    workers = WorkerHost(tmp_path / "x.sock", {})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(tmp_path / "x.sock"))
        workers.serve()
        assert connection.recv(1) == b""
    workers.close()
    assert "no process could be started that runs preprocess.py: [Errno 11] no more processes" in caplog.text
