"""Unix sockets anywhere: the kernel takes no address of more than 107 bytes, however long paths are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Give a short address of a socket, for as long as the context lasts; it leads through the folder, opened.

    Args:
        path: The socket's; its folder exists.

    Raises:
        OSError: The folder cannot be opened.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
