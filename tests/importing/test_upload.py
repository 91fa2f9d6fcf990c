"""``viridian import --upload`` into a real S3 gateway."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.ports import free_port
from tests.serving.store_servers import BUCKET, KEYS, Gateway, Reply, StoreHandler, s3

from viridian_import.commands.main import main
from viridian_serving.artifacts.stores.digest import digest_of_source
from viridian_serving.artifacts.stores.source import Source
from viridian_shared.digest import digest_of

pytestmark = pytest.mark.importing

ADDRESS = f"s3://{BUCKET}/churn/v1.2.0"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    folder: Path


class Uploading:
    """The command with a small model, in this process."""

    def __init__(self, gateway: Gateway, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        from sklearn.linear_model import Ridge
        from tests.importing import makers

        self.gateway, self._folder, self._capfd = gateway, folder, capfd
        self._made = makers.numeric(folder / "given", Ridge())

    def run(self, *more: str, upload: str = ADDRESS, out: str = "v1", endpoint: str = "") -> Ran:
        folder = self._folder / "out" / out
        arguments = ["import", str(self._made.model), "--sample", str(self._made.sample), "--out", str(folder)]
        arguments += ["--target", str(self._made.target), "--name", "churn", "--trusted", "--no-check"]
        arguments += ["--upload", upload, "--endpoint", endpoint or self.gateway.url, *more]
        try:
            code = main(arguments)
        except SystemExit as exit_:
            code = int(str(exit_.code))
        return Ran(code, *self._capfd.readouterr(), folder)


@pytest.fixture
def uploading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Uploading]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with s3(tmp_path / "store") as gateway:
        yield Uploading(gateway, tmp_path, capfd)


def test_a_version_is_where_its_manifest_says(uploading: Uploading) -> None:
    # when
    ran = uploading.run("--version", "v1.2.0", "--region", "us-east-1")
    # then the store has what the folder has, as a pod reads it
    assert ran.code == 0, ran.err
    model = yaml.safe_load(ran.folder.with_suffix(".yaml").read_text())["spec"]["model"]
    assert model == {
        "version": "v1.2.0",
        "uri": f"{ADDRESS}/",
        "digest": digest_of(ran.folder),
        "format": "onnx",
        "store": {"endpoint": uploading.gateway.url, "region": "us-east-1"},
    }
    assert digest_of_source(Source(model["uri"], 60, endpoint=uploading.gateway.url)) == model["digest"]
    # and the next step is told
    assert f"uploaded  6 files to {ADDRESS}/" in ran.out
    assert f"kubectl apply -f {ran.folder}.yaml" in ran.out
    assert not [value for value in KEYS.values() if value in ran.out + ran.err]


def test_a_version_that_is_there_is_not_replaced(uploading: Uploading) -> None:
    # given a version in the store, and one beside it whose name begins alike
    assert uploading.run().code == 0
    before = digest_of_source(Source(f"{ADDRESS}/", 60, endpoint=uploading.gateway.url))
    # when
    again = uploading.run(out="v2")
    other = uploading.run(upload=f"{ADDRESS}-rc1", out="v3")
    # then it is refused before anything is made
    assert again.code == 1
    assert f"--upload: {ADDRESS}/ has files already, such as MODEL_CARD.md" in again.err
    assert "give another --version" in again.err
    assert not again.folder.exists()
    assert digest_of_source(Source(f"{ADDRESS}/", 60, endpoint=uploading.gateway.url)) == before
    assert other.code == 0, other.err


@pytest.mark.parametrize(
    ("variables", "upload", "said"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong-but-still-secret"}, ADDRESS, "403: SignatureDoesNotMatch"),
        ({"AWS_ACCESS_KEY_ID": "AKIANOBODY"}, ADDRESS, "404: XAdminUserNotFound"),
        ({}, "s3://missing/churn/v1", "404: NoSuchBucket"),
    ],
    ids=["wrong secret", "wrong key", "no bucket"],
)
def test_what_the_store_refuses_is_said_before_anything_is_made(
    uploading: Uploading, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], upload: str, said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # when
    ran = uploading.run(upload=upload)
    # then
    assert ran.code == 1
    ways_out = (
        r"(the credentials of the environment \(|make the bucket, correct the address, or set )AWS_ACCESS_KEY_ID"
        if variables
        else "make the bucket, correct the address"
    )
    sentence = rf"viridian: --upload: the S3 store does not take {upload}/ \({said}.*\); {ways_out}"
    assert re.match(sentence, ran.err), ran.err
    assert not [value for value in (*KEYS.values(), *variables.values()) if value in ran.out + ran.err]
    assert not ran.folder.exists()


def test_a_store_that_does_not_answer_is_said(uploading: Uploading) -> None:
    ran = uploading.run(endpoint=f"http://localhost:{free_port()}")
    assert ran.code == 1
    assert "check the address, --endpoint and --region, the network" in ran.err
    assert not ran.folder.exists()


@pytest.mark.parametrize(("method", "right"), [("GET", "s3:ListBucket"), ("PUT", "s3:PutObject")])
def test_a_right_that_is_missing_is_named(
    uploading: Uploading, monkeypatch: pytest.MonkeyPatch, method: str, right: str
) -> None:
    # given a store that knows who asks, and lets them do the other thing alone
    answer = uploading.gateway.answer
    denied = Reply(403, {}, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
    monkeypatch.setattr(
        uploading.gateway, "answer", lambda handler: denied if handler.command == method else answer(handler)
    )
    # when
    ran = uploading.run()
    # then
    assert ran.code == 1
    assert (
        f"--upload: the S3 store does not take {ADDRESS}/ (403: AccessDenied: Access Denied); the credentials of the "
        "environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if you have one)) lack the "
        f"right {right} there: give it to them"
    ) in ran.err


def test_an_upload_that_breaks_leaves_no_half_version(uploading: Uploading, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a store that takes three files, and no more
    answer, puts = uploading.gateway.answer, iter(range(100))

    def full(handler: StoreHandler) -> Reply:
        refused = handler.command == "PUT" and next(puts) >= 3
        return (
            Reply(403, {}, b"<Error><Code>AccessDenied</Code><Message>quota</Message></Error>")
            if refused
            else answer(handler)
        )

    monkeypatch.setattr(uploading.gateway, "answer", full)
    # when
    ran = uploading.run()
    # then
    assert ran.code == 1
    assert "(403: AccessDenied: quota)" in ran.err
    assert f"Nothing was left there. The version is in {ran.folder}: upload its files there yourself" in ran.err
    # and it can be uploaded once there is room
    monkeypatch.setattr(uploading.gateway, "answer", answer)
    assert uploading.run(out="v2").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--upload", "s3://models"], 2, "is no s3://BUCKET/FOLDER"),
        (["--upload", "s3://models/../v1"], 2, "is no s3://BUCKET/FOLDER"),
        (["--upload", "http://models/churn"], 2, "is no s3://BUCKET/FOLDER"),
        (["--upload", "az://account/container"], 2, "az://ACCOUNT/CONTAINER/FOLDER"),
        (["--upload", ADDRESS, "--endpoint", "minio:9000"], 2, "is no https://HOST"),
        (["--upload", ADDRESS, "--region", "EU"], 2, "is no region"),
        (["--upload", "gs://models/churn", "--region", "eu"], 1, "are for s3 URIs alone"),
        (["--upload", "az://acme/models/v1", "--endpoint", "http://localhost:1"], 1, "are for s3 URIs alone"),
        (["--upload", ADDRESS, "--uri", "image:///models"], 1, "leave out --uri"),
        (["--endpoint", "https://minio:9000"], 1, "--endpoint is of a store"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_make_no_sense_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    try:
        ended = main(["import", str(tmp_path), "--sample", str(tmp_path), *arguments])
    except SystemExit as exit_:
        ended = int(str(exit_.code))
    assert ended == code
    assert said in capfd.readouterr().err
