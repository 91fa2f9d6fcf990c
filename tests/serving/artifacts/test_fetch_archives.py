"""The fetch container and archives, good ones and bombs."""

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable

import pytest
from tests.serving.fetching import fails, fetched, mount, succeeds
from tests.serving.files import FileServer
from tests.serving.pod import Pod


def tar_of(*members: tuple[str, bytes], mode: str = "w:gz") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def odd_tar(name: str, kind: bytes, target: str = "") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return made.getvalue()


def zip_of(*members: tuple[str, bytes], mode: int = 0) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return made.getvalue()


GOOD = (("iris/model.onnx", b"onnx"), ("iris/sub/labels.txt", b"a\nb\n"))


@pytest.mark.parametrize(
    ("path", "archive"),
    [
        ("/m.tar.gz", tar_of(*GOOD)),
        ("/m.tar", tar_of(*GOOD, mode="w")),
        ("/m.zip", zip_of(*GOOD)),
        ("/download", tar_of(*GOOD)),
    ],
    ids=["tar.gz", "tar", "zip", "no suffix"],
)
def test_an_archive_is_checked_and_unpacked(
    server: FileServer, fetcher: Callable[..., Pod], path: str, archive: bytes
) -> None:
    # given
    server.files[path] = archive
    pod = fetcher(path)
    # when
    succeeds(pod)
    # then
    assert (fetched(pod) / "iris" / "model.onnx").read_bytes() == b"onnx"
    assert (fetched(pod) / "iris" / "sub" / "labels.txt").read_bytes() == b"a\nb\n"
    assert not (mount(pod) / "download.part").exists()


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (tar_of(("../evil", b"x")), "'../evil' in the archive is a path that leads out"),
        (tar_of(("/etc/evil", b"x")), "a path that leads out"),
        (tar_of(("a/../../evil", b"x")), "a path that leads out"),
        (zip_of(("../evil", b"x")), "a path that leads out"),
        (odd_tar("l", tarfile.SYMTYPE, "/etc/passwd"), "is a link"),
        (odd_tar("l", tarfile.LNKTYPE, "../x"), "is a link"),
        (odd_tar("d", tarfile.CHRTYPE), "is no plain file"),
        (odd_tar("d", tarfile.FIFOTYPE), "is no plain file"),
        (zip_of(("l", b"/etc/passwd"), mode=0o120777), "is a link"),
        (tar_of(("a", b"1"), ("a", b"2")), "'a' twice"),
        (tar_of(("a", b"1"), ("a/b", b"2")), "'a/b' twice"),
        (tar_of(("a\\b", b"1")), "a backslash or a control character"),
        (tar_of(("model.onnx", b"x" * 5000), mode="w")[:3000], "is damaged"),
        (tar_of(("model.onnx", os.urandom(5000)))[:2000], "is damaged"),
        (zip_of(("model.onnx", os.urandom(5000)))[:2000], "is damaged"),
        (b"\x1f\x8b" + os.urandom(100), "is damaged"),
        (gzip.compress(b"not a tar"), "is damaged"),
        (tar_of(*((str(number), b"") for number in range(10_001))), "more than 10000 files"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_archive_with_the_right_digest(
    server: FileServer, fetcher: Callable[..., Pod], archive: bytes, words: str
) -> None:
    server.files["/m"] = archive
    pod = fetcher("/m", MODEL_MAX_SIZE="100Mi")
    fails(pod, "spec.model.uri: ", words)
    assert not (pod.directory / "evil").exists()
    assert not (mount(pod) / "evil").exists()


@pytest.mark.parametrize(
    "archive",
    [
        tar_of(("a", bytes(3 << 20))),
        zip_of(("a", bytes(3 << 20))),
        tar_of(*((f"{number}/x", b"") for number in range(300))),
    ],
    ids=["tar", "zip", "many small files"],
)
def test_a_bomb_is_stopped_at_the_limit(server: FileServer, fetcher: Callable[..., Pod], archive: bytes) -> None:
    assert len(archive) < 1 << 20
    server.files["/m"] = archive
    fails(fetcher("/m", MODEL_MAX_SIZE="1Mi"), "spec.model.maxSize: the archive holds more than 1048576 bytes")


def test_a_zip_that_lies_about_its_sizes(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    # given a megabyte of zeros that is said to be one byte long
    archive = bytearray(zip_of(("a", bytes(1 << 20))))
    for place in range(len(archive)):
        if archive[place : place + 4] == (1 << 20).to_bytes(4, "little"):
            archive[place : place + 4] = (1).to_bytes(4, "little")
    server.files["/m"] = bytes(archive)
    # then
    fails(fetcher("/m"), "is damaged")


def test_what_an_interrupted_run_unpacked_is_made_anew(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    # given a container that was killed while it unpacked
    server.files["/m"] = tar_of(*GOOD)
    pod = fetcher("/m")
    (mount(pod) / "unpacking" / "iris").mkdir(parents=True)
    (mount(pod) / "unpacking" / "iris" / "old").touch()
    (mount(pod) / "download.part").write_bytes(server.files["/m"])
    # when it starts again
    succeeds(pod)
    # then it unpacks what it has
    assert not (fetched(pod) / "iris" / "old").exists()
    assert not server.seen


def test_triton_s_format_wants_an_archive(fetcher: Callable[..., Pod]) -> None:
    fails(fetcher(MODEL_FORMAT="triton"), "format triton wants a folder", "archive")
