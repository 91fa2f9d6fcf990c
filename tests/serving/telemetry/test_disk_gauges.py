"""Room on a pod's disks."""

import shutil
from pathlib import Path

import pytest
from tests.serving.pages import samples

from viridian_serving.settings import config
from viridian_serving.telemetry.disk_gauges import DiskGauges, folders

IDENTITY = ("ml", "m", "m-1", "u")


def test_free_and_whole_bytes_of_each_folder_that_is_there(tmp_path: Path) -> None:
    # when
    page = samples(DiskGauges(IDENTITY, {"tmp": tmp_path, "shm": tmp_path / "away"}).collect, "folder")
    # then
    disk = shutil.disk_usage(tmp_path)
    assert page["viridian_disk_size_bytes", "tmp"] == disk.total
    assert page["viridian_disk_free_bytes", "tmp"] == pytest.approx(disk.free, rel=0.05)
    assert len(page) == 2


@pytest.mark.parametrize(
    ("uri", "watched"),
    [
        ("s3://models/iris", {"tmp", "shm", "model"}),
        ("pvc://claim/iris", {"tmp", "shm"}),
        ("image:///m", {"tmp", "shm"}),
    ],
)
def test_a_claim_is_left_out_since_its_server_could_keep_us_waiting(uri: str, watched: set[str]) -> None:
    told = {"NAMESPACE": "ml", "REVISION": "m-1", "COLOR": "blue", "POD_UID": "u", "MODEL": "m", "MODEL_VERSION": "v1"}
    settings = config.load({f"VIRIDIAN_{name}": value for name, value in {**told, "MODEL_URI": uri}.items()})
    assert folders(settings).keys() == watched
