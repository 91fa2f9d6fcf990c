"""The API key by which the containers that try a model are let in."""

from viridian_serving.settings.config import Settings


def any_key(settings: Settings) -> str:
    """Return any key of a client, as which one does not matter to a request that is no user's; empty where none is.

    Raises:
        ValueError: The Secret has no key.
    """
    folder = settings.api_keys_dir
    if folder is None:
        return ""
    files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    if not files:
        raise ValueError("spec.serving.apiKeysSecretRef: the Secret has no key")
    return files[0].read_text().strip()
