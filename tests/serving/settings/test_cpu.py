"""CPU limits, as Kubernetes writes them."""

from pathlib import Path

import pytest

from viridian_serving.settings.cpu import cgroup_limit, inference_threads, parse_cpus


@pytest.mark.parametrize(("text", "cores"), [("2", 2), ("0.5", 0.5), ("500m", 0.5), ("1500m", 1.5)])
def test_cpu_quantity_is_read(text: str, cores: float) -> None:
    assert parse_cpus(text) == cores


@pytest.mark.parametrize("text", ["", "0", "-1", "two", "1k", "inf", "nan", "m"])
def test_what_is_no_cpu_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number of CPUs"):
        parse_cpus(text)


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
    ids=["v2", "v2 without a limit", "v1", "v1 without a limit", "no cgroups"],
)
def test_cgroup_limit_of_both_versions(tmp_path: Path, files: dict[str, str], limit: float | None) -> None:
    # given
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    # when, then
    assert cgroup_limit(tmp_path) == limit


@pytest.mark.parametrize(
    ("limit", "available", "threads"), [(None, 8, 8), (2.0, 8, 2), (1.9, 8, 1), (0.25, 8, 1), (16.0, 4, 4)]
)
def test_threads_never_exceed_the_limit(limit: float | None, available: int, threads: int) -> None:
    assert inference_threads(limit, available) == threads
