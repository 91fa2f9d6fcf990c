"""The fetch container's real process, against a real https server that has good and bad days."""

import gzip
import io
import os
import signal
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.serving import files
from tests.serving.files import FileServer, file_server, sha256
from tests.serving.pod import Pod, eventually

from viridian_model.digest import digest_of

MODEL = os.urandom(300_000)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


@pytest.fixture
def server(directory: Path) -> Iterator[FileServer]:
    with file_server(directory) as server:
        server.files["/model.onnx"] = MODEL
        yield server


@pytest.fixture
def fetcher(server: FileServer, tmp_path: Path) -> Callable[..., Pod]:
    """A pod whose model is at the server, with the right digest."""

    def create(path: str = "/model.onnx", **settings: str) -> Pod:
        body = server.files.get(path.partition("?")[0], b"")
        pod = Pod.create(tmp_path, **{"MODEL_URI": server.url(path), "MODEL_DIGEST": sha256(body)} | settings)
        pod.environ = {"SSL_CERT_FILE": str(server.ca), "NO_PROXY": "*"}
        mount(pod).mkdir(exist_ok=True)
        return pod

    return create


def mount(pod: Pod) -> Path:
    return pod.directory / "mount"


def fetched(pod: Pod) -> Path:
    return mount(pod) / "model"


def run(pod: Pod) -> tuple[int, str]:
    """Exit code and last words."""
    (pod.directory / "termination-log").write_text("")
    code = pod.start_fetch().wait(60)
    return code, pod.termination_log


def fails(pod: Pod, *words: str) -> None:
    """It ends with one sentence that has these words, and nothing is put in place."""
    code, sentence = run(pod)
    assert code == 1, pod.log()
    assert sentence.count("\n") == 1
    for word in words:
        assert word in sentence
    assert not fetched(pod).exists()


def succeeds(pod: Pod) -> None:
    code, sentence = run(pod)
    assert (code, sentence) == (0, ""), pod.log()


# -- a file


