"""Until when the operator's credentials are valid."""

import base64
import json
import subprocess
import time
from pathlib import Path

import pytest

from viridian.controller.exporting.credentials import CredentialsExpiry, token_expiry

TOKEN, AUTHORITY = (f"viridian_operator_{what}_expiry_timestamp_seconds" for what in ("token", "authority"))


def token(**claims: object) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256"}, claims))
    return ".".join((*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "signature"))


def authority(days: int) -> str:
    """A certificate that is good for so many days from now."""
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    call = [*made, "-keyout", "/dev/null", "-subj", "/CN=authority", "-days", str(days)]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout


def seen(folder: Path) -> dict[str, float]:
    return {sample.name: sample.value for family in CredentialsExpiry(folder).collect() for sample in family.samples}


def test_outside_a_cluster_there_is_nothing(tmp_path: Path) -> None:
    assert seen(tmp_path) == {}


def test_the_token_and_the_authority_that_expires_first(tmp_path: Path) -> None:
    # given
    (tmp_path / "token").write_text(token(exp=1_800_000_000, aud=["api"]))
    (tmp_path / "ca.crt").write_text(authority(400) + authority(30))
    # then
    found = seen(tmp_path)
    assert found[TOKEN] == 1_800_000_000
    assert found[AUTHORITY] == pytest.approx(time.time() + 30 * 24 * 3600, abs=120)


@pytest.mark.parametrize(
    "files", [{"token": "no token"}, {"token": "a.!.c"}, {"token": token()}, {"token": "a.W10.c"}, {"ca.crt": "no PEM"}]
)
def test_what_cannot_be_read_has_no_series_and_does_not_break_the_page(files: dict[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert seen(tmp_path) == {}


def test_a_token_without_an_end() -> None:
    assert token_expiry(token(sub="viridian")) is None
