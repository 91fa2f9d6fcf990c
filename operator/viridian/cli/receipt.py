"""What became of a revision, as a document that can be kept, signed and checked: by which counts, bytes and people."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from viridian.api.errors import ViridianError
from viridian.api.names import GROUP

from .model import Json, Model, called

KIND: Final = f"{GROUP}/receipt-v1"
"""What a receipt calls itself, and the namespace of its signature: one that was made for something else is none."""
_SIGNER: Final = "receipt"
_TIMEOUT: Final = 60.0


class NoReceipt(ViridianError):
    """There is nothing to make a receipt of, or it cannot be signed."""


class NotGenuine(ViridianError):
    """A receipt is not what the owner of the key has signed."""


def entry_of(model: Model, wanted: str) -> Json:
    """Return how a rollout ended.

    Args:
        model: the model.
        wanted: a revision or a version, of which the last rollout counts; empty for the last of all.

    Raises:
        NoReceipt: the history has no such rollout.
    """
    for entry in model.history:
        if wanted in {"", entry["revision"], entry["version"]}:
            return entry
    known = ", ".join(dict.fromkeys(map(called, model.history)))
    what = wanted or "any revision"
    raise NoReceipt(f"no rollout of {what} of {model.name} has ended; known are: {known or 'none'}")


def receipt(model: Model, entry: Json, stored: Json | None) -> Json:
    """Return the receipt of a rollout.

    Args:
        model: the model.
        entry: how the rollout ended, from its history.
        stored: the ControllerRevision of its revision; None if that is not kept any more.
    """
    metadata = model.manifest["metadata"]
    return {
        "kind": KIND,
        "model": {"name": model.name, "namespace": model.namespace, "uid": str(metadata.get("uid", ""))},
        "rollout": entry,
        "source": None if stored is None else _source(stored),
    }


def signed(document: Json, key: Path) -> Json:
    """Return a receipt with a signature of it.

    Args:
        document: the receipt.
        key: file of a private key as OpenSSH has it, or of a public one whose private part an agent holds.

    Raises:
        NoReceipt: it cannot be signed.
    """
    made = _ssh_keygen(["-Y", "sign", "-q", "-f", str(key), "-n", KIND], canonical(document))
    if made.returncode:
        raise NoReceipt(f"the receipt cannot be signed with {key}: {_last_line(made.stderr)}")
    return {"receipt": document, "signature": made.stdout.decode()}


def verify(text: str, public_key: str) -> Json:
    """Return the receipt in a text if the owner of a key has signed it.

    Args:
        text: what `signed` returned, as JSON or YAML.
        public_key: a line as in a file `.pub` of OpenSSH.

    Raises:
        NotGenuine: it is no signed receipt, was changed since, or was signed with another key.
    """
    import yaml  # not needed to make one; JSON is YAML

    try:
        document = yaml.safe_load(text)
        found, signature = dict(document["receipt"]), str(document["signature"])
    except (yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise NotGenuine(
            "this is no signed receipt: write one with `kubectl viridian receipt NAME --key FILE`"
        ) from error
    if found.get("kind") != KIND:
        raise NotGenuine(
            f"this receipt is of the kind {found.get('kind')!r}, not {KIND}: take the plugin that wrote it"
        )
    with tempfile.TemporaryDirectory() as folder:
        signers, proof = Path(folder, "signers"), Path(folder, "signature")
        signers.write_text(f"{_SIGNER} {public_key.strip()}\n")
        proof.write_text(signature)
        checked = _ssh_keygen(
            ["-Y", "verify", "-f", str(signers), "-I", _SIGNER, "-n", KIND, "-s", str(proof)], canonical(found)
        )
    if checked.returncode:
        raise NotGenuine(
            "this receipt was changed after it was signed, or signed with another key:"
            f" {_last_line(checked.stderr + checked.stdout)}"
        )
    return found


def canonical(document: Json) -> bytes:
    """Return the bytes that are signed: JSON with sorted keys, without spaces, in UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _source(stored: Json) -> Json:
    """What ran: the model's address and digest, and the images of the pods."""
    data = stored.get("data") or {}
    model = (data.get("input") or {}).get("model") or {}
    pod = ((data.get("template") or {}).get("spec")) or {}
    return {
        **{key: model[key] for key in ("uri", "digest", "format") if model.get(key)},
        "images": {each["name"]: each["image"] for each in pod.get("containers") or []},
    }


def _ssh_keygen(arguments: list[str], text: bytes) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise NoReceipt(
            "ssh-keygen is not in the PATH: install OpenSSH 8.2 or later, which signs and verifies receipts"
        )
    return subprocess.run([program, *arguments], input=text, capture_output=True, check=False, timeout=_TIMEOUT)  # noqa: S603


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "ssh-keygen says nothing"
