"""What is special about registries of images: artifacts, images, indexes, pull secrets; before a real registry."""

import gzip
import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.serving.artifacts.stores.expected import says_none_of
from tests.serving.fetching import fails, fetched, peak_of, succeeds
from tests.serving.places import Place, oci_place, pull_secret, write_secret
from tests.serving.registry_server import MANIFEST, PASSWORD, USER, Images, Layer
from tests.serving.store_servers import Reply, StoreHandler, StoreServer, send, serving

from viridian_serving.artifacts.stores.digest import digest_of_source
from viridian_serving.artifacts.stores.source import Source
from viridian_shared.digest import digest_of

pytestmark = pytest.mark.serving

MODEL = b"model" * 1000
OF_IMAGE = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with oci_place(tmp_path_factory.mktemp("oci")) as place:
        place.put("iris/model.onnx", MODEL)
        yield place


@pytest.fixture
def place(shared: Place) -> Place:
    shared.server.forget()
    return shared


@pytest.fixture
def images(place: Place) -> Images:
    assert isinstance(place.server, Images)
    return place.server


def archive(files: dict[str, bytes | None], links: dict[str, str] | None = None) -> bytes:
    """A .tar.gz; None is a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as opened:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content or b"")
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            opened.addfile(info, io.BytesIO(content or b""))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            opened.addfile(info)
    return gzip.compress(out.getvalue())


def of_image(files: dict[str, bytes | None], links: dict[str, str] | None = None) -> Layer:
    return Layer(archive(files, links), OF_IMAGE)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_an_image_is_the_files_in_its_models_folder(place: Place, images: Images, tmp_path: Path) -> None:
    # given an image with a system, and a layer that changes what is below it
    images.push(
        "image",
        [
            of_image({"bin/sh": b"code", "etc/": None}, {"lib": "usr/lib"}),
            of_image({"models/": None, "models/old.txt": b"1", "models/model.onnx": b"old", "models/a/b.txt": b"2"}),
            of_image({"models/.wh.old.txt": b"", "models/a/.wh..wh..opq": b"", "models/a/c.txt": b"3"}),
            of_image({"models/model.onnx": MODEL}),
        ],
    )
    # when
    pod = place.pod(tmp_path, "image", None)
    succeeds(pod)
    # then
    assert tree(fetched(pod)) == {"model.onnx": MODEL, "a/c.txt": b"3"}
    # and it is not fetched again
    images.seen.clear()
    succeeds(pod)
    assert not images.seen


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (of_image({"srv/model.onnx": MODEL}), "has nothing in /models"),
        (of_image({"models/model.onnx": MODEL}, {"models/other.onnx": "/etc/shadow"}), "is a link"),
        (of_image({"models/../../escaped": b""}), "a path that leads out"),
        (Layer(archive({"models/model.onnx": MODEL})[:-40], OF_IMAGE), "a layer is damaged"),
        (Layer(b"", OF_IMAGE.replace("gzip", "zstd")), "push it with gzip"),
    ],
)
def test_an_image_that_cannot_be_used(place: Place, images: Images, tmp_path: Path, layer: Layer, words: str) -> None:
    images.push("image", [layer])
    fails(place.pod(tmp_path, "image", None), "spec.model.uri: ", words)
    assert not (tmp_path / "escaped").exists()


def test_a_folder_that_oras_packed_beside_a_file(place: Place, images: Images, tmp_path: Path) -> None:
    # given what `oras push … model/ labels.txt` makes
    folder = {"org.opencontainers.image.title": "model", "io.deis.oras.content.unpack": "true"}
    packed = Layer(archive({"model/": None, "model/model.onnx": MODEL}), OF_IMAGE, folder)
    images.push("packed", [packed, Layer.file("labels.txt", b"cat\n")])
    # when
    pod = place.pod(tmp_path, "packed", None)
    succeeds(pod)
    # then
    assert tree(fetched(pod)) == {"model/model.onnx": MODEL, "labels.txt": b"cat\n"}


@pytest.mark.parametrize(
    "layers",
    [
        [
            Layer(MODEL, "application/vnd.cncf.model.weight.v1.raw", {"org.cncf.model.filepath": "model.onnx"}),
            Layer(b"cat\n", "application/vnd.cncf.model.doc.v1.raw", {"org.cncf.model.filepath": "labels.txt"}),
        ],
        [
            Layer(
                archive({"model.onnx": MODEL}),
                "application/vnd.cncf.model.weight.v1.tar+gzip",
                {"org.cncf.model.filepath": "model.onnx"},
            ),
            Layer(archive({"labels.txt": b"cat\n"}), "application/vnd.cncf.model.doc.v1.tar+gzip"),
        ],
        [
            Layer(archive({"model.onnx": MODEL}), "application/vnd.kitops.modelkit.model.v1.tar+gzip"),
            Layer(archive({"labels.txt": b"cat\n"}), "application/vnd.kitops.modelkit.docs.v1.tar+gzip"),
        ],
    ],
    ids=["ModelPack, files", "ModelPack, archives", "KitOps"],
)
def test_other_tools_layers(place: Place, images: Images, tmp_path: Path, layers: list[Layer]) -> None:
    images.push("other", layers)
    pod = place.pod(tmp_path, "other", None)
    succeeds(pod)
    assert tree(fetched(pod)) == {"model.onnx": MODEL, "labels.txt": b"cat\n"}


def test_a_single_archive_is_unpacked(place: Place, images: Images, tmp_path: Path) -> None:
    images.push("archive", [Layer.file("iris.tar.gz", archive({"model.onnx": MODEL}))])
    pod = place.pod(tmp_path, "archive", None)
    succeeds(pod)
    assert tree(fetched(pod)) == {"model.onnx": MODEL}


def test_a_layer_that_is_no_file_with_a_title(place: Place, images: Images, tmp_path: Path) -> None:
    images.push("hidden", [Layer.file(".layers/manifest.json", b"{}"), Layer.file("model.onnx", MODEL)])
    fails(place.pod(tmp_path, "hidden", None), "spec.model.uri: ", "whose name is used here")


def test_an_index_leads_to_the_image_for_this_machine(place: Place, images: Images, tmp_path: Path) -> None:
    # given one with another machine's image, and an attestation as buildx adds it
    ours = images.push("index", [of_image({"models/model.onnx": MODEL})])
    others = images.push("index", [of_image({"models/model.onnx": b"for others"})])
    listed = [
        {"mediaType": MANIFEST, "digest": others, "size": 1, "platform": {"os": "linux", "architecture": "s390x"}},
        {"mediaType": MANIFEST, "digest": others, "size": 1, "platform": {"os": "unknown", "architecture": "unknown"}},
        *(
            {"mediaType": MANIFEST, "digest": ours, "size": 1, "platform": {"os": "linux", "architecture": machine}}
            for machine in ("amd64", "arm64")
        ),
    ]
    images.push_manifest("index", {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})
    # when
    pod = place.pod(tmp_path, "index", None)
    succeeds(pod)
    # then
    assert tree(fetched(pod)) == {"model.onnx": MODEL}


def test_a_registry_that_lies(place: Place, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given one that answers another manifest than it is asked for
    answer = images.answer

    def lying(handler: StoreHandler) -> Reply:
        reply = answer(handler)
        return Reply(200, {}, reply.body + b" ") if "/manifests/" in handler.path else reply

    monkeypatch.setattr(images, "answer", lying)
    fails(place.pod(tmp_path, "iris", None), "spec.model.uri: ", "answers the manifest sha256:", "something on the way")


def test_a_layer_that_is_damaged_on_the_way(place: Place, images: Images, tmp_path: Path) -> None:
    def damaged(handler: StoreHandler, reply: Reply) -> None:
        send(handler, Reply(reply.status, reply.headers, reply.body[::-1]))

    images.always = damaged
    fails(place.pod(tmp_path, "iris", None), "spec.model.uri: ", "something on the way changes it")


@dataclass
class Elsewhere(StoreServer):
    """Where a registry keeps its blobs, for those who know an address."""

    content: bytes = b""
    valid: set[str] = field(default_factory=set)

    def answer(self, handler: StoreHandler) -> Reply:
        return handler.part_of(self.content) if handler.path in self.valid else Reply(403, {}, b"Request has expired")


def test_blobs_that_are_elsewhere(place: Place, images: Images, tmp_path: Path) -> None:
    # given a registry that leads to a store, by an address that is good for two answers
    content = os.urandom(20_000_000)
    images.push("large", [Layer.file("model.onnx", content)])
    store = Elsewhere(content=content)
    pod = place.pod(tmp_path, "large", None)
    with serving(store, tmp_path):

        def lead(handler: StoreHandler, _: Reply) -> None:
            store.valid.add(address := f"/blob?{PERMISSION}{len(store.valid)}")
            send(handler, Reply(307, {"Location": f"{store.url}{address}"}))

        def expire(handler: StoreHandler, _: Reply) -> None:
            store.valid.clear()
            send(handler, Reply(403, {}))

        images.always = lead
        store.faults = [send, send, expire]
        pod.settings["STORE_CA"] = str(both(tmp_path, images, store))
        # when
        succeeds(pod)
    # then
    assert (fetched(pod) / "model.onnx").read_bytes() == content
    # and the registry's token stayed with the registry, and the address in no log
    assert not [each for each in store.seen if "authorization" in each.headers]
    says_none_of(pod, PERMISSION)


PERMISSION = "Signature=what-only-the-client-may-know"


def both(directory: Path, *servers: StoreServer) -> Path:
    """The authorities of several servers."""
    file = directory / "authorities.pem"
    file.write_text("".join(each.ca.read_text() for each in servers if each.ca is not None))
    return file


def test_a_token_is_asked_for_once(place: Place, images: Images, tmp_path: Path) -> None:
    succeeds(place.pod(tmp_path, "iris", None))
    assert len([each for each in images.seen if each.path.startswith("/token?")]) == 1


def test_a_user_and_a_password_do_as_well(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "iris", None)
    (pod.directory / "credentials" / ".dockerconfigjson").unlink()
    write_secret(pod, {"username": USER, "password": PASSWORD})
    succeeds(pod)


def test_without_a_secret(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "iris", None, CREDENTIALS_DIR="/nowhere")
    fails(pod, "spec.model.credentialsSecretRef: ", "UNAUTHORIZED", "check the Secret's .dockerconfigjson")


def test_a_pull_secret_of_another_registry(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "iris", None)
    write_secret(pod, {".dockerconfigjson": pull_secret("ghcr.io", USER, PASSWORD)})
    fails(pod, "spec.model.credentialsSecretRef: ", "has no credentials for localhost:", "but for ghcr.io")
    says_none_of(pod, PASSWORD)


def test_the_digest_of_an_artifact_is_that_of_its_files(
    place: Place, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given what docker login has written on a laptop
    (tmp_path / "config.json").write_text(place.good[".dockerconfigjson"])
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    files = tmp_path / "files"
    files.mkdir()
    (files / "model.onnx").write_bytes(MODEL)
    (files / "schema.yaml").write_bytes(b"inputs: []\n")
    images.push("files", [Layer.file(file.name, file.read_bytes()) for file in files.iterdir()])
    # then
    assert digest_of_source(Source(place.address("files"), 60.0, authorities=images.ca)) == digest_of(files)


def test_a_tag_is_refused(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "", None, MODEL_URI=f"{place.base}iris:v1")
    fails(pod, "spec.model.uri: ", "a tag can mean other files tomorrow", "oras resolve")


def test_a_manifest_without_layers(place: Place, images: Images, tmp_path: Path) -> None:
    images.push("empty", [])
    fails(place.pod(tmp_path, "empty", None), "spec.model.uri: ", "has no layers", "push the model's files with oras")


def test_memory_does_not_grow_with_the_model(place: Place, images: Images, tmp_path: Path) -> None:
    images.push("enormous", [Layer.file("model.onnx", os.urandom(1_000_000) * 250)])
    peak = peak_of(place.pod(tmp_path, "enormous", None))
    assert 20 < peak < 150, f"{peak} MiB"
