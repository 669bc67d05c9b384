"""What is said in the end: what was done, where it is, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from examples.shop.check import Result

# Of the things that are wrong so many are named.
_MOST_NAMED = 10


def show(result: Result, problems: Sequence[str], console: Console) -> None:
    """Say what was done and where it is, and what is wrong if anything is."""
    head = f"Done in {result.seconds:.1f} s"
    if problems:
        head = f"Not all could be done (in {result.seconds:.1f} s)"
    console.print()
    console.print(head, style="bold red" if problems else "bold green", highlight=False)
    for line in (*_named(problems), *_numbers(result), "", *_places(result)):
        console.print(f"  {line}".rstrip(), markup=False, highlight=False, soft_wrap=True)


def _named(problems: Sequence[str]) -> list[str]:
    named = [f"- {problem}" for problem in problems[:_MOST_NAMED]]
    if len(problems) > _MOST_NAMED:
        named.append(f"- and {len(problems) - _MOST_NAMED} more")
    return named


def _numbers(result: Result) -> list[str]:
    mails = sum(1 for _ in result.folder.mails.glob("*.eml"))
    files = sum(1 for _ in result.folder.thumbnails.glob("*.jpg"))
    products, photos = len(result.products), len({product.photo for product in result.products})
    numbers = [
        f"{mails} of {len(result.orders)} receipts have arrived, after {result.retries} retries",
        f"{files} thumbnails were made, of {_plural(photos, 'photo')} for {_plural(products, 'product')}",
    ]
    if result.deaths:
        numbers.append(f"the worker process died {_plural(result.deaths, 'time')}, and another one went on")
    if result.mails.twice:
        numbers.append(
            f"{_plural(len(result.mails.twice), 'mail')} came twice, which the message id has told"
        )
    return numbers


def _places(result: Result) -> list[str]:
    queues = " and ".join(f'"{name}"' for name in ("receipts", "thumbnails"))
    return [
        f"mails       {result.folder.mails}",
        f"thumbnails  {result.folder.thumbnails}",
        f"worker log  {result.folder.log}",
        f'jobs        queues {queues}, prefix "{result.prefix}"',
    ]


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
