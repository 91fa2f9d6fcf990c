"""The Secret of the prediction log, as a folder of files."""

from pathlib import Path

import pytest
from tests.serving.files import make_certificate

from viridian_serving.settings.file_watch import LiveFileError
from viridian_serving.telemetry.log_secret import LogSecret, read_secret


def folder(directory: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        file = directory / name.replace("_", "-").replace("ca-crt", "ca.crt")
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return directory


def test_a_secret_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert read_secret(tmp_path / "nowhere") == LogSecret()
    assert LogSecret().holds == "nothing"


def test_every_key_is_read_and_none_is_repeated(tmp_path: Path) -> None:
    # given
    certificate, _ = make_certificate(tmp_path)
    files = {"headers": "authorization=Bearer%20abc=, x-scope=1\n", "hash_key": "0123456789abcdef\n"}
    # when
    secret = read_secret(folder(tmp_path, **files, ca_crt=certificate.read_text()))
    # then
    assert secret.headers == {"authorization": "Bearer abc=", "x-scope": "1"}
    assert secret.hash_key == "0123456789abcdef"
    assert secret.ca == certificate.read_text().strip()
    assert secret.holds == "headers, hash-key, ca.crt"
    assert repr(secret) == "LogSecret()"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"headers": "sesame"}, "/headers is no list of headers; write NAME=VALUE"),
        ({"headers": "a b=sesame"}, "/headers is no list of headers"),
        ({"headers": "=sesame"}, "/headers is no list of headers"),
        ({"headers": "a=sesame%0d%0aX: y"}, "/headers is no list of headers"),
        ({"headers": "a=sesame\nb=c"}, "/headers is no list of headers"),
        ({"headers": "a=sesame%C3%A9"}, "/headers is no list of headers"),
        ({"hash_key": "sesame"}, "/hash-key has fewer than 16 characters"),
        ({"hash_key": b"sesame and more \xff\xfe"}, "may hold only ASCII characters"),
        ({"ca_crt": "sesame"}, "/ca.crt holds no certificates that can be used"),
    ],
)
def test_what_cannot_be_used_is_named_without_its_value(
    tmp_path: Path, files: dict[str, str | bytes], told: str
) -> None:
    with pytest.raises(LiveFileError) as raised:
        read_secret(folder(tmp_path, **files))
    assert told in str(raised.value)
    assert "sesame" not in str(raised.value)


def test_a_key_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "headers").mkdir()
    with pytest.raises(LiveFileError, match="headers cannot be read: Is a directory"):
        read_secret(tmp_path)
