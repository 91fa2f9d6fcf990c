"""The load sends on time whatever the server does, and books every request."""

import asyncio
import io
import json
import shlex
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from examples.demo.load import Load, Plan, Sample, predicted_digit, read_samples, reason, summary
from examples.demo.records import Answer, AnswerReader, Totals, write_answer
from tests.waiting import DEADLINE

REPOSITORY = Path(__file__).parents[2]
SAMPLES = [Sample(json.dumps({"X": [float(digit)] * 64}).encode(), digit) for digit in range(10)]


class Model:
    """A server that plays the model; the first pixel of an image says how to answer it."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.connections: set[object] = set()
        self.hosts: set[str] = set()
        self.arrived = asyncio.Semaphore(0)
        self.release = asyncio.Event()

    async def predict(self, request: web.Request) -> web.StreamResponse:
        self.arrivals.append(time.monotonic())
        self.arrived.release()
        self.connections.add(request.transport)
        self.hosts.add(request.host)
        digit = int((await request.json())["X"][0])
        headers = {"Viridian-Revision": "digits-2", "Viridian-Version": "v2"}
        if digit == 7:
            problem = {"type": "urn:viridian:problem:model-failed", "title": "The model failed"}
            return web.json_response(problem, status=500, headers=headers)
        if digit == 6:
            headers["Viridian-Fallback"] = "stable"
        if digit == 8:
            assert request.transport is not None
            request.transport.abort()
        if digit == 9:
            await self.release.wait()
        wrong = 1 if digit == 3 else 0
        return web.json_response({"prediction": digit + wrong}, headers=headers)


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    return Model()


@pytest.fixture
async def url(model: Model) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/digits/predict", model.predict)
    async with TestServer(application) as server:
        yield str(server.make_url("/digits/predict"))
        model.release.set()


async def play(
    url: str, samples: list[Sample], count: int, rate: float = 100, host: str = "", patience: float = 60
) -> list[Answer]:
    records = io.StringIO()
    await Load(Plan(url, samples, rate, count / rate, timeout=patience, host=host), records).run()
    answers = [Answer(**json.loads(line)) for line in records.getvalue().splitlines()]
    return sorted(answers, key=lambda answer: answer.sent_at)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"type": "urn:viridian:problem:busy", "title": "Busy"}', "busy"),
        (b'{"type": "about:blank"}', "about:blank"),
        (b'{"title": "Busy"}', ""),
        (b'{"type": 7}', ""),
        (b"[1]", ""),
        (b"no healthy upstream", "no healthy upstream"),
        (b"<html>\r\n<body>", "<html>"),
        (b"a" * 1000, "a" * 100),
        (b"\xff", "\ufffd"),
        (b"", ""),
    ],
)
def test_an_answer_says_why_it_is_none(body: bytes, expected: str) -> None:
    assert reason(body) == expected


async def test_every_request_is_booked_with_what_came_of_it(url: str) -> None:
    answers = await play(url, SAMPLES, 20, patience=4)
    assert [answer.failure for answer in answers] == [
        *[""] * 7,
        "HTTP 500 model-failed",
        "connection lost",
        "timeout",
    ] * 2
    assert [answer.status for answer in answers[:10]] == [*[200] * 7, 500, None, None]
    assert {answer.version for answer in answers if answer.status} == {"v2"}
    assert {answer.revision for answer in answers if answer.status} == {"digits-2"}
    assert [answer.right for answer in answers[:5]] == [True, True, True, False, True]
    assert [answer.rescued for answer in answers] == [*[False] * 6, True, *[False] * 3] * 2
    assert 4 <= answers[9].latency < 60


async def test_requests_leave_at_their_rate_even_when_none_is_answered(model: Model, url: str) -> None:
    hanging = [SAMPLES[9]]
    answers = await play(url, hanging, 100, rate=200, patience=0.5)
    assert len(answers) == 100
    assert answers[-1].sent_at - answers[0].sent_at == pytest.approx(99 / 200)
    # One after the other they would take as many timeouts.
    assert model.arrivals[-1] - model.arrivals[0] < 25
    assert {answer.failure for answer in answers} == {"timeout"}


async def test_connections_are_kept(model: Model, url: str) -> None:
    answers = await play(url, SAMPLES[:3], 60, rate=60)
    # One would do on an idle machine; a busy one needs as many as there were requests without an answer at a time.
    at_once = max(
        sum(other.sent_at <= one.sent_at <= other.sent_at + other.latency for other in answers) for one in answers
    )
    assert len(model.connections) <= at_once


async def test_the_host_header_is_the_routes(model: Model, url: str) -> None:
    await play(url, SAMPLES[:1], 1, host="models.example.com")
    assert model.hosts == {"models.example.com"}


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        answers = await play(f"http://127.0.0.1:{taken.getsockname()[1]}/", SAMPLES, 3)
    assert [answer.failure for answer in answers] == ["connect error"] * 3


async def test_stop_awaits_the_answers_and_sends_nothing_more(model: Model, url: str) -> None:
    records = io.StringIO()
    load = Load(Plan(url, SAMPLES[:1], rate=50, seconds=600, timeout=5), records)
    running = asyncio.create_task(load.run())
    async with asyncio.timeout(DEADLINE):
        for _ in range(5):
            await model.arrived.acquire()
        load.stop()
        await running
    assert len(records.getvalue().splitlines()) == len(model.arrivals) < 10_000


async def test_the_process_ends_when_its_parent_closes_the_pipe(url: str, tmp_path: Path) -> None:
    samples, records = tmp_path / "samples.json", tmp_path / "records.jsonl"
    samples.write_text(json.dumps({"instances": [[1.0] * 64], "labels": [1]}))
    assert read_samples(samples) == [SAMPLES[1]]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.demo.load", "--url", url, "--samples", samples, "--records", records),
        *("--rate", "50", "--seconds", "600", "--until-stdin-closes"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    reader, answers = AnswerReader(records), []
    async with asyncio.timeout(DEADLINE):
        while len(answers) < 10:
            answers += reader.read_new()
            await asyncio.sleep(0.02)
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0
    answers += reader.read_new()
    assert len(answers) == len(records.read_text().splitlines())
    assert all(answer.right for answer in answers)
    assert process.stdout is not None
    first, last = (await process.stdout.read()).decode().splitlines()
    assert first.startswith(f"Sending 50 requests a second to {url} for 600 s; Ctrl-C ends it earlier.")
    assert last == f"{len(answers):,} requests, 0 failed; v2 answered {len(answers):,}, 100.0% of them right."


async def test_a_shell_that_allows_few_open_files_makes_no_request_fail(model: Model, url: str, tmp_path: Path) -> None:
    # given a load that is started where 64 open files are allowed, and a server that answers nothing for now
    samples, records = tmp_path / "samples.json", tmp_path / "records.jsonl"
    samples.write_text(json.dumps({"instances": [[9.0] * 64], "labels": [9]}))
    options = ("--url", url, "--samples", str(samples), "--records", str(records))
    pace = ("--rate", "200", "--seconds", "1", "--timeout", "60")
    load = shlex.join([sys.executable, "-m", "examples.demo.load", *options, *pace])
    process = await asyncio.create_subprocess_exec("sh", "-c", f"ulimit -S -n 64; exec {load}", cwd=REPOSITORY)

    # when more requests than that are in flight before the server answers
    async with asyncio.timeout(DEADLINE):
        for _ in range(200):
            await model.arrived.acquire()
        model.release.set()
        assert await process.wait() == 0

    # then all of them are answered
    assert [answer.failure for answer in AnswerReader(records).read_new()] == [""] * 200


def test_a_reader_takes_whole_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    reader = AnswerReader(path)
    assert reader.read_new() == []
    answer = Answer(1.5, 0.25, 200, "digits-1", "v1", "", right=True)
    with path.open("w") as file:
        write_answer(file, answer)
        file.write('{"sent_at": 2')
        file.flush()
        assert reader.read_new() == [answer]
        assert reader.read_new() == []


def test_totals() -> None:
    totals = Totals()
    totals.add([Answer(0, 0.1, 200, "r", "v1", "", right) for right in (True, True, True, False)])
    totals.add([Answer(0, 0.1, None, "", "", "timeout", None)])
    assert (totals.requests, totals.failed) == (5, 1)
    assert totals.accuracy("v1") == 0.75
    assert totals.accuracy("v2") is None
    assert summary(totals) == "5 requests, 1 failed (1 timeout); v1 answered 4, 75.0% of them right."


def test_an_answer_without_a_prediction() -> None:
    assert predicted_digit(b'{"prediction": 4, "confidence": 0.9}') == 4
    assert predicted_digit(b"[]") is None
