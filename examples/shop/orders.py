"""The shop's orders: made up, and the same ones in every run."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_FIRST_NAMES = (
    "Ada",
    "Björn",
    "Chloé",
    "Dmitri",
    "Eileen",
    "Fatima",
    "Grace",
    "Håkon",
    "Inès",
    "João",
    "Zoë",
)
_LAST_NAMES = (
    "Ångström",
    "Brown",
    "Çelik",
    "Dvořák",
    "Fernández",
    "García",
    "Kowalski",
    "Müller",
    "Nguyễn",
    "Smith",
)
_PRICES = (450, 990, 1490, 1990, 2450)  # cents
# The number of the first order; orders are not what a shop begins to count at 1.
_FIRST_NUMBER = 1001


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an order; the price is in cents."""

    product: str
    cents: int
    count: int


@dataclass(frozen=True, slots=True)
class Order:
    """What a customer bought."""

    number: int
    customer: str
    email: str
    items: list[Item]

    @property
    def job_id(self) -> str:
        """The job that sends its receipt; an order that is added twice is one job."""
        return f"receipt-{self.number}"

    @property
    def total(self) -> int:
        """In cents."""
        return sum(item.cents * item.count for item in self.items)


def money(cents: int) -> str:
    """An amount, as customers read it."""
    return f"{cents // 100}.{cents % 100:02} €"


def make_orders(count: int, products: Sequence[str]) -> list[Order]:
    """So many orders for some of these products, each by another customer."""
    chance = random.Random(2026)
    return [_order(_FIRST_NUMBER + index, products, chance) for index in range(count)]


def _order(number: int, products: Sequence[str], chance: random.Random) -> Order:
    first, last = chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)
    chosen = chance.sample(products, k=min(chance.randint(1, 3), len(products)))
    items = [Item(product, chance.choice(_PRICES), chance.randint(1, 3)) for product in chosen]
    address = f"{_plain(first)}.{_plain(last)}+{number}@example.com"
    return Order(number, f"{first} {last}", address, items)


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in letters if letter.isascii() and letter.isalpha())
