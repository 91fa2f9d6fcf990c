"""The whole story against stand-ins: what is done in which order, what is measured, what is said when it goes wrong."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from examples.demo import __main__ as program
from examples.demo import client, story
from examples.demo.errors import DemoError
from examples.demo.report import build_report, problems
from examples.demo.settings import Settings, read_settings
from examples.demo.view import Picture, PlainScreen, draw, make_screen
from examples.digits import train
from rich.console import Console

from .fakes import NAMESPACES, FakeApi, FakeGateway, FakeOperator, FakePrometheus, write_kubeconfig


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same story with fewer requests in less time."""
    monkeypatch.setattr(story, "ANSWERS_BEFORE", 30)
    monkeypatch.setattr(story, "ANSWERS_AFTER", 60)
    monkeypatch.setattr(client, "REQUESTS_PER_SECOND", 300)


@pytest.fixture(scope="module")
def samples() -> dict[str, list[object]]:
    return train.samples(train.load_data())


@pytest.fixture
def gateway(samples: dict[str, list[object]]) -> FakeGateway:
    bodies = (json.dumps({"X": instance}) for instance in samples["instances"])
    return FakeGateway(dict(zip(bodies, samples["labels"], strict=True)))


@pytest.fixture
async def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def settings(
    api: FakeApi, gateway: FakeGateway, samples: dict[str, list[object]], tmp_path: Path
) -> AsyncIterator[Settings]:
    (tmp_path / "samples.json").write_text(json.dumps(samples))
    async with (
        TestServer(api.application()) as cluster,
        TestServer(gateway.application()) as front,
        TestServer(FakePrometheus(gateway).application()) as prometheus,
    ):
        yield Settings(
            kubeconfig=write_kubeconfig(tmp_path / "kubeconfig", cluster),
            image="dev/digits:abc",
            gateway=str(front.make_url("")).rstrip("/"),
            prometheus=str(prometheus.make_url("")).rstrip("/"),
            samples=tmp_path / "samples.json",
            build=tmp_path,
        )


@asynccontextmanager
async def running(operator: FakeOperator) -> AsyncIterator[None]:
    task = asyncio.create_task(operator.run())
    yield
    assert not task.done() or task.result() is None
    task.cancel()


def plain() -> tuple[PlainScreen, io.StringIO]:
    output = io.StringIO()
    return PlainScreen(Console(file=output, soft_wrap=True)), output


async def test_v2_is_promoted_v3_rolled_back_and_v7_gets_no_request(
    settings: Settings, api: FakeApi, gateway: FakeGateway
) -> None:
    await api.put(f"{NAMESPACES}/viridian-demo", {"metadata": {"name": "viridian-demo"}})
    await api.put(f"{NAMESPACES}/viridian-demo/leftover/x", {"metadata": {"name": "x"}})
    screen, output = plain()
    async with running(FakeOperator(api, gateway)), asyncio.timeout(300):
        seen = await story.play(settings, screen)

    report = build_report(seen.answers, seen.timeline, seen.good, seen.bad, seen.wrong, seen.errors)
    assert problems(report, seen.good, seen.bad, seen.wrong) == []
    assert report.weights_seen == [10, 50, 95, 100, 10, 0]
    assert report.requests_total > story.ANSWERS_BEFORE + story.ANSWERS_AFTER
    assert (report.requests_failed_client, report.failures) == (0, [])
    assert report.requests_rescued == gateway.errors["v3"] > 0
    assert (report.seconds_first_bad_response_to_100_stable or 0) > 0
    assert report.reaction_seconds is not None
    assert (report.stopped_version, gateway.answered["v7"]) == ("v7", 0)
    assert f"{NAMESPACES}/viridian-demo/leftover/x" not in api.objects

    lines = output.getvalue().splitlines()
    assert lines[0] == "Removing the namespace viridian-demo of an earlier run"
    assert any(re.search(r"Progressing, step 1 of 2 \| blue v1 \(stable\) 90 % \| green v2", line) for line in lines)
    assert any("RolledBack" in line for line in lines)


