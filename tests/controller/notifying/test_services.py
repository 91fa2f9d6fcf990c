"""Notifications through apprise, to a real mail server and a real HTTP service in this process."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from tests.controller.notifying.receiver import Receiver

from viridian.api.notify import NotifyEvent
from viridian.controller.notifying.delivery import Address, Delivery, Denied, Undeliverable, Undelivered
from viridian.controller.notifying.services import Services
from viridian.rollout.reporting.notifications import Notification

NOTIFICATION = Notification(
    "id",
    NotifyEvent.ROLLED_BACK,
    "GuardBreached",
    "12 of 40 failed, <b>a</b> & more",
    "iris-2",
    "v2",
    datetime(2026, 1, 1, tzinfo=UTC),
)


def delivery(*, trusted: bool) -> Delivery:
    return Delivery(NOTIFICATION, ("ml", "iris"), Address("spec.notify[0]", trusted=trusted))


class MailServer:
    """As much of SMTP as it takes to be sent a mail."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            command = line[:4].upper()
            if command == b"DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
            writer.write(b"221 bye\r\n" if command == b"QUIT" else b"250 fine\r\n")
            if command == b"QUIT":
                break
        writer.close()


@pytest.fixture
async def mail() -> AsyncIterator[tuple[MailServer, int]]:
    server = MailServer()
    listening = await asyncio.start_server(server.talk, "127.0.0.1")
    async with listening:
        yield server, listening.sockets[0].getsockname()[1]


async def test_a_mail_says_what_happened_to_which_model(mail: tuple[MailServer, int]) -> None:
    # given a mail server that models may use
    server, port = mail
    services = Services(["127.0.0.1"])
    # when a rollback is notified of
    url = f"mailto://127.0.0.1:{port}/?smtp=127.0.0.1&from=viridian@example.com&to=team@example.com"
    await services.send(url, delivery(trusted=False))
    # then it is in the mail
    [mailed] = server.mails
    message = message_from_bytes(mailed, policy=default)
    assert message["Subject"] == "ml/iris: RolledBack"
    # and it is text, so that nothing in it is read as HTML
    assert message.get_content_type() == "text/plain"
    assert "GuardBreached: 12 of 40 failed, <b>a</b> & more" in message.get_content()


async def test_a_mail_server_that_is_not_allowed_is_not_called(mail: tuple[MailServer, int]) -> None:
    server, port = mail
    url = f"mailto://allowed.example.com:{port}/?smtp=127.0.0.1&from=a@example.com&to=b@example.com"
    with pytest.raises(Denied, match=r"127\.0\.0\.1 are not allowed"):
        await Services(["allowed.example.com"]).send(url, delivery(trusted=False))
    assert server.mails == []


async def test_a_teams_workflow_on_another_host_is_denied() -> None:
    with pytest.raises(Denied, match="localhost:1 are not allowed"):
        await Services(["example.com"]).send("workflows://localhost:1/flow/signature", delivery(trusted=False))


async def test_the_chart_may_name_any_service() -> None:
    async with Receiver() as receiver:
        receiver.answers = [500]
        with pytest.raises(Undelivered, match="did not accept"):
            await Services([]).send(f"json://{receiver.host}/", delivery(trusted=True))
        assert receiver.asked == 1


async def test_an_address_that_apprise_cannot_read_is_final() -> None:
    with pytest.raises(Undeliverable, match="cannot read"):
        await Services([]).send("slack://", delivery(trusted=True))


def test_apprise_is_not_loaded_with_the_operator() -> None:
    code = "import sys, viridian.controller.__main__; print({'apprise', 'cloudevents'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
