"""The certificates of ``spec.model.store.caConfigMap``."""

from pathlib import Path

from viridian_serving.artifacts.locate import ModelError


def read_authorities(file: Path | None) -> str:
    """Read the certificates of one's own authorities.

    Returns:
        Certificates as text; empty without a file.

    Raises:
        ModelError: They cannot be read.
    """
    if file is None:
        return ""
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"spec.model.store.caConfigMap: the certificates cannot be read ({error}); see that the ConfigMap exists "
            "and has the key, with certificates as text (PEM)"
        ) from error


def untrusted(name: str, why: str) -> ModelError:
    """What to say of a server whose certificate nobody vouches for.

    Args:
        name: Of the store.
        why: In the words of the library that looked at it.
    """
    return ModelError(
        f"spec.model.store.caConfigMap: the certificate of {name} is not trusted ({why}); name a ConfigMap with the "
        "certificate of the authority that signed it. The server's own must be another than the authority's"
    )
