"""The Secret of ``spec.model.credentialsSecretRef``, as files."""

import base64
from pathlib import Path

from viridian_serving.artifacts.locate import CredentialsError

_FIELD = "spec.model.credentialsSecretRef"


def read_authorization(directory: Path) -> str:
    """Make the request header from the Secret's keys.

    Args:
        directory: Where the Secret is mounted; it is missing where the spec names none.

    Returns:
        The value of ``Authorization``; empty without a Secret.

    Raises:
        ModelError: The Secret has other keys than a token, or a user name and a password, or values that no header can
            carry.
    """
    if not directory.is_dir():
        return ""
    found = {name: _value(directory / name) for name in ("token", "username", "password")}
    given = {name for name, value in found.items() if value}
    if given == {"token"}:
        return bearer(found["token"])
    if given == {"username", "password"}:
        return basic(found["username"], found["password"])
    has = f"has {' and '.join(sorted(given))}" if given else "does not exist, or has none of the keys that are used"
    raise CredentialsError(f"{_FIELD}: the Secret {has}; it must have either token, or username and password")


def bearer(token: str) -> str:
    """Return the value of ``Authorization`` for a token."""
    return f"Bearer {token}"


def basic(username: str, password: str) -> str:
    """Return the value of ``Authorization`` for a user."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def _value(file: Path) -> str:
    try:
        text = file.read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{_FIELD}: key {file.name} cannot be read ({error}); write it as text") from error
    if not text.isprintable() or not (text.isascii() or file.name != "token"):
        raise CredentialsError(
            f"{_FIELD}: key {file.name} has characters that no header can carry; write one line of text"
        )
    return text
