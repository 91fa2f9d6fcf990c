"""How registries of images ask who one is: by a password, or by a token of their token service."""

import logging
import re
from collections.abc import AsyncGenerator, Callable
from typing import Final
from urllib.parse import urlsplit

import httpx2

from viridian_serving.artifacts.credentials import bearer
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.retries import PassingError

LOG = logging.getLogger("viridian.fetch")

_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


class RegistryLogin(httpx2.Auth):
    """Answers a registry's challenge, and keeps the token for the requests that follow.

    https://distribution.github.io/distribution/spec/auth/token/
    """

    def __init__(self, login: Callable[[], str]) -> None:
        """Prepare.

        Args:
            login: Returns the value of ``Authorization`` of now, with which a token is asked for; empty for none.
        """
        self._login = login
        self._known = ""
        self.secrets: set[str] = set()
        """What was sent, which no message may repeat."""

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send a request with what is known, and again with what the registry asks for."""
        sent = self._known
        if sent:
            request.headers["Authorization"] = sent
        answer = yield request
        if answer.status_code != httpx2.codes.UNAUTHORIZED:
            return
        if sent:
            LOG.info("the registry no longer takes the token that it gave")
        if self._known == sent:  # else another request has got a new one meanwhile
            challenge = answer.headers.get("WWW-Authenticate", "")
            if challenge.lower().startswith("bearer "):
                asked = yield self._question(dict(_PARAMETER.findall(challenge)))
                await asked.aread()
                self._known = bearer(_token_of(asked)) if asked.is_success else ""
            else:
                self._known = self._login() if challenge.lower().startswith("basic") else ""
            self.secrets.update(self._known.split()[1:])
        if self._known:
            request.headers["Authorization"] = self._known
            yield request

    def _question(self, challenge: dict[str, str]) -> httpx2.Request:
        realm = challenge.get("realm", "")
        if urlsplit(realm).scheme != "https":
            raise ModelError(
                f"spec.model.uri: the registry asks for a token of {realm or 'nobody'}, which is not https; nothing is "
                "sent there"
            )
        known: dict[str, str] = {name: challenge[name] for name in ("service", "scope") if name in challenge}
        login = self._login()
        self.secrets.update(login.split()[1:])
        return httpx2.Request("GET", realm, params=known, headers={"Authorization": login} if login else {})


def _token_of(answer: httpx2.Response) -> str:
    try:
        told = answer.json()
        return str(told.get("token") or told["access_token"])
    except (ValueError, KeyError, AttributeError):
        raise PassingError("the registry's token service answers no token") from None
