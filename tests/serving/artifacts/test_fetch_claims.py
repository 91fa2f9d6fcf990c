"""The fetch container and models that are there already: in a claim, in an image."""

import os
from pathlib import Path

import pytest
from tests.serving.fetching import MODEL, fails, fetched, mount, run, succeeds
from tests.serving.files import sha256
from tests.serving.pod import Pod

from viridian_shared.digest import digest_of


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


@pytest.fixture
def in_volume(tmp_path: Path) -> Pod:
    """An image that the kubelet has mounted."""
    pod = Pod.create(tmp_path, MODEL_URI=f"oci://ghcr.io/acme/iris@{sha256(b'')}", MODEL_MOUNTED="true")
    (mount(pod) / "models").mkdir(parents=True)
    (mount(pod) / "models" / "model.onnx").write_bytes(MODEL)
    return pod


def test_a_mounted_image_is_used_as_it_is(in_volume: Pod) -> None:
    # when its registry alone vouches for it, then nothing is fetched
    succeeds(in_volume)
    assert not fetched(in_volume).exists()
    # when there is a digest as well, then it is checked
    in_volume.settings["MODEL_DIGEST"] = digest_of(mount(in_volume) / "models")
    succeeds(in_volume)
    in_volume.settings["MODEL_DIGEST"] = sha256(b"")
    fails(in_volume, "spec.model.digest: oci://ghcr.io/acme/iris@sha256:", " has sha256:")


def test_an_image_without_a_model(in_volume: Pod) -> None:
    (mount(in_volume) / "models").rename(mount(in_volume) / "churn")
    fails(in_volume, "spec.model.uri: the image has no /models (in its root: churn)")
    (mount(in_volume) / "models").symlink_to("/etc")
    fails(in_volume, "spec.model.uri: /models is a link that leads out of the image")


def test_a_cluster_without_image_volumes(in_volume: Pod) -> None:
    mount(in_volume).rename(in_volume.directory / "elsewhere")
    fails(in_volume, "spec.model.mount: no image is mounted", "remove it, and the image is fetched")


def test_without_a_digest_there_is_nothing_to_do(tmp_path: Path) -> None:
    fails(Pod.create(tmp_path), "spec.model.digest: ")


def test_a_digest_that_is_none(tmp_path: Path) -> None:
    assert run(Pod.create(tmp_path, MODEL_DIGEST="md5:1"))[0] == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read(in_claim: Pod) -> None:
    (mount(in_claim) / "iris" / "v1" / "model.onnx").chmod(0)
    fails(in_claim, "may not be read", "chmod -R a+rX")
