"""``oci://REGISTRY/REPOSITORY@sha256:DIGEST``: files in a registry of images, by its HTTP API.

Both ways to keep them there are known: an artifact, whose layers are files with titles (as oras makes them), and an
image, whose layers are archives. The digest is that of the manifest, which has those of the layers, so the address says
what the bytes are.

oras-py is not used: it reads a layer in one answer, with neither ranges nor another try, and without a token that is
renewed meanwhile.
"""

import hashlib
import json
import platform
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import httpx2

from viridian_serving.artifacts.layers import FOLDER, MANIFEST, is_of_image, path_of, title_of
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.stores.docker_config import KEY, read_login
from viridian_serving.artifacts.stores.http_client import (
    Redirects,
    get_document,
    open_client,
    read_part,
    unreachable,
)
from viridian_serving.artifacts.stores.refusal import Refusals
from viridian_serving.artifacts.stores.registry_login import RegistryLogin
from viridian_serving.artifacts.stores.source import Source
from viridian_serving.artifacts.stores.store import Checksum, StoredFile
from viridian_shared.digest import PREFIX

_ADDRESS: Final = re.compile(r"oci://([^/@]+)/([a-z0-9._/-]+)@(sha256:[0-9a-f]{64})")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_DOCKER_HUB: Final = "registry-1.docker.io"


def open_store(source: Source) -> "Registry":
    """Open the repository of ``source.uri``.

    Raises:
        ModelError: The address, the Secret or other settings cannot be used.
    """
    return Registry(source)


