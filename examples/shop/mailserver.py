"""A mail server for the receipts: it speaks SMTP, refuses some mails at first, and files the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

# Seconds that it takes to look at a mail, as those in the world do.
_LOOK = 0.15
# Of the recipients, each fifth has to be tried again, and each twenty-fifth a second time.
_REFUSED_ONCE, _REFUSED_TWICE = 5, 25


class MailServer:
    """What happens with the mails; the protocol around it is aiosmtpd's.

    Attributes:
        refusals: How often it refused a mail, by recipient.
        twice: Files of mails that came again after they had been accepted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._to_refuse: dict[str, int] = {}
        self.port = 0
        self.refusals: Counter[str] = Counter()
        self.twice: list[str] = []
        # The names by which aiosmtpd finds what to call after the SMTP command of that name.
        self.handle_RCPT = self._recipient
        self.handle_DATA = self._content

    async def _recipient(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Some are told to come again later, which is how many servers deal with senders they don't know."""
        left = self._to_refuse.setdefault(address, _times_to_refuse(len(self._to_refuse) + 1))
        if left:
            self._to_refuse[address] = left - 1
            self.refusals[address] += 1
            return "451 4.7.1 Greylisted, please try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def _content(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """File the mail under its message id, by which one that comes twice is known."""
        await asyncio.sleep(_LOOK)
        content = envelope.original_content or b""
        message = message_from_bytes(content, policy=policy.default)
        name = str(message["Message-ID"]).strip("<>").partition("@")[0]
        path = self._folder / f"{name}.eml"
        if path.exists():
            self.twice.append(path.name)
            return "250 OK, known already"
        path.write_bytes(content)
        return f"250 OK, filed as {path.name}"


@asynccontextmanager
async def mail_server(folder: Path) -> AsyncGenerator[MailServer]:
    """A mail server that listens on a free port of this machine."""
    mails = MailServer(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mails, hostname="mail.example", loop=loop), "127.0.0.1", 0)
    mails.port = server.sockets[0].getsockname()[1]
    try:
        yield mails
    finally:
        server.close()


def _times_to_refuse(nth: int) -> int:
    if nth % _REFUSED_TWICE == 0:
        return 2
    return 1 if nth % _REFUSED_ONCE == 0 else 0
