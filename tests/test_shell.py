"""`. dev/env.sh` points a shell at the local cluster, and leaves the rest of it alone."""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.parametrize(("folder", "file"), [(".", "dev/env.sh"), ("dev", "./env.sh"), ("docs", "../dev/env.sh")])
def test_a_shell_gets_the_cluster_and_its_programs_and_nothing_else(tmp_path: Path, folder: str, file: str) -> None:
    # given a shell with a cache in a folder of an awkward name
    cache = tmp_path / "my cache"
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "VIRIDIAN_CACHE": str(cache)}
    # when
    done = subprocess.run(
        ["bash", "-euc", f"compgen -v > {tmp_path}/before; . {file}; compgen -v; echo; env -0"],
        env=variables,
        cwd=REPOSITORY / folder,
        capture_output=True,
        text=True,
        check=True,
    )
    # then
    names, _, exported = done.stdout.partition("\n\n")
    own = {"PIPESTATUS"}  # bash's, after the first command
    assert set(names.splitlines()) - set((tmp_path / "before").read_text().splitlines()) - own == {"KUBECONFIG"}
    found = dict(pair.split("=", 1) for pair in exported.split("\0") if pair)
    assert found["KUBECONFIG"] == f"{cache}/kubeconfig"
    assert found["PATH"] == f"{cache}/bin:/usr/bin:/bin:/usr/sbin:/sbin"
