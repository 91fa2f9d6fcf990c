"""Secrets of stores that cannot be used, and that what is said of them holds none."""

from pathlib import Path

import pytest

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.stores.opening import open_store
from viridian_serving.artifacts.stores.secret import hidden
from viridian_serving.artifacts.stores.source import Source

URIS = {
    "s3": "s3://models/iris",
    "gs": "gs://acme-models/iris",
    "az": "az://acmemodels/models/iris",
    "hf": f"hf://acme/iris@{'0a' * 20}",
}


KEY_ID, KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS"


@pytest.mark.parametrize(
    ("store", "keys", "words"),
    [
        ("s3", {KEY_ID: "a"}, f"has the keys {KEY_ID}; it must have {KEY_ID} and {KEY}"),
        ("s3", {"token": "a"}, "has the keys token; it must have"),
        ("s3", {KEY_ID: "a", KEY: "hush-\nhush"}, f"key {KEY} has characters that no header can carry"),
        ("gs", {GOOGLE: "/etc/hush-hush.json"}, "is not the JSON of a service account's key"),
        ("gs", {GOOGLE: '{"type": "hush-hush"}'}, "write the whole file"),
        ("az", {"AZURE_STORAGE_KEY": "hush-hush"}, "they cannot be used"),
        ("az", {"AZURE_TENANT_ID": "a", "AZURE_CLIENT_ID": "b"}, "AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"),
        ("hf", {"token": "hush-hush"}, "it must have HF_TOKEN"),
        ("hf", {}, "does not exist, or is empty"),
    ],
)
def test_a_secret_that_cannot_be_used(tmp_path: Path, store: str, keys: dict[str, str], words: str) -> None:
    # given
    for name, value in keys.items():
        (tmp_path / name).write_text(value)
    # when
    with pytest.raises(ModelError) as told:
        open_store(Source(URIS[store], 1.0, credentials_dir=tmp_path))
    # then
    assert str(told.value).startswith("spec.model.credentialsSecretRef: ")
    assert words in str(told.value)
    assert "hush" not in str(told.value)


def test_the_longest_secret_is_hidden_first() -> None:
    assert hidden("key=abcdef, id=abc", ["abc", "abcdef", ""]) == "key=…, id=…"
