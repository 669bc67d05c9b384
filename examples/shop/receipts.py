"""The job that sends a receipt by mail."""

from __future__ import annotations

import asyncio
import smtplib
from datetime import UTC, datetime
from email.message import EmailMessage

import msgspec

from examples.shop.orders import Order, money
from toril import Job, Unrecoverable

# Seconds for the mail server to answer.
_PATIENCE = 10.0


class MailRefused(Exception):
    """The mail server doesn't take the mail now; the job is tried again."""


class Receipts:
    """Sends receipts.

    Args:
        port: Of the mail server on this machine.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    async def send(self, job: Job) -> dict[str, str]:
        """The handler of the queue ``receipts``."""
        order = msgspec.convert(job.data, Order)
        # smtplib blocks, so it goes to a thread.
        await asyncio.to_thread(self._hand_over, receipt(order))
        return {"sent_to": order.email}

    def _hand_over(self, message: EmailMessage) -> None:
        # Without a name of our own smtplib would ask the DNS for it, which may take long.
        with smtplib.SMTP(
            "127.0.0.1", self._port, local_hostname="shop.example", timeout=_PATIENCE
        ) as server:
            try:
                server.send_message(message)
            except smtplib.SMTPRecipientsRefused as refused:
                raise _reason(*next(iter(refused.recipients.values()))) from None
            except smtplib.SMTPResponseException as refused:
                raise _reason(refused.smtp_code, refused.smtp_error) from None


def receipt(order: Order) -> EmailMessage:
    """The mail to the customer."""
    message = EmailMessage()
    message["From"] = "The shop <orders@shop.example>"
    message["To"] = order.email
    message["Subject"] = f"Your order {order.number}"
    message["Date"] = datetime.now(UTC)
    # Made of the job's id: whoever gets this mail twice can tell.
    message["Message-ID"] = f"<{order.job_id}@shop.example>"
    lines = [f"{item.count} × {item.product}: {money(item.cents * item.count)}" for item in order.items]
    message.set_content(
        "\n".join([f"Dear {order.customer},", "", *lines, "", f"Total: {money(order.total)}", ""])
    )
    return message


def _reason(code: int, text: bytes | str) -> Exception:
    """By SMTP's rules 4xx means later, and 5xx never."""
    reason = f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    return Unrecoverable(reason) if code >= 500 else MailRefused(reason)
