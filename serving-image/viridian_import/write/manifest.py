"""The ModelDeployment of a version."""

from collections.abc import Mapping
from typing import Final

import yaml

from viridian_shared.model_format import NATIVE

_HEAD: Final = """\
# {name} {version}, as viridian import wrote it. Check what is behind "set", and then: kubectl apply -f {file}
apiVersion: viridian.dev/v1alpha1
kind: ModelDeployment
metadata:
  name: {name}
spec:
  model:
    version: {version}
    uri: {uri}
    digest: {digest}
    format: {format}
"""
_TRUSTED: Final = """\
    trusted: true   # loading the file runs the code in it: remove this unless you trust its author
"""
_STORE: Final = """\
    # credentialsSecretRef: {name: …}   # set: the Secret that reads the bucket, unless the pods' own identity may
"""
_IMAGE: Final = """\
  serving:
    image: {image}   # set: the serving image {what}
"""
_TRAFFIC: Final = """\
  traffic:
    parentRefs:
      - name: public   # set: your Gateway
    path: /{name}
"""


def manifest(
    *,
    name: str,
    version: str,
    uri: str,
    store: Mapping[str, str],
    digest: str,
    form: str,
    trusted: bool,
    file: str,
) -> str:
    """Write the manifest.

    Args:
        name: Of the model.
        version: Of the model.
        uri: Where its files will be.
        store: How to reach the store of that address, as in spec.model.store.
        digest: Of the files.
        form: Its format.
        trusted: Whether it has to be trusted.
        file: What the manifest is called.

    Returns:
        YAML.
    """
    head = _HEAD.format(name=name, version=_word(version), uri=_word(uri), digest=digest, format=form, file=file)
    image = f"registry.example.com/{name}:{version}"
    needs = ["built with its requirements.txt (MODEL_REQUIREMENTS)"] if form in NATIVE else []
    needs += [f"with the folder {uri.removeprefix('image://')} in it"] if uri.startswith("image:") else []
    serving = _IMAGE.format(image=image, what=", and ".join(needs)) if needs else ""
    return head + (_TRUSTED if trusted else "") + _store(uri, store) + serving + _TRAFFIC.format(name=name)


def _store(uri: str, store: Mapping[str, str]) -> str:
    if uri.startswith(("image:", "pvc:")):
        return ""
    settings = "".join(f"      {key}: {_word(value)}\n" for key, value in store.items())
    return _STORE + (f"    store:\n{settings}" if settings else "")


def _word(text: str) -> str:
    """A string as YAML has it: a version such as 1.0 would be a number."""
    return yaml.safe_dump(text, width=10**9).removesuffix("\n").removesuffix("\n...")
