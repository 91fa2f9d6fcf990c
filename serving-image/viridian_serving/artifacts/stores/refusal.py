"""What is raised when a store by HTTP answers an error: another try, the address, or the credentials."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import httpx2

from viridian_serving.artifacts.locate import CredentialsError, ModelError
from viridian_serving.artifacts.retries import PassingError
from viridian_serving.artifacts.stores.http_client import asked_pause, is_passing, words_of
from viridian_serving.artifacts.stores.secret import FIELD as CREDENTIALS

_REFUSED: Final = (401, 403)


@dataclass
class Refusals:
    """Those of one store."""

    store: str
    """Its name in a sentence."""
    shown: str
    """The address of the model."""
    way_out: str
    """What to do about credentials that are refused."""
    works: bool = False
    """Whether the credentials were good before, so that they may have been renewed at the next try."""

    def of(
        self, answer: httpx2.Response, words: str, secrets: Iterable[str], *, refused: bool = False, final: bool = False
    ) -> Exception:
        """Return what to raise.

        Args:
            answer: The error.
            words: What the store says in it.
            secrets: What may not be shown of that.
            refused: Whether it means that the credentials may not do this, whatever its status.
            final: Whether other credentials are needed, not newer ones.
        """
        said = words_of(answer, words, secrets)
        if is_passing(answer):
            return PassingError(f"{self.store}: {said}", asked_pause(answer))
        if not refused and answer.status_code not in _REFUSED:
            return ModelError(f"spec.model.uri: {self.store} has no {self.shown} ({said}); correct the address")
        sentence = CredentialsError(f"{CREDENTIALS}: {self.store} refuses {self.shown} ({said}); {self.way_out}")
        if final or not self.works:
            return sentence
        return PassingError(f"{self.store} no longer takes the credentials ({said})", otherwise=sentence)
