"""Settings that take effect in a running pod: its file is a ConfigMap's, which the kubelet swaps when it changes.

They say how requests are handled, not what the model answers, so that a change of them needs no new pods.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from viridian_serving.config import PositiveSeconds, Seconds, Size

LOG = logging.getLogger("viridian.api")

PERIOD: Final = 2.0
"""Seconds between two looks at the file. The kubelet itself takes up to a minute or two."""


class LiveSettingsError(Exception):
    """The file cannot be used; the message says why."""


class _Part(BaseModel):
    # A newer operator may write what this image does not know.
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class CacheSettings(_Part):
    """Which answers may be given again."""

    ttl: PositiveSeconds
    """Seconds for which an answer is as good as new."""
    stale_if_error: Seconds = 0.0
    """Seconds for which an answer is better than an error."""
    max_size: Size = 64 << 20
    """Bytes of memory."""


class RateLimitSettings(_Part):
    """How many requests one client may send to one pod."""

    requests_per_second: Annotated[float, BeforeValidator(float), Field(gt=0, allow_inf_nan=False)]
    burst: Annotated[int, Field(ge=1)] | None = None
    """Requests that may come together after a pause; by default those of one second."""
    client_header: str | None = None
    """The header that names the client, set by the gateway and by nobody else; None goes by the client's address."""


class LiveSettings(_Part):
    """All of them; what is absent is off."""

    cache: CacheSettings | None = None
    rate_limit: RateLimitSettings | None = None


def read(file: Path) -> LiveSettings:
    """Read the file; one that is not there is an empty one.

    Raises:
        LiveSettingsError: It cannot be read or used.
    """
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return LiveSettings()
    except OSError as error:
        raise LiveSettingsError(f"{file} cannot be read: {error.strerror}") from error
    try:
        return LiveSettings.model_validate_json(text)
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise LiveSettingsError(f"{file} cannot be used: {told}") from error


class LiveWatch:
    """Follows the file."""

    def __init__(self, file: Path, apply: Callable[[LiveSettings], None]) -> None:
        """Prepare.

        Args:
            file: May come and go.
            apply: Is given the settings at first, and whenever they have changed. While the file cannot be used, the
                settings stay as they are.
        """
        self._file = file
        self._apply = apply
        self._seen: object = ()
        self._current: LiveSettings | None = None

    async def run(self) -> None:
        """Follow it for ever."""
        while True:
            self.look()
            await asyncio.sleep(PERIOD)

    def look(self) -> None:
        """Look once."""
        seen = _identity(self._file)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            settings = read(self._file)
        except LiveSettingsError as error:
            LOG.error("%s; everything stays as it was until that is mended", error)  # noqa: TRY400  the user's file
            return
        if settings != self._current:
            self._current = settings
            LOG.info("settings: %s", settings.model_dump_json(by_alias=True, exclude_none=True))
            self._apply(settings)


def _identity(file: Path) -> object:
    """What changes when the file does: the kubelet swaps a link, an editor may write in place."""
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
