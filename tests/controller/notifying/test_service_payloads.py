"""What Slack and Microsoft Teams are sent, held against what their documentation says of it.

The services themselves cannot be asked in a test. A receiver in this process refuses what they document as wrong.

- https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, and there: "Secondary message attachments"
- https://learn.microsoft.com/connectors/teams, "Microsoft Teams Webhook"; https://adaptivecards.io/explorer
"""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import jsonschema
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from apprise.plugins.slack import NotifySlack
from tests.serving.files import make_certificate

from viridian.api.notify import NotifyEvent
from viridian.controller.notifying.delivery import Address, Delivery, Undelivered
from viridian.controller.notifying.services import Services
from viridian.rollout.reporting.cost import Amount
from viridian.rollout.reporting.notifications import Notification


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


ADDRESS: Final = {"type": "string", "format": "uri", "pattern": "^https://"}
SLACK_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 40_000, "pattern": "^([^&<>]|&(amp|lt|gt);)*$"}
"""The three characters of Slack's own markup are escaped, so that no text mentions a channel or hides a link."""
SLACK: Final = closed(
    ["attachments"],
    mrkdwn={"const": False},
    channel={"type": "string", "pattern": "^[#@]"},  # of webhooks that are older than apps; others leave it out
    icon_url=ADDRESS,
    attachments={
        "minItems": 1,
        "maxItems": 100,
        "items": closed(
            ["title", "text"],
            title=SLACK_TEXT,
            text=SLACK_TEXT,
            color={"enum": ["#3AA3E3", "#3AA337", "#CACF29"]},
            footer={"type": "string", "maxLength": 300},
            footer_icon=ADDRESS,
            ts={"type": "number"},
        ),
    },
)
TEXT_BLOCK: Final = closed(
    ["type", "text"],
    type={"const": "TextBlock"},
    id={"type": "string"},
    text={"type": "string", "minLength": 1},
    style={"enum": ["default", "heading"]},
    weight={"enum": ["Default", "Lighter", "Bolder"]},
    size={"enum": ["Small", "Default", "Medium", "Large", "ExtraLarge"]},
    wrap={"type": "boolean"},
)
IMAGE: Final = closed(
    ["type", "url"],
    type={"const": "Image"},
    url=ADDRESS,
    altText={"type": "string"},
    height={"type": "string", "pattern": "^(auto|stretch|[0-9]+px)$"},
)
TEAMS: Final = closed(
    ["type", "attachments"],
    type={"const": "message"},
    attachments={
        "minItems": 1,
        "maxItems": 1,
        "items": closed(
            ["contentType", "content"],
            contentType={"const": "application/vnd.microsoft.card.adaptive"},
            contentUrl={"type": "null"},
            content=closed(
                ["type", "version", "body"],
                **{"$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"}},
                type={"const": "AdaptiveCard"},
                version={"enum": ["1.2", "1.3", "1.4", "1.5"]},
                body={"type": "array", "minItems": 1, "items": {"oneOf": [TEXT_BLOCK, IMAGE]}},
                msteams=closed([], width={"enum": ["full", "Full"]}),
            ),
        ),
    },
)
LARGEST: Final = {"slack": 1 << 20, "teams": 28 * 1024}
"""Bytes of a message: Teams refuses more than 28 KiB; Slack names no limit but that of each text."""


@dataclass
class Service:
    """Answers as the service does: 400 for what its documentation calls wrong."""

    schema: dict[str, Any]
    largest: int
    refusal: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    accepted: list[Any] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, dict(request.query)))
        body = await request.read()
        try:
            assert request.content_type == "application/json"
            assert len(body) <= self.largest
            said = await request.json()
            jsonschema.Draft202012Validator(self.schema).validate(said)
        except (AssertionError, ValueError, jsonschema.ValidationError) as error:
            self.refusal = str(error)
            return web.Response(status=400, text="invalid_payload")
        self.accepted.append(said)
        return web.Response(text="ok")

    def start(self) -> TestServer:
        application = web.Application()
        application.router.add_post("/{path:.*}", self.take)
        return TestServer(application, host="localhost")