def test_a_file_is_fetched_checked_and_put_in_place(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    # given
    pod = fetcher()
    # when
    succeeds(pod)
    # then nothing but the model is left
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
    assert sorted(path.name for path in mount(pod).iterdir()) == ["download.part.validator", "model", "model.digest"]
    assert "authorization" not in server.seen[0].headers


def test_what_is_there_is_not_fetched_again(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    # given a pod whose containers start once more
    pod = fetcher()
    succeeds(pod)
    # when
    succeeds(pod)
    # then
    assert len(server.seen) == 1


def test_what_a_power_cut_damaged_is_fetched_again(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    # given a model whose last bytes never reached the disk
    pod = fetcher()
    succeeds(pod)
    os.truncate(fetched(pod) / "model.onnx", len(MODEL) - 1)
    # when
    succeeds(pod)
    # then
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL


@pytest.mark.parametrize("cuts", [[100_000], [1, 299_999], [50_000, 150_000, 250_000]], ids=str)
def test_a_connection_that_breaks_is_resumed_where_it_broke(
    server: FileServer, fetcher: Callable[..., Pod], cuts: list[int]
) -> None:
    # given
    server.behaviours = [files.cut_after(count) for count in cuts]
    pod = fetcher()
    # when
    succeeds(pod)
    # then no byte was sent twice
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
    assert [seen.headers.get("range") for seen in server.seen] == [None, *(f"bytes={count}-" for count in cuts)]
    assert all(seen.headers["if-range"] == '"1"' for seen in server.seen[1:])
    assert sum(seen.sent for seen in server.seen) == len(MODEL)


def test_a_killed_fetch_is_resumed_by_the_next(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    # given half of a file, and a server that goes silent
    server.behaviours = [files.cut_after(100_000), files.silent]
    pod = fetcher()
    process = pod.start_fetch()
    eventually(lambda: len(server.seen) == 2, 20, pod.log)
    # when the process is killed and the kubelet starts it again
    process.kill()
    process.wait()
    succeeds(pod)
    # then
    assert server.seen[2].headers["range"] == "bytes=100000-"
    assert sum(seen.sent for seen in server.seen) == len(MODEL)


def test_sigterm_ends_it_at_once(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    server.always = files.silent
    process = fetcher().start_fetch()
    eventually(lambda: server.seen, 20)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM


def test_a_file_that_changed_meanwhile_is_fetched_from_the_beginning(
    server: FileServer, fetcher: Callable[..., Pod]
) -> None:
    # given a file that another replaces while it is being sent
    def replaced(handler: files.Handler, body: bytes) -> None:
        files.cut_after(100_000)(handler, b"old" * 100_000)
        server.tag = '"2"'

    server.behaviours = [replaced]
    pod = fetcher()
    # when
    succeeds(pod)
    # then
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL


def test_pieces_that_do_not_fit_are_fetched_again_in_one(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    # given a server that gives the same tag to different files
    server.behaviours = [lambda handler, body: files.cut_after(100_000)(handler, b"old" * 100_000)]
    pod = fetcher()
    # when
    succeeds(pod)
    # then
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
    assert [seen.headers.get("range") for seen in server.seen] == [None, "bytes=100000-", None]


def test_another_part_than_asked_for_is_not_used(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    def elsewhere(handler: files.Handler, body: bytes) -> None:
        handler.answer(206, body[7:], Content_Range=f"bytes 7-{len(body) - 1}/{len(body)}")

    server.behaviours = [files.cut_after(100_000), elsewhere]
    pod = fetcher()
    succeeds(pod)
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL


def test_without_a_strong_tag_nothing_is_resumed(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    server.tag = 'W/"1"'
    server.behaviours = [files.cut_after(100_000)]
    succeeds(fetcher())
    assert "range" not in server.seen[1].headers


@pytest.mark.parametrize("code", [500, 503, 429, 408])
def test_what_may_pass_is_tried_again(server: FileServer, fetcher: Callable[..., Pod], code: int) -> None:
    server.behaviours = [files.status(code), files.status(code)]
    succeeds(fetcher())
    assert len(server.seen) == 3


def test_a_server_that_stays_broken_is_given_up_for_now(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    server.always = files.status(502)
    fails(fetcher(), "spec.model.uri: ", "502", "5 tries in a row")
    assert len(server.seen) == 5


def test_a_server_that_is_not_there(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    pod = fetcher(MODEL_URI="https://localhost:1/model.onnx")
    fails(pod, "spec.model.uri: ", "https://localhost:1/model.onnx", "refused")


@pytest.mark.parametrize("behaviour", [files.silent, files.dripping], ids=["silent", "dripping"])
def test_a_server_that_hangs_costs_no_more_than_the_timeout(
    server: FileServer, fetcher: Callable[..., Pod], behaviour: files.Behaviour
) -> None:
    server.always = behaviour
    fails(fetcher(FETCH_TIMEOUT="1s"), "spec.model.fetchTimeout: 1 s passed while fetching", "Raise it")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (404, ["spec.model.uri: ", "404", "correct the address"]),
        (410, ["spec.model.uri: ", "410"]),
        (401, ["spec.model.credentialsSecretRef: ", "401", "set it"]),
        (403, ["spec.model.credentialsSecretRef: ", "403", "set it"]),
    ],
)
def test_what_no_repetition_helps_ends_at_once(
    server: FileServer, fetcher: Callable[..., Pod], code: int, words: list[str]
) -> None:
    server.always = files.status(code)
    fails(fetcher(), *words)
    assert len(server.seen) == 1


def test_an_address_s_query_is_sent_but_not_shown(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    pod = fetcher("/model.onnx?key=secret", MODEL_DIGEST=sha256(b"other"))
    fails(pod, "spec.model.digest: ", "/model.onnx?…")
    assert server.seen[0].path == "/model.onnx?key=secret"
    assert "secret" not in pod.log() + pod.termination_log


# -- what must not be believed


def test_wrong_bytes_are_never_put_in_place(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    pod = fetcher()
    server.files["/model.onnx"] = b"evil" + MODEL[4:]
    fails(pod, "spec.model.digest: ", sha256(MODEL), sha256(b"evil" + MODEL[4:]), "Correct the uri")
    assert len(server.seen) == 1


def test_a_length_that_is_too_short(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    server.always = lambda handler, body: files.serve(handler, body, len(body), length=1000)
    fails(fetcher(), "spec.model.digest: ", sha256(MODEL[:1000]))


def test_a_length_that_is_too_long(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    def boasting(handler: files.Handler, body: bytes) -> None:
        handler.answer(200, body, len(body) + 1)
        handler.cut()

    server.behaviours = [boasting]
    succeeds(fetcher())


def test_a_length_above_the_limit_is_not_even_begun(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    server.always = lambda handler, _: (handler.answer(200, b"x", 2 << 30), handler.cut())
    fails(fetcher(MODEL_MAX_SIZE="1Mi"), "spec.model.maxSize: ", str(2 << 30), str(1 << 20), "raise it")
    assert len(server.seen) == 1


def test_an_endless_answer_without_a_length_ends_at_the_limit(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    def endless(handler: files.Handler, _: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            while True:
                handler.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        except OSError:
            handler.cut()

    server.always = endless
    fails(fetcher(MODEL_MAX_SIZE="1Mi"), "spec.model.maxSize: ", "raise it")


def test_an_unknown_authority_is_not_trusted(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    pod = fetcher()
    del pod.environ["SSL_CERT_FILE"]
    fails(pod, "spec.model.uri: the certificate of ", "is not trusted", "SSL_CERT_FILE")
    assert not server.seen


def test_another_host_s_certificate_is_not_trusted(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    fails(fetcher(MODEL_URI=server.url("/model.onnx", "127.0.0.1")), "is not trusted")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("http://localhost/model.onnx", "redirects to http://localhost, which is not encrypted"),
        ("ftp://localhost/x", "redirects to ftp://localhost, which is not encrypted"),
        ("file:///etc/passwd", "redirects in a circle, or away from https"),
    ],
)
def test_a_redirect_to_another_scheme_is_not_followed(
    server: FileServer, fetcher: Callable[..., Pod], target: str, says: str
) -> None:
    server.always = files.status(302, Location=target)
    fails(fetcher(), "spec.model.uri: ", says)
    assert len(server.seen) == 1


def test_redirects_within_https_are_followed_but_not_for_ever(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    # given
    server.files["/latest"] = b""
    server.behaviours = [files.status(302, Location="/model.onnx")]
    # then
    succeeds(fetcher("/latest", MODEL_DIGEST=sha256(MODEL)))


def test_a_circle_of_redirects_ends(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    server.always = files.status(302, Location="/model.onnx")
    fails(fetcher(), "spec.model.uri: ", "redirects in a circle")


# -- credentials


@pytest.mark.parametrize(
    ("keys", "header"),
    [({"token": "abc\n"}, "Bearer abc"), ({"username": "me", "password": "pä:ss"}, "Basic bWU6cMOkOnNz")],
    ids=["token", "username and password"],
)
def test_credentials_are_sent_to_the_host_they_are_for(
    server: FileServer, fetcher: Callable[..., Pod], directory: Path, keys: dict[str, str], header: str
) -> None:
    # given a server that sends its client on, first to itself, then to another
    with file_server(directory) as other:
        other.files["/elsewhere"] = MODEL
        server.behaviours = [
            files.status(302, Location="/model.onnx"),
            files.status(307, Location=other.url("/elsewhere")),
        ]
        pod = fetcher()
        secret(pod, keys)
        # when
        succeeds(pod)
        # then
        assert [seen.headers.get("authorization") for seen in server.seen] == [header, header]
        assert [seen.headers.get("authorization") for seen in other.seen] == [None]


def test_credentials_that_are_refused(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    server.always = files.status(401)
    pod = fetcher()
    secret(pod, {"token": "abc"})
    fails(pod, "spec.model.credentialsSecretRef: ", "401", "check the Secret's token")
    assert "abc" not in pod.log()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"user": "me"}, "does not exist, or has none of the keys that are used"),
        ({}, "does not exist"),
        ({"username": "me"}, "the Secret has username;"),
        ({"token": "a", "username": "me", "password": "x"}, "either token, or username and password"),
        ({"token": "a\nb: c"}, "characters that no header can carry"),
    ],
)
def test_a_secret_that_cannot_be_used(fetcher: Callable[..., Pod], keys: dict[str, str], words: str) -> None:
    pod = fetcher()
    secret(pod, keys)
    fails(pod, "spec.model.credentialsSecretRef: ", words)


def secret(pod: Pod, keys: dict[str, str]) -> None:
    folder = pod.directory / "credentials"
    folder.mkdir()
    for name, value in keys.items():
        (folder / name).write_text(value)


# -- archives


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


# -- claims and images


@pytest.fixture
def in_claim(tmp_path: Path) -> Pod:
    folder = tmp_path / "mount" / "iris" / "v1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(MODEL)
    return Pod.create(tmp_path, MODEL_URI="pvc://models/iris/v1", MODEL_DIGEST=digest_of(folder))


def test_a_claim_s_folder_is_checked_where_it_is(in_claim: Pod) -> None:
    before = sorted(mount(in_claim).rglob("*"))
    succeeds(in_claim)
    assert sorted(mount(in_claim).rglob("*")) == before


def test_a_claim_s_file_is_checked_where_it_is(in_claim: Pod) -> None:
    in_claim.settings |= {"MODEL_URI": "pvc://models/iris/v1/model.onnx", "MODEL_DIGEST": sha256(MODEL)}
    succeeds(in_claim)


def test_a_claim_whose_files_changed(in_claim: Pod) -> None:
    (mount(in_claim) / "iris" / "v1" / "more").touch()
    fails(in_claim, "spec.model.digest: pvc://models/iris/v1 has sha256:", in_claim.settings["MODEL_DIGEST"])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("iris/v2", "claim models does not hold (in its root: empty, iris, out)"),
        ("out", "leads out of claim models"),
        ("empty", "holds no file"),
    ],
)
def test_a_path_that_no_model_is_at(in_claim: Pod, path: str, words: str) -> None:
    (mount(in_claim) / "empty").mkdir()
    (mount(in_claim) / "out").symlink_to("/etc")
    in_claim.settings["MODEL_URI"] = f"pvc://models/{path}"
    fails(in_claim, "spec.model.uri", words)


def test_a_link_in_a_claim_has_no_digest(in_claim: Pod) -> None:
    (mount(in_claim) / "iris" / "v1" / "link").symlink_to("/etc/passwd")
    fails(in_claim, "spec.model.uri: 'link' in ", "is a link", "cp -RL")


def test_an_image_s_folder_can_be_checked_too(tmp_path: Path) -> None:
    # given
    pod = Pod.create(tmp_path)
    pod.model_directory.mkdir(parents=True)
    (pod.model_directory / "model.onnx").write_bytes(MODEL)
    # when its digest is right, then it starts
    pod.settings["MODEL_DIGEST"] = digest_of(pod.model_directory)
    succeeds(pod)
    # when it is not, then not
    pod.settings["MODEL_DIGEST"] = sha256(b"")
    fails(pod, "spec.model.digest: image:///models/m/v1 has sha256:")


def test_without_a_digest_there_is_nothing_to_do(tmp_path: Path) -> None:
    fails(Pod.create(tmp_path), "spec.model.digest: ")


def test_a_digest_that_is_none(tmp_path: Path) -> None:
    assert run(Pod.create(tmp_path, MODEL_DIGEST="md5:1"))[0] == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read(in_claim: Pod) -> None:
    (mount(in_claim) / "iris" / "v1" / "model.onnx").chmod(0)
    fails(in_claim, "may not be read", "chmod -R a+rX")
