"""What a version is asked: the golden requests and the sample in its model's folder."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from viridian_serving.artifacts.golden_file import GOLDEN_FILE
from viridian_serving.artifacts.sample_file import SAMPLE_FILE, read_sample
from viridian_serving.checks.golden import Golden, load
from viridian_serving.http1.client import Reply


def read_golden(folder: Path) -> list[Golden]:
    """Return the golden requests of a folder; none where it has no such file.

    Raises:
        ValueError: A line is no golden request; the message says which and why.
    """
    file = folder / GOLDEN_FILE
    return load(file.read_bytes()) if file.is_file() else []


async def sample_body(folder: Path, get: Callable[[str], Awaitable[Reply]]) -> bytes:
    """Return a body for /predict: the sample of the folder, or else the example of the schema.

    Args:
        folder: The model's.
        get: Reads a document of what is served, such as /schema.

    Raises:
        ValueError: There is neither.
    """
    found = read_sample(folder)
    if found is not None:
        return found
    reply = await get("/schema")
    if reply.status != 200:
        raise ValueError(f"/schema is answered with status {reply.status}; put a {SAMPLE_FILE} beside the model")
    return json.dumps(json.loads(reply.body)["example"]).encode()