@asynccontextmanager
async def slack(_: Path) -> AsyncIterator[tuple[Service, str]]:
    service = Service(SLACK, LARGEST["slack"])
    async with service.start() as server:
        with patch.object(NotifySlack, "webhook_url", str(server.make_url("/services"))):
            yield service, "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ml"


@asynccontextmanager
async def teams(folder: Path) -> AsyncIterator[tuple[Service, str]]:
    service = Service(TEAMS, LARGEST["teams"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*make_certificate(folder))
    server = service.start()
    await server.start_server(ssl=context)
    try:
        yield service, f"workflows://localhost:{server.port}/643e69f83c8944438d68119179a10a64/signature?verify=no"
    finally:
        await server.close()


Receiving = Callable[[Path], AbstractAsyncContextManager[tuple[Service, str]]]


def delivery(message: str, event: NotifyEvent = NotifyEvent.ROLLED_BACK, cost: Amount | None = None) -> Delivery:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    told = Notification("id", event, "GuardBreached", message, "iris-2", "v2", at, cost=cost)
    return Delivery(told, ("ml", "iris"), Address("receiver 1 of the chart", trusted=True))


MESSAGES: Final = {
    "a rollback": delivery("12 of 40 requests on the candidate failed (30 %), 1 of 300 on stable."),
    "a promotion with its cost": delivery("v2 serves all.", NotifyEvent.PROMOTED, Amount(0.0421, "EUR")),
    "a start": delivery("v2 starts.", NotifyEvent.ROLLOUT_STARTED),
    "the longest message": delivery("x " * 5000),
    "letters of the world": delivery("größer als 5 ‰ — 模型 🎉"),
    "several lines": delivery("first\nsecond\n\nthird"),
    "markup": delivery('<!channel> <@U1> & <a href="x">b</a> [c](http://d) *e* _f_ `g` viridian_requests_total > 5'),
}


@pytest.mark.parametrize("receiving", [slack, teams])
@pytest.mark.parametrize("sent", MESSAGES.values(), ids=MESSAGES.keys())
async def test_a_service_accepts_what_it_is_sent(receiving: Receiving, sent: Delivery, tmp_path: Path) -> None:
    async with receiving(tmp_path) as (service, url):
        await Services([]).send(url, sent)
    assert len(service.accepted) == 1, service.refusal


async def test_slack_is_asked_at_its_webhook_and_shown_title_and_message(tmp_path: Path) -> None:
    async with slack(tmp_path) as (service, url):
        await Services([]).send(url, MESSAGES["markup"])
    assert service.asked == [("/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", {})]
    [shown] = service.accepted[0]["attachments"]
    assert shown["title"] == "ml/iris: RolledBack"
    # and nobody is mentioned by what a message quotes
    assert shown["text"].startswith("GuardBreached: &lt;!channel&gt; &lt;@U1&gt; &amp; &lt;a href=")


async def test_teams_is_asked_at_its_workflow_and_shown_title_and_message(tmp_path: Path) -> None:
    async with teams(tmp_path) as (service, url):
        await Services([]).send(url, MESSAGES["markup"])
    path = "/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/invoke"
    called = {"api-version": "2016-06-01", "sp": "/triggers/manual/run", "sv": "1.0", "sig": "signature"}
    assert service.asked == [(path, called)]
    shown = [each["text"] for each in service.accepted[0]["attachments"][0]["content"]["body"] if "text" in each]
    assert shown[0] == "ml/iris: RolledBack"
    # and what looks like a link is none
    assert r"\[c\]\(http://d\) \*e\* \_f\_" in shown[1]


@pytest.mark.parametrize("receiving", [slack, teams])
async def test_a_refusal_is_an_error(receiving: Receiving, tmp_path: Path) -> None:
    async with receiving(tmp_path) as (service, url):
        # given a service that wants something else
        service.schema = {"required": ["another"]}
        # when it is sent a notification, then that counts as not delivered
        with pytest.raises(Undelivered, match="did not accept"):
            await Services([]).send(url, MESSAGES["a start"])
    assert "'another' is a required property" in service.refusal
