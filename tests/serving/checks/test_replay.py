"""Logged requests, asked again: which records are read, and what is said of the answers."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.serving.checks.targets import Version, refusing

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.stores.folder import Folder
from viridian_serving.checks.logged import Log, Record, Wanted, read_log
from viridian_serving.checks.replay import agreement_with_log, replay

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def record(x: object, hours: float = 1.0, **changes: Any) -> dict[str, Any]:
    """A record as pods write it."""
    return {
        "time": (NOW - timedelta(hours=hours)).isoformat(timespec="microseconds"),
        "request_id": f"r-{x}",
        "trace_id": None,
        "namespace": "ml",
        "model": "iris",
        "version": "v1.0.0",
        "via": "split",
        "outcome": "ok",
        "answered_by": "model",
        "seconds": 0.01,
        "instance": 0,
        "inputs": {"x": x},
        "outputs": {"prediction": 1},
        "confidence": None,
        **changes,
    }


def lines(*records: object) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in records)


def wanted(most: int = 100, dropped: tuple[str, ...] = ()) -> Wanted:
    return Wanted("ml", "iris", NOW - timedelta(hours=24), most, dropped)


async def found(folder: Path, want: Wanted | None = None) -> Log:
    return await read_log(Folder(folder, "pvc://logs/iris"), want or wanted())


def asked(log: Log) -> list[object]:
    return sorted(each.inputs["x"] for each in log.records)


@pytest.mark.parametrize(
    ("changes", "read", "hidden"),
    [
        ({}, True, 0),
        ({"via": "direct"}, True, 0),
        ({"via": "check"}, False, 0),
        ({"via": "mirror"}, False, 0),
        ({"outcome": "error", "outputs": None}, False, 0),
        ({"outcome": "rejected", "inputs": None, "outputs": None}, False, 0),
        ({"answered_by": "stable"}, False, 0),
        ({"model": "churn"}, False, 0),
        ({"namespace": "other"}, False, 0),
        ({"hours": 25.0}, False, 0),
        ({"shadow": {"candidate": "iris-2", "outputs": None}}, False, 0),
        ({"instance": None}, False, 0),  # by the inference protocol
        ({"inputs": {"x": "***"}}, False, 1),
        ({"inputs": {"x": "hmac-sha256:00ff"}}, False, 1),
        ({"inputs": "***"}, False, 1),
    ],
)
async def test_what_users_asked_and_the_model_answered_is_read(
    tmp_path: Path, changes: dict[str, Any], read: bool, hidden: int
) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(record(7, **changes)))
    log = await found(tmp_path)
    assert (asked(log), log.hidden) == ([7] if read else [], hidden)


async def test_a_record_without_a_feature_that_was_dropped_is_not_asked_again(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(record(1), record(2, inputs={"x": 2, "email": "a@b.example"})))
    log = await found(tmp_path, wanted(dropped=("email",)))
    assert (asked(log), log.hidden) == ([2], 1)


async def test_a_record_that_arrived_twice_is_asked_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(record(1), record(1), record(1, instance=1)))
    assert asked(await found(tmp_path)) == [1, 1]


async def test_the_newest_are_taken_first(tmp_path: Path) -> None:
    # given files by day, the later ones newer, each with its newest record last
    for day, first in ((1, 10), (2, 20), (3, 30)):
        folder = tmp_path / f"2026-11-{day:02}"
        folder.mkdir()
        (folder / "part-0.jsonl").write_bytes(lines(*(record(first + n) for n in range(3))))
    # when as many are wanted as one and a half of them have
    log = await found(tmp_path, wanted(most=4))
    # then the last file is taken whole, and of the one before the last record
    assert asked(log) == [22, 30, 31, 32]


async def test_nothing_is_read_before_what_is_too_old(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_bytes(b"no record at all\n")
    (tmp_path / "2.jsonl").write_bytes(lines(record(2, hours=30)))
    (tmp_path / "3.jsonl").write_bytes(lines(record(3)))
    log = await found(tmp_path)
    assert (asked(log), log.unreadable) == ([3], 0)


@pytest.mark.parametrize("member", ["message", "log", "body"])
async def test_what_collectors_wrap_and_pack_is_read(tmp_path: Path, member: str) -> None:
    wrapped = [{"kubernetes": {"pod": "iris-blue-0"}, member: json.dumps(record(n))} for n in (1, 2)]
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(lines(wrapped[0])) + gzip.compress(lines(wrapped[1])))
    assert asked(await found(tmp_path)) == [1, 2]


async def test_what_is_no_record_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"started\n\n" + lines({"message": "hello"}, [1], record(1)))
    log = await found(tmp_path)
    assert (asked(log), log.unreadable) == ([1], 3)


async def test_a_log_may_be_one_file_and_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(record(1)).removesuffix(b"\n"))
    assert asked(await found(tmp_path / "a.jsonl")) == [1]
    with pytest.raises(ModelError, match=r"there is no pvc://logs/iris; correct the address"):
        await found(tmp_path / "b")


async def test_a_file_that_cannot_be_unpacked_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"no gzip")
    with pytest.raises(ValueError, match=r"a\.gz cannot be unpacked"):
        await found(tmp_path)


def log_of(*xs: object) -> Log:
    records = [Record(NOW, f"r-{x}", "ml", "iris", "split", "ok", "model", 0, {"x": x}, {"prediction": 1}) for x in xs]
    return Log(records)


async def test_answers_are_compared_with_those_that_were_logged() -> None:
    # given a candidate that refuses one request and answers another otherwise
    def answer(request: Any) -> tuple[int, Any]:
        return (200, {"prediction": 7}) if request["x"] == 4 else refusing(3)(request)

    log, candidate = log_of(1, 2, 3, 4), Version(answer)
    # when
    different = await replay(candidate.predict, log)
    # then
    assert candidate.asked == [{"x": x} for x in (1, 2, 3, 4)]
    told = "r-3: status 400: /x: is not one of 0, 1; r-4: prediction is 7 and not 1"
    report = agreement_with_log(different, log, "24h", None)
    assert report.passed
    assert report.sentence == f"agreed on 50.0% of 4 logged requests of the last 24h: {told}"
    judged = agreement_with_log(different, log, "24h", 0.98)
    assert not judged.passed
    assert judged.sentence == f"agreed on 50.0% of 4 logged requests of the last 24h, and must on 98%: {told}"
    assert agreement_with_log(different, log, "24h", 0.5).passed


async def test_what_could_not_be_asked_is_said() -> None:
    log = log_of(1)
    log.hidden, log.unreadable = 1200, 3
    report = agreement_with_log(await replay(Version(refusing()).predict, log), log, "24h", 0.99)
    assert report.passed
    assert report.sentence == (
        "agreed on 100% of 1 logged requests of the last 24h; 1,200 more are redacted and cannot be asked again;"
        " 3 lines are no records of predictions"
    )
