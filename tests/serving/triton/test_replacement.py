"""The API's word that Triton is of no use any more."""

from pathlib import Path

import pytest

from viridian_serving.triton import replacement


def test_it_is_taken_once(tmp_path: Path) -> None:
    assert not replacement.is_asked_for(tmp_path)
    replacement.ask_for(tmp_path)
    replacement.ask_for(tmp_path)
    assert replacement.is_asked_for(tmp_path)
    assert not replacement.is_asked_for(tmp_path)


def test_a_volume_that_cannot_be_written_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    replacement.ask_for(tmp_path / "gone")
    assert "so Triton is not stopped" in caplog.text