async def test_the_report_is_written_and_the_exit_status_is_zero(
    settings: Settings, api: FakeApi, gateway: FakeGateway
) -> None:
    screen, output = plain()
    async with running(FakeOperator(api, gateway)), asyncio.timeout(300):
        seen = await story.play(settings, screen)
    assert program.conclude(Console(file=output, width=100), settings, seen) == 0
    written = json.loads((settings.build / "demo-report.json").read_text())
    assert (written["promoted_version"], written["rolled_back_version"], written["stopped_version"]) == (
        "v2",
        "v3",
        "v7",
    )
    assert "To remove it: kubectl delete namespace viridian-demo" in output.getvalue()
    assert json.loads((settings.build / "demo-timeline.json").read_text())["routes"]
    # The same end in colors.
    picture = Picture(seen.timeline, 0.0)
    picture.totals.add(seen.answers)
    colored = Console(file=io.StringIO(), force_terminal=True, width=120)
    with make_screen(colored) as live:
        live.show(picture)
    colored.print(draw(picture))
    assert "Clients:" in colored.file.getvalue()  # type: ignore[attr-defined]


async def test_a_good_version_that_is_turned_away_ends_with_status_one(
    settings: Settings, api: FakeApi, gateway: FakeGateway
) -> None:
    screen, output = plain()
    async with running(FakeOperator(api, gateway, promotes=False)), asyncio.timeout(300):
        seen = await story.play(settings, screen)
    assert program.conclude(Console(file=output, width=200), settings, seen) == 1
    assert "v2 was not promoted" in output.getvalue()


async def test_an_operator_that_does_nothing_is_named(
    settings: Settings, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(story.DEADLINES, "v1", 0.5)
    event = {
        "metadata": {"name": "e", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "involvedObject": {"kind": "Pod", "name": "digits-blue-0"},
        "reason": "Failed",
        "message": "No such image.",
    }
    await api.put("/api/v1/namespaces/viridian-demo/events/e", event)
    with pytest.raises(DemoError, match=r"(?s)noticing v1 has not happened within.*no status yet.*No such image"):
        await story.play(settings, plain()[0])


async def test_a_cluster_without_viridian_is_named(settings: Settings, api: FakeApi) -> None:
    api.knows_models = False
    with pytest.raises(DemoError, match="does not know ModelDeployments"):
        await story.play(settings, plain()[0])


async def test_a_cluster_that_is_not_there_is_named(settings: Settings) -> None:
    text = settings.kubeconfig.read_text()
    settings.kubeconfig.write_text(re.sub(r"server: .*", "server: http://127.0.0.1:1", text))
    with pytest.raises(DemoError, match=r"does not answer at http://127\.0\.0\.1:1 .*make cluster"):
        await story.play(settings, plain()[0])


@pytest.mark.parametrize("missing", ["KUBECONFIG", "VIRIDIAN_DEMO_IMAGE"])
def test_a_missing_variable_is_named(missing: str, tmp_path: Path) -> None:
    environment = {"KUBECONFIG": str(tmp_path), "VIRIDIAN_DEMO_IMAGE": "dev/digits:abc"}
    del environment[missing]
    with pytest.raises(DemoError, match=f"^{missing} is not set; .*make demo"):
        read_settings(environment)


@pytest.mark.parametrize(
    ("cache", "selects", "removes"),
    [
        ("{tmp_path}", True, "To remove the cluster: make clean"),
        ("/elsewhere", False, "To remove it: kubectl delete namespace viridian-demo"),
    ],
)
def test_the_end_says_how_to_reach_the_cluster_and_how_to_remove_what_was_made(
    tmp_path: Path, cache: str, selects: bool, removes: str
) -> None:
    # given the local cluster, or one of one's own
    (tmp_path / "kubeconfig").touch()
    (tmp_path / "samples.json").touch()
    environment = {
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "CACHE": cache.format(tmp_path=tmp_path),
        "VIRIDIAN_DEMO_IMAGE": "a:b",
        "VIRIDIAN_DEMO_SAMPLES": str(tmp_path / "samples.json"),
    }
    # when
    said = program.look_around(read_settings(environment))
    # then
    assert ("  . dev/env.sh" in said) is selects
    assert removes in said
    assert "export KUBECONFIG" not in said


def test_a_port_that_is_none_is_named(tmp_path: Path) -> None:
    environment = {"KUBECONFIG": str(tmp_path), "VIRIDIAN_DEMO_IMAGE": "a:b", "VIRIDIAN_GATEWAY_PORT": "http"}
    with pytest.raises(DemoError, match="VIRIDIAN_GATEWAY_PORT is 'http', which is not a port"):
        read_settings(environment)
