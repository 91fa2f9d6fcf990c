"""`kubectl viridian digest`, and that the serving image means the same by a digest."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.files import FileServer, cut_after, file_server, status
from tests.serving.pod import Pod
from tests.waiting import DEADLINE

from viridian.cli.main import main
from viridian_shared.digest import digest_of

ROOT = Path(__file__).parents[2]
BY_HAND = r"find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum -- | sha256sum"
names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\", exclude_categories=("Cc",)), min_size=1, max_size=8
)
paths = st.lists(names.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3).map("/".join)
paths = paths.filter(lambda path: path != "-")  # by which sha256sum means its standard input


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "iris"
    for name, content in (("b", b"2"), ("a/z", b"1"), ("a-b", b""), ("a b/ü", b"3"), (".hidden", b"4"), ("B", b"5")):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    (made / "empty").mkdir()
    return made


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with file_server(tmp_path) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.ca))
        monkeypatch.setenv("NO_PROXY", "*")
        yield server


def printed(capsys: pytest.CaptureFixture[str], uri: str) -> str:
    assert main(["digest", uri]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.removesuffix("\n")


def sentence(capsys: pytest.CaptureFixture[str], uri: str) -> str:
    assert main(["digest", uri]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


# -- what a digest is


def test_the_digest_of_a_folder_never_changes(folder: Path) -> None:
    # The value is part of users' manifests: this is the definition, computed by its own words.
    lines = sorted(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n".encode()
        for path in folder.rglob("*")
        if path.is_file()
    )
    by_path = sorted(lines, key=lambda line: line[66:-1])
    assert digest_of(folder) == f"sha256:{hashlib.sha256(b''.join(by_path)).hexdigest()}"
    assert digest_of(folder) == "sha256:66d149bd434a2347554edcf10bb7b021d742e5691572ea775e81f583dd037706"


def test_anybody_can_check_it_by_hand(folder: Path) -> None:
    found = subprocess.run(BY_HAND, shell=True, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S602
    assert digest_of(folder) == f"sha256:{found.stdout.split()[0]}"


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(paths, st.binary(max_size=9), min_size=1, max_size=5))
def test_by_hand_and_by_program_are_the_same_for_all_names(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("digest")
    for name, content in files.items():
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        except OSError:  # one is a file where another needs a folder
            continue
    found = subprocess.run(BY_HAND, shell=True, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S602
    assert digest_of(folder) == f"sha256:{found.stdout.split()[0]}"


def test_only_paths_and_bytes_count(folder: Path) -> None:
    # given
    before = digest_of(folder)
    # when all else is changed, then it is the same
    (folder / "b").chmod(0o700)
    os.utime(folder / "b", (0, 0))
    (folder / "empty").rmdir()
    assert digest_of(folder) == before
    # when a file is moved, then it is another
    (folder / "b").rename(folder / "c")
    assert digest_of(folder) != before


def test_the_serving_image_means_the_same(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given what the command prints for a folder and for a file
    for path, uri in ((folder, "iris"), (folder / "b", "iris/b")):
        digest = printed(capsys, str(path))
        # when the serving image looks for it in a claim
        pod = Pod.create(tmp_path, MODEL_URI=f"pvc://models/{uri}", MODEL_DIGEST=digest, MODEL_MOUNT=str(tmp_path))
        # then it is satisfied
        assert pod.start_fetch().wait(DEADLINE) == 0, pod.log()


# -- the command


def test_a_folder_a_file_and_standard_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "b"
    assert printed(capsys, str(folder)) == printed(capsys, f"file://{folder}") == digest_of(folder)
    assert printed(capsys, str(file)) == f"sha256:{hashlib.sha256(b'2').hexdigest()}"
    run = [sys.executable, "-m", "viridian.cli.main", "digest", "-"]
    piped = subprocess.run(
        run, input=b"2", capture_output=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    )
    assert piped.stdout.decode() == f"sha256:{hashlib.sha256(b'2').hexdigest()}\n"


def test_an_address(server: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    body = os.urandom(3_000_000)
    server.files["/m.tar.gz"] = body
    server.behaviours = [status(302, Location="/m.tar.gz")]
    assert printed(capsys, server.url("/m.tar.gz")) == f"sha256:{hashlib.sha256(body).hexdigest()}"


def test_an_answer_that_breaks_off_has_no_digest(server: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.files["/m"] = bytes(1000)
    server.behaviours = [cut_after(400)]
    assert "broke off with 600 bytes to go: try again" in sentence(capsys, server.url("/m"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(404), "answers 404"),
        (status(401), "kubectl viridian digest -"),
        (
            status(302, Location="http://example.com/m"),
            "redirects to http://example.com: models are fetched by https only",
        ),
    ],
    ids=["missing", "credentials", "another scheme"],
)
def test_an_address_without_an_answer(
    server: FileServer, capsys: pytest.CaptureFixture[str], answer: object, words: str
) -> None:
    server.always = answer  # type: ignore[assignment]
    assert words in sentence(capsys, server.url("/m"))


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("pvc://models/iris", "only pods can read a PersistentVolumeClaim"),
        ("image:///models/iris", "digest the folder from which the image was built"),
        ("http://example.com/m", "by https only"),
        ("ftp://models/iris", "write the path of a file or folder"),
        ("/no/such/folder", "/no/such/folder cannot be read: No such file"),
        ("https://localhost:1/m", "SSL_CERT_FILE"),
    ],
)
def test_what_cannot_be_read_from_here(capsys: pytest.CaptureFixture[str], uri: str, words: str) -> None:
    assert words in sentence(capsys, uri)


def test_a_folder_with_more_than_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "link").symlink_to("b")
    assert "'link' in " in sentence(capsys, str(folder))
    (folder / "link").unlink()
    (folder / "a\nb").touch()
    assert "rename it" in sentence(capsys, str(folder))
    (folder / "a\nb").unlink()
    (folder / os.fsdecode(b"\xff")).touch()
    assert "not UTF-8" in sentence(capsys, str(folder))


def test_a_folder_without_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds no file" in sentence(capsys, str(tmp_path))


def test_without_a_command_it_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "kubectl viridian" in capsys.readouterr().err