class Registry:
    """The files of a manifest, as a ``Store``."""

    is_streamed = False

    def __init__(self, source: Source) -> None:
        """Prepare.

        Raises:
            ModelError: The address, the Secret or other settings cannot be used.
        """
        found = _ADDRESS.fullmatch(source.uri)
        if found is None:
            raise ModelError(
                f"spec.model.uri: {source.uri} is not oci://REGISTRY/REPOSITORY@sha256:DIGEST; a tag can mean other "
                "files tomorrow. oras resolve, or docker buildx imagetools inspect, prints the digest of a tag"
            )
        registry, self._repository, self._digest = found[1], found[2], found[3]
        self._host = _DOCKER_HUB if registry == "docker.io" else registry
        self._shown = source.uri
        login = partial(read_login, source.credentials_dir, registry, self._repository)
        login()  # so that a Secret that is no good is said at once
        self._login = RegistryLogin(login)
        self._client = open_client(source)
        self._redirects = Redirects(self._client)
        self._refusals = Refusals(
            "the registry",
            source.uri,
            f"it says so of what does not exist as well. Correct the address, or check the Secret's {KEY}, or username "
            "and password",
        )
        self._manifest = b""
        self._digests: dict[str, str] = {}
        """Of the layers, by the paths of their files."""

    async def files(self) -> Sequence[StoredFile]:
        """List the layers; where some are archives, also the manifest, which says what to do with them."""
        manifest = await self._read_manifest(self._digest)
        layers = [_known(layer) for layer in _list_of(manifest, "layers")]
        self._refusals.works = True
        if len(layers) == 1 and not is_of_image(layers[0]):
            return [self._stored(layers[0], "")]
        files = [self._stored(layer, path_of(at, layer)) for at, layer in enumerate(layers)]
        if len(self._digests) < len(files) or any(title_of(layer).startswith(FOLDER) for layer in layers):
            raise self._odd("has a file twice, or one whose name is used here")
        if any(file.path.startswith(f"{FOLDER}/") for file in files):
            checksum = Checksum("sha256", hashlib.sha256(self._manifest).hexdigest())
            files.append(StoredFile(MANIFEST, len(self._manifest), checksum.digest, checksum))
        return files

    async def read(self, file: StoredFile, start: int, end: int) -> AsyncIterator[bytes | memoryview]:
        """Read a range of a file."""
        if file.path == MANIFEST:
            yield self._manifest[start:end]
            return
        headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        try:
            url = self._url("blobs", self._digests[file.path])
            async with self._redirects.get(url, headers, auth=self._login) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise self._refusal(answer, answer.text)
                if start and answer.status_code != httpx2.codes.PARTIAL_CONTENT:
                    raise ModelError(f"spec.model.uri: the registry of {self._shown} sends no parts of files")
                async for chunk in read_part(answer, start, end):
                    yield chunk
        except httpx2.HTTPError as error:
            raise unreachable("the registry", error) from None

    async def aclose(self) -> None:
        """Give up the connections."""
        await self._client.aclose()

    def _url(self, kind: str, digest: str) -> str:
        return f"https://{self._host}/v2/{self._repository}/{kind}/{digest}"

    async def _read_manifest(self, digest: str) -> Mapping[str, Any]:
        """Read the manifest with this digest; of an index, that for this machine."""
        headers = {"Accept": ", ".join((*_MANIFESTS, *_INDEXES))}
        url = self._url("manifests", digest)
        try:
            _, self._manifest = await get_document(self._client, url, headers=headers, auth=self._login)
        except httpx2.HTTPStatusError as error:
            raise self._refusal(error.response, str(error)) from None
        except httpx2.HTTPError as error:
            raise unreachable("the registry", error) from None
        if (found := PREFIX + hashlib.sha256(self._manifest).hexdigest()) != digest:
            raise ModelError(
                f"spec.model.uri: the registry answers the manifest {found} for {digest}; something on the way changes "
                "it, or the registry's copy is damaged. Push it again"
            )
        try:
            manifest = json.loads(self._manifest)
        except ValueError:
            manifest = None
        if not isinstance(manifest, dict):
            raise self._odd("is no JSON object")
        if manifest.get("mediaType") in _INDEXES or "manifests" in manifest:
            return await self._read_manifest(self._for_this_machine(_list_of(manifest, "manifests")))
        if not manifest.get("layers"):
            raise self._odd("has no layers")
        return manifest

    def _for_this_machine(self, manifests: Sequence[Mapping[str, Any]]) -> str:
        machine = _MACHINES.get(platform.machine(), platform.machine())
        ours = ({"os": "linux", "architecture": machine}, None)
        known = [each for each in manifests if len(manifests) == 1 or _platform(each) in ours]
        # Those of attestations, which buildx adds, are of an unknown platform.
        if not known or not _DIGEST.fullmatch(str(known[0].get("digest"))):
            raise self._odd(f"has no image for linux/{machine}")
        return str(known[0]["digest"])

    def _stored(self, layer: Mapping[str, Any], path: str) -> StoredFile:
        self._digests[path] = layer["digest"]
        digest = layer["digest"].removeprefix(PREFIX)
        return StoredFile(path, layer["size"], digest, Checksum("sha256", digest))

    def _refusal(self, answer: httpx2.Response, words: str) -> Exception:
        return self._refusals.of(answer, _message(words), self._login.secrets)

    def _odd(self, what: str) -> ModelError:
        return ModelError(
            f"spec.model.uri: the manifest of {self._shown} {what}; push the model's files with oras, or an image that "
            "has them in /models"
        )


def _list_of(manifest: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [each for each in manifest.get(name) or () if isinstance(each, dict)]


def _platform(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    given = manifest.get("platform")
    return {name: given.get(name) for name in ("os", "architecture")} if given else None


def _known(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Hold a layer's descriptor against what is used of it."""
    if not _DIGEST.fullmatch(str(layer.get("digest"))) or not isinstance(layer.get("size"), int):
        raise ModelError(
            f"spec.model.uri: a layer of the manifest has the digest {layer.get('digest')!r}; push it with sha256"
        )
    if str(layer.get("mediaType")).endswith("zstd"):
        raise ModelError("spec.model.uri: a layer is compressed with zstd; push it with gzip, or without compression")
    return layer


def _message(words: str) -> str:
    """Return what a registry says: {"errors": [{"code": …, "message": …}]}."""
    try:
        first = json.loads(words)["errors"][0]
        return f"{first['code']}: {first['message']}"
    except (ValueError, KeyError, IndexError, TypeError):
        return words
