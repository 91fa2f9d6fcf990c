"""The fetch container against a real https server that has good and bad days."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.serving import files
from tests.serving.fetching import MODEL, fails, fetched, mount, run, succeeds
from tests.serving.files import FileServer, file_server, sha256
from tests.serving.pod import Pod
from tests.waiting import eventually

from viridian_shared.pod.exit_codes import FETCH_NO_ROOM

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
    eventually(lambda: len(server.seen) == 2, pod.log)
    # when the process is killed and the kubelet starts it again
    process.kill()
    process.wait()
    succeeds(pod)
    # then
    assert server.seen[2].headers["range"] == "bytes=100000-"
    assert sum(seen.sent for seen in server.seen) == len(MODEL)


def test_sigterm_ends_it_at_once(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    server.always = files.silent
    process = fetcher().start_fetch_alone()
    eventually(lambda: server.seen)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM


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


def test_wrong_bytes_without_a_length_are_fetched_once(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    def chunked(handler: files.Handler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.send(b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")

    server.always = chunked
    fails(fetcher(MODEL_DIGEST=sha256(b"other")), "spec.model.digest: ", sha256(MODEL))
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
    fails(pod, "spec.model.uri: the certificate of ", "is not trusted", "spec.model.store.caConfigMap")
    assert not server.seen


def test_an_authority_that_the_spec_names_is_trusted(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    pod = fetcher(STORE_CA=str(server.ca))
    del pod.environ["SSL_CERT_FILE"]
    succeeds(pod)


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
    server: FileServer, fetcher: Callable[..., Pod], authority: Path, keys: dict[str, str], header: str
) -> None:
    # given a server that sends its client on, first to itself, then to another
    with file_server(authority) as other:
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


@pytest.mark.usefixtures("server")
def test_a_full_disk_is_told_from_other_failures(fetcher: Callable[..., Pod]) -> None:
    # given a disk that has room for nothing any more: the last file to be written stands on it
    pod = fetcher()
    mount(pod).mkdir(exist_ok=True)
    (mount(pod) / "model.digest").symlink_to("/dev/full")
    # when
    code, sentence = run(pod)
    # then
    assert code == FETCH_NO_ROOM
    assert "No space left on device" in sentence
    assert "see whether the node's disk is full" in sentence
