"""The Secret of ``spec.model.credentialsSecretRef`` for a store: a file for each key."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from viridian_serving.artifacts.locate import CredentialsError

FIELD = "spec.model.credentialsSecretRef"


def read_secret(directory: Path, *choices: Sequence[str], optional: Sequence[str] = ()) -> Mapping[str, str]:
    """Read the keys that a store needs.

    Args:
        directory: Where the Secret is mounted; it is missing where the spec names none.
        choices: Sets of keys; the first one that is there as a whole is used.
        optional: Keys that may be there as well.

    Returns:
        The values of one of the choices; empty without a Secret, where the pod's own identity is meant.

    Raises:
        CredentialsError: The Secret does not exist, none of the choices is there, or a value is no text.
    """
    if not directory.is_dir():
        return {}
    for keys in choices:
        found = {key: value for key in keys if (value := _value(directory / key))}
        if len(found) == len(keys):
            return found | {key: value for key in optional if (value := _value(directory / key))}
    wanted = ", or ".join(" and ".join(keys) for keys in choices)
    has = sorted(entry.name for entry in directory.iterdir() if not entry.name.startswith("."))
    what = f"has the keys {', '.join(has)}" if has else "does not exist, or is empty"
    raise CredentialsError(f"{FIELD}: the Secret {what}; it must have {wanted}")


def has_keys(directory: Path, beginning: str) -> bool:
    """Return whether a Secret has a key that begins so: one Secret may have those of two stores."""
    return directory.is_dir() and any(entry.name.startswith(beginning) for entry in directory.iterdir())


def hidden(text: str, secrets: Iterable[str]) -> str:
    """Return a text without the secrets in it."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


def _value(file: Path) -> str:
    try:
        text = file.read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{FIELD}: key {file.name} cannot be read ({error}); write it as text") from error
    # Only JSON, which is in no header, has more than one line.
    if not text.startswith("{") and not (text.isascii() and text.isprintable()):
        raise CredentialsError(
            f"{FIELD}: key {file.name} has characters that no header can carry; write one line of text"
        )
    return text
