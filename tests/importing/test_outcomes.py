"""``viridian outcomes``: labels that came late, joined with the prediction log."""

import gzip
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from viridian_import.commands.main import main
from viridian_serving.feedback.accuracy import Feedback
from viridian_serving.feedback.counts import FeedbackCounts
from viridian_serving.feedback.token import TokenReader, TokenWriter
from viridian_serving.http1.problems import Problem
from viridian_shared.counts.via import Via

pytestmark = pytest.mark.importing

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
KEY = "a key of the model iris"


def record(number: int, version: str = "v1", **more: Any) -> dict[str, Any]:
    """A record as `serving.log` writes them."""
    return {
        "time": (BEGIN + timedelta(seconds=number)).isoformat(),
        "request_id": f"{number:03}",
        "namespace": "ml",
        "model": "iris",
        "version": version,
        "revision": {"v1": "iris-1", "v2": "iris-2"}[version],
        "via": "split",
        "outcome": "ok",
        "instance": 0,
        "inputs": {"order": f"o-{number}"},
        "outputs": {"prediction": 1, "confidence": 0.9},
        "confidence": 0.9,
    } | more


def write_log(folder: Path, records: list[dict[str, Any]]) -> Path:
    file = folder / "predictions.jsonl"
    file.write_text("".join(f"{json.dumps(each)}\n" for each in records))
    return file


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """200 predictions by turns of two versions, and what is none of a user."""
    records = [record(number, "v2" if number % 2 else "v1") for number in range(200)]
    others = [
        record(300, via="check"),
        record(301, via="mirror"),
        record(302, outputs=None),
        record(303, outputs={"prediction": [1, 2]}),
        record(5, "v2", shadow={"candidate": "iris-3"}),
    ]
    return write_log(tmp_path, [*records, *others])


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Of the first 100: v1 is right in 30 of 50, v2 in 45 of 50; v2 is worth more, and accepted as often.

    The first one of v1 came before v2 served, so it is in no comparison.
    """
    import pandas as pd

    rows = []
    for number in range(100):
        right = number // 2 < (45 if number % 2 else 30)
        rows.append((f"{number:03}", int(right), number % 4 < 2, (number // 2) % 5 + 3.0 * (number % 2)))
    file = tmp_path / "labels.csv"
    pd.DataFrame(rows, columns=["request_id", "actual", "accepted", "value"]).to_csv(file, index=False)
    return file


def reported(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main(["outcomes", *map(str, arguments), "-o", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


# -- the report


def test_versions_are_reported_and_compared(log: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # when
    found = reported(capsys, labels, "--predictions", log)
    # then
    first, second = found["versions"]
    assert [each["version"] for each in (first, second)] == ["v1", "v2"]
    assert (first["predictions"], first["reported"]) == (100, 50)
    assert [each["measures"]["accuracy"]["value"] for each in (first, second)] == [0.6, 0.9]
    assert [each["calibration_error"] for each in (first, second)] == pytest.approx([0.3, 0])
    assert [each["value_sum"] for each in (first, second)] == [100, 250]
    compared = {each["measure"]: each for each in found["comparisons"]}
    assert compared["accuracy"]["difference"]["value"] == pytest.approx(45 / 50 - 29 / 49)
    assert (compared["accuracy"]["better"], compared["accepted"]["better"], compared["value"]["better"]) == (
        "v2",
        None,
        "v2",
    )
    assert found["random"]


def test_people_read_which_version_is_better(log: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outcomes", str(labels), "--predictions", str(log)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "200 predictions of users, 100 with something known (50.0%)."
    assert lines[2].split() == [
        *("VERSION", "PREDICTIONS", "KNOWN", "ACCURACY", "ACCEPTED", "VALUE", "EACH", "VALUE", "CALIBRATION", "ERROR")
    ]
    text = "\n".join(lines)
    assert "v1       100          50 (50.0%)  60.0% (46.2 to 72.4)  " in text
    assert "on predictions that the route assigned at random while both versions served:" in text
    assert "v2: accuracy +30.8 points (" in text
    assert "of 50 and 49 outcomes: v2 is better (p = 0.000" in text
    assert "chance alone could do that" in text


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_each_form_of_labels_says_the_same(
    log: Path, labels: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import pandas as pd

    # given
    frame, other = pd.read_csv(labels, dtype={"request_id": str}), labels.with_name(f"other{suffix}")
    if suffix == ".parquet":
        frame.to_parquet(other)
    elif suffix == ".jsonl":
        frame.to_json(other, orient="records", lines=True)
    else:
        frame.to_csv(other, index=False)
    # then
    expected = reported(capsys, labels, "--predictions", log)
    assert reported(capsys, other, "--predictions", log) == expected


@pytest.mark.parametrize("form", ["gzip", "prefixed", "parquet"])
def test_each_form_of_log_says_the_same(log: Path, labels: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    import pandas as pd

    # given
    expected = reported(capsys, labels, "--predictions", log)
    lines = log.read_text().splitlines()
    if form == "gzip":
        other = log.with_suffix(".jsonl.gz")
        with gzip.open(other, "wt") as file:
            file.write(log.read_text())
    elif form == "prefixed":
        other = log.with_suffix(".txt")
        other.write_text("".join(f"stable v1 iris-blue-x  {line}\n" for line in [*lines, "the api listens on 8000"]))
    else:
        other = log.with_suffix(".parquet")
        records = [json.loads(line) for line in lines[:200]]
        table = pd.DataFrame(
            [
                {name: each[name] for name in ("request_id", "version", "revision", "via", "confidence")}
                for each in records
            ]
        )
        table["time"] = pd.to_datetime([each["time"] for each in records])
        table["prediction"] = [each["outputs"]["prediction"] for each in records]
        table.to_parquet(other)
    # then
    assert reported(capsys, labels, "--predictions", other) == expected


def test_labels_are_joined_by_an_input(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("order,actual\no-1,1\no-2,0\nelsewhere,1\n")
    found = reported(capsys, file, "--predictions", log, "--by", "order")
    assert (found["known"], found["unmatched"]) == (2, 1)


def test_numbers_have_a_distance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given a version that is off by 1, and one that is off by 3, give or take a little
    records = [
        record(
            number,
            "v2" if number % 2 else "v1",
            outputs={"prediction": 100.0 + (3 if number % 2 else 1)},
            confidence=None,
        )
        for number in range(40)
    ]
    file = tmp_path / "labels.csv"
    rows = [f"{each['request_id']},{100 + 0.1 * (number % 3)}" for number, each in enumerate(records)]
    file.write_text("\n".join(["request_id,actual", *rows]))
    # when
    found = reported(capsys, file, "--predictions", write_log(tmp_path, records))
    # then
    [compared] = found["comparisons"]
    assert (compared["measure"], compared["better"]) == ("distance", "v1")
    assert compared["difference"]["value"] == pytest.approx(2, abs=0.1)
    assert found["versions"][0]["calibration_error"] is None


def test_what_was_not_assigned_at_random_is_compared_with_a_warning(
    tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [record(number, "v2" if number % 2 else "v1", via="direct") for number in range(200)]
    assert main(["outcomes", str(labels), "--predictions", str(write_log(tmp_path, records))]) == 0
    assert "Beware: the requests were not assigned at random" in capsys.readouterr().out


def test_only_the_time_in_which_both_served_is_compared(
    tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # given a version that served alone for the first 60 of 100, and another one that served last
    records = [record(number, "v2" if number % 2 and number > 60 else "v1") for number in range(100)]
    found = reported(capsys, labels, "--predictions", write_log(tmp_path, records))
    assert {tuple(each["counts"]) for each in found["comparisons"]} == {(19, 19)}


def test_a_request_of_several_needs_to_know_which_is_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given a request of two, and one of one
    log = write_log(tmp_path, [record(1), record(1, instance=1, outputs={"prediction": 0}), record(2)])
    file = tmp_path / "labels.csv"
    # then a label without a position is of the request of one alone
    file.write_text("request_id,actual\n001,1\n002,1\n")
    found = reported(capsys, file, "--predictions", log)
    assert (found["known"], found["ambiguous"]) == (1, 2)
    # and one with a position is of that
    file.write_text("request_id,instance,actual\n001,0,1\n001,1,1\n")
    found = reported(capsys, file, "--predictions", log)
    assert found["versions"][0]["measures"]["accuracy"]["value"] == 0.5


def test_texts_stay_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write_log(tmp_path, [record(1, outputs={"prediction": "1"}), record(2, outputs={"prediction": "02"})])
    file = tmp_path / "labels.csv"
    file.write_text("request_id,actual\n001,1\n002,02\n")
    assert reported(capsys, file, "--predictions", log)["versions"][0]["measures"]["accuracy"]["value"] == 1


WRONG = [
    ("request_id,actual\nnobody,1\n", [], "no row of "),
    ("id,actual\n001,1\n", [], "--by 'request_id' is no column of "),
    ("request_id,actual\n", [], "has no rows; a table has a line with the names of its columns"),
    ("request_id,actual\n001,123456789012345678901234567890\n", [], "whole numbers of more than 64 bits"),
    ("request_id;actual\n001;1\n", [], "its values are separated by ';'; write it with commas"),
    ("request_id,truth\n001,1\n", [], "has none of the columns actual, accepted, value"),
    ("request_id,actual\n001,1\n001,0\n", [], "says otherwise of request_id '001' than a row before it"),
    ("request_id,accepted\n001,7\n", [], "has 7 in column 'accepted'; write true or false"),
    ("request_id,value\n001,dear\n", [], "has 'dear' in column 'value'; write a number"),
    ("request_id,actual\n001,cat\n", [], "cannot be compared with the prediction 1"),
    (
        "request_id,actual\n001,1\n",
        ["--against", "v9"],
        "--against 'v9' is no version of the log; its versions are v1, v2",
    ),
    ("request_id,actual\n001,1\n", ["--key-file", "key"], "--key-file and --api-key-file are for --send"),
    ("request_id,actual\n001,1\n", ["--by", "nothing"], "holds no prediction of a user with 'nothing'"),
    ("request_id,actual\n001,1\n", ["--send", "iris"], "--send iris/feedback is no address"),
]


@pytest.mark.parametrize(("table", "more", "words"), WRONG)
def test_what_is_wrong_is_said(
    log: Path, tmp_path: Path, table: str, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file, key = tmp_path / "labels.csv", tmp_path / "key"
    file.write_text(table)
    key.write_text(KEY)
    more = [str(key) if each == "key" else each for each in more]
    if "--send" in more:
        more += ["--key-file", str(key)]
    assert main(["outcomes", str(file), "--predictions", str(log), *more]) == 1
    said = capsys.readouterr().err
    assert words in said
    # and nothing is said of options and samples that another command has
    assert not [other for other in ("--dtype", "--target", "trained", "sample") if other in said]


# -- sending


class Pod(BaseHTTPRequestHandler):
    """Takes feedback as a pod does, with a token's lifetime of 30 days."""

    counts: FeedbackCounts
    feedback: Feedback

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/iris/feedback"
        try:
            status, answer = 200, self.feedback.take(body)
        except Problem as problem:
            errors = [{"pointer": each.pointer, "detail": each.detail} for each in problem.errors]
            status, answer = problem.status, json.dumps({"detail": problem.detail, "errors": errors}).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def pod() -> Iterator[tuple[str, FeedbackCounts]]:
    class Own(Pod):
        counts = FeedbackCounts("iris-1")
        feedback = Feedback(
            TokenReader([KEY], "ml", "iris", 30 * 86_400),
            counts,
            1000,
            lambda: (BEGIN + timedelta(days=30, seconds=10)).timestamp(),
        )

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/iris", Own.counts
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_outcomes_are_signed_with_the_key_and_counted_once(
    log: Path, labels: Path, tmp_path: Path, pod: tuple[str, FeedbackCounts], capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    url, counts = pod
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n")
    arguments = ["outcomes", str(labels), "--predictions", str(log), "--send", url, "--key-file", str(key)]
    # when they are sent, and sent again: ten are too old by then
    codes = [main(arguments) for _ in range(2)]
    # then
    out = capsys.readouterr().out
    assert codes == [1, 1]
    assert "90 counted, 0 known before" in out
    assert "0 counted, 90 known before" in out
    assert "refused: 10, whose token or value has expired: it is 720.0 h old, and 720 h is the longest" in out
    first, second = (counts.by_revision[name].truth[Via.SPLIT] for name in ("iris-1", "iris-2"))
    assert (first.correct, second.correct) == (30 - 5, 45 - 5)
    assert counts.by_revision["iris-2"].business[Via.SPLIT].valued == 45
    assert counts.by_revision["iris-2"].confidence[9].labels == 45


def test_tokens_that_clients_kept_are_sent_as_they_are(
    log: Path, tmp_path: Path, pod: tuple[str, FeedbackCounts], capsys: pytest.CaptureFixture[str]
) -> None:
    # given a token beside one of two labels
    url, counts = pod
    token = TokenWriter([KEY], "ml", "iris", "iris-2").write(1, Via.SPLIT, int(BEGIN.timestamp()) + 50)
    file = tmp_path / "labels.csv"
    file.write_text(f"request_id,accepted,feedback_token\n051,true,{token}\n052,true,\n")
    # when
    assert main(["outcomes", str(file), "--predictions", str(log), "--send", url]) == 0
    # then
    out = capsys.readouterr().out
    assert "1 counted, 0 known before" in out
    assert "not sent: 1 without a token; give the column with --token, or the key with --key-file" in out
    assert counts.by_revision["iris-2"].business[Via.SPLIT].accepted == 1
