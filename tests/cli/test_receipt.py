"""Receipts: what they say, and that a changed one is found out."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.cli.kubectl_double import Cluster, stored
from tests.cli.test_golden import hold_against

from viridian.cli.main import main
from viridian.cli.receipt import KIND, NoReceipt, canonical, entry_of, signed

REVISION = {
    "data": {
        "input": {"model": {"version": "v2.0.0", "uri": "s3://models/iris", "digest": "sha256:0a", "format": "onnx"}},
        "template": {"spec": {"containers": [{"name": "api", "image": "registry.example/serving@sha256:1b"}]}},
    }
}


@pytest.fixture
def iris(cluster: Cluster) -> Path:
    """A cluster whose model was rolled back; its folder."""
    folder = cluster(stored("rolled-back")).parent
    (folder / "kubectl.revision").write_text(json.dumps(REVISION))
    return folder


def key(folder: Path, name: str) -> Path:
    """A key without a passphrase."""
    subprocess.run(
        ["/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True
    )
    return folder / name


def written(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> Path:
    """A signed receipt in a file."""
    assert main(["receipt", "iris", *arguments]) == 0
    file = folder / "receipt.json"
    file.write_text(capsys.readouterr().out)
    return file


@pytest.mark.usefixtures("iris")
def test_it_says_how_it_ended_by_which_counts_and_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["receipt", "iris"]) == 0
    hold_against("receipt.json", capsys.readouterr().out)


@pytest.mark.usefixtures("iris")
@pytest.mark.parametrize(("wanted", "revision"), [("v1.0.0", "iris-1"), ("iris-1", "iris-1"), ("v2.0.0", "iris-2")])
def test_a_revision_is_found_by_its_name_and_its_version(
    capsys: pytest.CaptureFixture[str], wanted: str, revision: str
) -> None:
    assert main(["receipt", "iris", wanted]) == 0
    assert json.loads(capsys.readouterr().out)["rollout"]["revision"] == revision


def test_what_has_not_ended_has_no_receipt() -> None:
    model = stored("rolled-back")
    with pytest.raises(NoReceipt, match=r"no rollout of v7 of iris has ended; known are: v2.0.0 \(iris-2\), v1.0.0"):
        entry_of(model, "v7")


@pytest.mark.usefixtures("cluster")
def test_a_revision_that_is_not_kept_has_a_receipt_without_a_source(
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # given a kubectl that does not find the ControllerRevision
    folder = cluster(stored("rolled-back")).parent
    script = folder / "kubectl"
    gone = "echo 'Error from server (NotFound): controllerrevisions.apps \"iris-2\" not found' >&2; exit 1"
    script.write_text(script.read_text().replace('cat "$0.revision"', gone))
    # then
    assert main(["receipt", "iris"]) == 0
    assert json.loads(capsys.readouterr().out)["source"] is None


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_signed_receipt_is_genuine(iris: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    # given
    mine = key(iris, "mine")
    file = written(iris, capsys, "--key", str(mine), "-o", form)
    # when
    status = main(["receipt", "iris", "--verify", str(file), "--public-key", f"{mine}.pub"])
    # then
    assert status == 0
    assert capsys.readouterr().out.startswith(
        "Genuine: iris v2.0.0 (iris-2) ended as RolledBack at 2026-01-01T00:11:22"
    )


def _of_another_key(folder: Path, document: dict[str, Any]) -> dict[str, Any]:
    return signed(document["receipt"], key(folder, "other"))


def _changed(_: Path, document: dict[str, Any]) -> dict[str, Any]:
    document["receipt"]["rollout"]["result"] = "Promoted"
    return document


def _made_for_something_else(folder: Path, document: dict[str, Any]) -> dict[str, Any]:
    text = canonical(document["receipt"])
    command = ["/usr/bin/ssh-keygen", "-Y", "sign", "-q", "-f", folder / "mine", "-n", "git"]
    done = subprocess.run(command, input=text, capture_output=True, check=True)
    return {**document, "signature": done.stdout.decode()}


def _of_another_kind(folder: Path, document: dict[str, Any]) -> dict[str, Any]:
    return signed({**document["receipt"], "kind": "viridian.dev/receipt-v9"}, folder / "mine")


def _unsigned(_: Path, document: dict[str, Any]) -> dict[str, Any]:
    return dict(document["receipt"])


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        (_of_another_key, "signed with another key"),
        (_changed, "was changed after it was signed"),
        (_made_for_something_else, "was changed after it was signed"),
        (_of_another_kind, f"of the kind 'viridian.dev/receipt-v9', not {KIND}"),
        (_unsigned, "this is no signed receipt"),
    ],
)
def test_a_forged_receipt_is_found_out(iris: Path, capsys: pytest.CaptureFixture[str], forge: Any, says: str) -> None:
    # given a receipt, and somebody who wants another one
    mine = key(iris, "mine")
    file = written(iris, capsys, "--key", str(mine))
    file.write_text(json.dumps(forge(iris, json.loads(file.read_text()))))
    # when
    status = main(["receipt", "iris", "--verify", str(file), "--public-key", f"{mine}.pub"])
    # then
    assert status == 1
    assert says in capsys.readouterr().err


def test_a_genuine_receipt_of_something_else_is_said_to_be_one(iris: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = key(iris, "mine")
    file = written(iris, capsys, "--key", str(mine))
    assert main(["receipt", "iris", "v1.0.0", "--verify", str(file), "--public-key", f"{mine}.pub"]) == 1
    assert "a genuine receipt of iris v2.0.0 (iris-2), not of iris v1.0.0" in capsys.readouterr().err
    assert main(["receipt", "iris", "--verify", str(file)]) == 2


def test_a_key_that_is_none_is_named(iris: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (iris / "none").write_text("no key")
    assert main(["receipt", "iris", "--key", str(iris / "none")]) == 1
    assert "cannot be signed with" in capsys.readouterr().err
