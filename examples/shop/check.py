"""Looking at what is there in the end: every mail, every file, every retry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from PIL import ExifTags, Image

from examples.shop.folder import Folder
from examples.shop.mailserver import MailServer
from examples.shop.orders import Order, money
from examples.shop.photos import Product
from examples.shop.thumbnails import SIZES, file_name
from toril import Job

# So many orders are enough for the mail server to refuse one.
_ENOUGH = 5
# EXIF orientations in which a photo lies on its side.
_ON_ITS_SIDE = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Result:
    """What was to be done, and what came of it.

    Attributes:
        jobs: All finished jobs of both queues, by id.
        prefix: Of the queues' keys.
        deaths: How often the worker process died.
    """

    orders: Sequence[Order]
    products: Sequence[Product]
    folder: Folder
    mails: MailServer
    jobs: dict[str, Job]
    deaths: int
    seconds: float
    prefix: str

    @property
    def retries(self) -> int:
        """Attempts to send a receipt beyond the first."""
        return sum(max(self.attempts(order.job_id) - 1, 0) for order in self.orders)

    def attempts(self, id: str) -> int:
        """How often a job was tried."""
        return self.jobs[id].attempts_made if id in self.jobs else 0

    def is_done(self, id: str) -> bool:
        """Whether a job has a result; one that was tried again has the reason of its last failure, too."""
        return id in self.jobs and self.jobs[id].return_value is not None


def find_problems(result: Result) -> list[str]:
    """What is missing or wrong; nothing, if all was done."""
    return [*_failures(result), *_wrong_mails(result), *_wrong_retries(result), *_wrong_thumbnails(result)]


def _failures(result: Result) -> list[str]:
    ids = [each.job_id for each in (*result.products, *result.orders)]
    return [
        f"{id} failed: {result.jobs[id].failed_reason}" if id in result.jobs else f"{id} is gone"
        for id in ids
        if not result.is_done(id)
    ]


def _wrong_mails(result: Result) -> list[str]:
    problems: list[str] = []
    files = {path.stem: path for path in result.folder.mails.glob("*.eml")}
    for order in result.orders:
        path = files.pop(order.job_id, None)
        if path is None:
            # What has failed is told of already, with its reason.
            if result.is_done(order.job_id):
                problems.append(f"order {order.number}: no mail has arrived")
        elif not _is_right(message_from_bytes(path.read_bytes(), policy=policy.default), order):
            problems.append(f"order {order.number}: {path} is not what it should be")
    problems += [f"{path} belongs to no order" for path in files.values()]
    # One who dies between sending a mail and saying so has its job run again; nobody else may send twice.
    if not result.deaths:
        problems += [
            f"{name} was sent {number + 1} times" for name, number in Counter(result.mails.twice).items()
        ]
    return problems


def _is_right(mail: EmailMessage, order: Order) -> bool:
    lines = mail.get_content().splitlines()
    expected = [f"Dear {order.customer},", f"Total: {money(order.total)}"]
    expected += [f"{item.count} × {item.product}: {money(item.count * item.cents)}" for item in order.items]
    return mail["To"] == order.email and str(order.number) in mail["Subject"] and set(expected) <= set(lines)


def _wrong_retries(result: Result) -> list[str]:
    """The mail server and the queue must agree on how often each receipt was tried."""
    problems: list[str] = []
    for order in result.orders:
        refused = result.mails.refusals[order.email]
        made = result.attempts(order.job_id)
        # A worker that died may not have told of its last refusal.
        expected = refused + 1 if result.is_done(order.job_id) else made
        if made != expected and not (result.deaths and 1 <= made <= refused):
            problems.append(f"order {order.number}: refused {refused} times, but {made} attempts were made")
    if len(result.orders) >= _ENOUGH and not result.retries:
        problems.append("no retry was seen")
    return problems


def _wrong_thumbnails(result: Result) -> list[str]:
    problems: list[str] = []
    for product in result.products:
        if result.is_done(product.job_id):
            width, height = _size_of(Path(product.photo))
            problems += [
                problem
                for size in SIZES
                if (problem := _wrong_file(result.folder, product, size, width, height))
            ]
    return problems


def _wrong_file(folder: Folder, product: Product, size: int, width: int, height: int) -> str | None:
    path = folder.thumbnails / file_name(product.id, size)
    scale = min(size / max(width, height), 1)
    try:
        with Image.open(path) as image:
            image.load()
            found = image.size
    except OSError as error:
        return f"{path}: {error}"
    # Pixels are whole, and the smaller ones are made from larger ones.
    if abs(found[0] - width * scale) > 1 or abs(found[1] - height * scale) > 1:
        return f"{path} has {found[0]} × {found[1]} pixels"
    return None


def _size_of(photo: Path) -> tuple[int, int]:
    with Image.open(photo) as image:
        width, height = image.size
        turned = image.getexif().get(ExifTags.Base.Orientation) in _ON_ITS_SIDE
    return (height, width) if turned else (width, height)
