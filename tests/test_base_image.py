"""The base image of what is built here: by its digest, or by its tag where somebody asks for that."""

import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "dev"
DIGEST = f"sha256:{'a1' * 32}"
DOCKER = f"""#!/bin/sh
case "$1 $2" in "image inspect") echo debian@{DIGEST} ;; *) exit 1 ;; esac
"""


def pinned_base(tmp_path: Path, digest: str = "", **asked: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a copy of dev/ whose versions.env has this digest, with a stand-in for docker."""
    copy, programs = tmp_path / "dev", tmp_path / "bin"
    (copy / "images").mkdir(parents=True)
    programs.mkdir()
    for name in ("lib.sh", "settings.sh", "images/pinned-base.sh", "images/way.sh"):
        (copy / name).write_text((SCRIPTS / name).read_text())
        (copy / name).chmod(0o755)
    versions = (SCRIPTS / "versions.env").read_text()
    (copy / "versions.env").write_text(f"{versions}\nBASE_IMAGE_DIGEST={digest}\n")
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    variables = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path), "VIRIDIAN_CACHE": str(tmp_path / "cache")}
    return subprocess.run(
        [copy / "images" / "pinned-base.sh"], env=variables | asked, capture_output=True, text=True, check=False
    )


def test_an_image_of_a_registry_is_pulled_by_its_digest(tmp_path: Path) -> None:
    done = pinned_base(tmp_path, DIGEST, VIRIDIAN_WAY="short")
    assert (done.returncode, done.stdout) == (0, f"debian:bookworm-slim@{DIGEST}\n")


def test_a_tag_alone_is_refused_with_the_line_that_pins_it(tmp_path: Path) -> None:
    # when
    done = pinned_base(tmp_path, VIRIDIAN_WAY="short")
    # then
    assert (done.returncode, done.stdout) == (1, "")
    assert f"BASE_IMAGE_DIGEST={DIGEST} into dev/versions.env" in done.stderr
    assert "docker buildx imagetools inspect debian:bookworm-slim" in done.stderr
    assert "UNPINNED_BASE=1" in done.stderr


def test_what_the_tag_means_today_is_taken_when_it_is_asked_for(tmp_path: Path) -> None:
    done = pinned_base(tmp_path, VIRIDIAN_WAY="short", UNPINNED_BASE="1")
    assert (done.returncode, done.stdout) == (0, "")
    assert "what debian:bookworm-slim means today" in done.stderr


@pytest.mark.parametrize("digest", ["latest", "sha256:12", DIGEST.upper()])
def test_what_is_no_digest_is_refused(tmp_path: Path, digest: str) -> None:
    done = pinned_base(tmp_path, digest, VIRIDIAN_WAY="short", UNPINNED_BASE="1")
    assert done.returncode == 1
    assert "write sha256: and 64 hexadecimal digits" in done.stderr


def test_a_base_that_is_made_from_packages_has_no_digest(tmp_path: Path) -> None:
    done = pinned_base(tmp_path, VIRIDIAN_WAY="long")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
