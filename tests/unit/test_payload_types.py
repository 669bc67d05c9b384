"""Payloads are decoded to the types of handlers, and what does not fit is told with its place."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, TypedDict, TypeVar

import msgspec
import pydantic
import pytest

from toril import InvalidPayload, OptionError, Unrecoverable
from toril.core.worker.payloads import decoder_of
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.model.outcome import Failed, decide, stack_of

if TYPE_CHECKING:
    from decimal import Decimal as Missing

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Line:
    name: str
    price: int = 1


@dataclass
class Order:
    id: int
    lines: list[Line] = field(default_factory=list[Line])


class Struct(msgspec.Struct):
    id: int
    lines: list[Line] = []


class Typed(TypedDict):
    id: int


class Point(NamedTuple):
    x: int
    y: int = 0


@dataclass
class Rich:
    at: datetime
    key: uuid.UUID
    color: Color
    takes: timedelta
    price: Decimal
    tags: set[str]


class LineModel(pydantic.BaseModel):
    price: int


class OrderModel(pydantic.BaseModel):
    id: int
    at: datetime | None = None
    lines: list[LineModel] = []
    counts: dict[str, int] = {}


class Page(pydantic.BaseModel, Generic[T]):
    items: list[T]


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    id: int


class Guarded(pydantic.BaseModel):
    id: int

    @pydantic.field_validator("id")
    @classmethod
    def _even(cls, id: int) -> int:
        if id % 2:
            raise ValueError("ids are even")
        return id


@pydantic.dataclasses.dataclass
class Checked:
    id: Annotated[int, pydantic.Field(gt=0)]


@dataclass
class Around:
    order: OrderModel


def job_with(data: bytes | str | None) -> JobRecord:
    fields: dict[bytes, Any] = {} if data is None else {b"data": data}
    return JobRecord(QueueRef("bull", "orders"), "1", fields)


def decode(type: Any, data: bytes | str | None) -> Any:
    return decoder_of(type, "handler", None)(job_with(data))


def refusal(type: Any, data: bytes | str | None) -> str:
    with pytest.raises(InvalidPayload) as caught:
        decode(type, data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("type", "data", "value"),
    [
        (Order, b'{"id":1}', Order(1)),
        (Order, b'{"id":1,"lines":[{"name":"a","price":2}],"more":1}', Order(1, [Line("a", 2)])),
        (Struct, b'{"id":1,"lines":[{"name":"a"}]}', Struct(1, [Line("a")])),
        (Typed, b'{"id":1}', {"id": 1}),
        (Point, b"[3]", Point(3)),
        (dict[str, int], b'{"a":1}', {"a": 1}),
        (list[Order], b'[{"id":1}]', [Order(1)]),
        (Order | None, b"null", None),
        (str, '"später"', "später"),
        (Annotated[int, msgspec.Meta(gt=0)], b"5", 5),
        (OrderModel, b'{"id":1,"lines":[{"price":2}]}', OrderModel(id=1, lines=[LineModel(price=2)])),
        (OrderModel, '{"id":"7"}', OrderModel(id=7)),
        (list[LineModel], b'[{"price":2}]', [LineModel(price=2)]),
        (LineModel | OrderModel, b'{"id":1}', OrderModel(id=1)),
        (Page[LineModel], b'{"items":[{"price":2}]}', Page[LineModel](items=[LineModel(price=2)])),
        (Checked, b'{"id":1}', Checked(1)),
        (Around, b'{"order":{"id":1}}', Around(OrderModel(id=1))),
    ],
)
def test_data_become_what_the_handler_asks_for(type: Any, data: bytes | str, value: object) -> None:
    assert decode(type, data) == value


def test_types_that_json_has_not() -> None:
    key = uuid.uuid4()
    data = f'{{"at":"2030-01-02T03:04:05Z","key":"{key}","color":"blue","takes":"PT90S","price":"1.10",'
    rich = decode(Rich, data + '"tags":["a","a"]}')

    at = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert rich == Rich(at, key, Color.BLUE, timedelta(seconds=90), Decimal("1.10"), {"a"})


def test_no_data_are_an_empty_object() -> None:
    assert decode(dict[str, int], None) == {}
    assert decode(Page[int] | None, '{"items":[]}') == Page[int](items=[])
    assert refusal(OrderModel, None) == "data does not fit OrderModel: Field required - at `$.id`"


@pytest.mark.parametrize(
    ("type", "data", "reason"),
    [
        (
            Order,
            b'{"id":1,"lines":[{"name":"a"},{"name":"b"},{"name":"c","price":"2"}]}',
            "data does not fit Order: Expected `int`, got `str` - at `$.lines[2].price`",
        ),
        (Order, b"[]", "data does not fit Order: Expected `object`, got `array`"),
        (Order, None, "data does not fit Order: Object missing required field `id`"),
        (list[int], b'["a"]', "data does not fit list[int]: Expected `int`, got `str` - at `$[0]`"),
        (Order | None, b"1", "data does not fit Order | None: Expected `object | null`, got `int`"),
        (int, b"{", "data does not fit int: Expected `int`, got `object`"),
        (dict[str, Any], b"{", "data does not fit dict[str, Any]: Input data was truncated"),
        (
            OrderModel,
            b'{"id":1,"lines":[{"price":1},{"price":1},{"price":"two"}]}',
            "data does not fit OrderModel: "
            "Input should be a valid integer, unable to parse string as an integer - at `$.lines[2].price`",
        ),
        (Strict, b'{"id":"1"}', "data does not fit Strict: Input should be a valid integer - at `$.id`"),
        (Guarded, b'{"id":1}', "data does not fit Guarded: Value error, ids are even - at `$.id`"),
        (Checked, b'{"id":0}', "data does not fit Checked: Input should be greater than 0 - at `$.id`"),
        (
            Around,
            b'{"order":{}}',
            "data does not fit Around: Field required - at `$.order.id`",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(type: Any, data: bytes | None, reason: str) -> None:
    assert refusal(type, data).replace("tests.unit.test_payload_types.", "") == reason


def test_several_errors_of_a_model_are_told_up_to_a_number() -> None:
    lines = ",".join('{"price":"x"}' for _ in range(7))
    reason = refusal(OrderModel, f'{{"lines":[{lines}]}}')

    assert reason.startswith("data does not fit OrderModel: Field required - at `$.id`; Input should be")
    assert reason.endswith("- at `$.lines[1].price`; and 5 more")


def test_odd_keys_in_a_place_are_quoted_and_shortened() -> None:
    assert refusal(OrderModel, b'{"id":1,"counts":{"a b":"x"}}').endswith('- at `$.counts["a b"]`')
    assert refusal(OrderModel, b'{"id":1,"counts":{"%b":"x"}}' % (b"k" * 1000)).endswith('k..."]`')


@pytest.mark.parametrize("type", [list[Any] | dict[str, Any] | str, OrderModel])
@pytest.mark.parametrize(
    "data", [b"\xff", b'"\xff"', b"", b"[" * 100_000, b'{"id":' * 100_000], ids=lambda data: repr(data[:6])
)
def test_what_is_no_json_fits_nothing(type: Any, data: bytes) -> None:
    assert "data does not fit" in refusal(type, data)


@pytest.mark.parametrize("type", [Order, OrderModel])
def test_no_attempt_follows_and_the_stack_says_it_in_one_line(type: Any) -> None:
    with pytest.raises(Unrecoverable) as caught:
        decode(type, b"{}")

    error = caught.value
    assert decide(JobRecord(QueueRef("bull", "q"), "1", {b"opts": b'{"attempts":5}'}), error) == Failed(error)
    assert stack_of(error) == f"toril.errors.InvalidPayload: {error}\n"
    # Listeners can see what the library has to say.
    assert isinstance(error.__cause__, msgspec.ValidationError | pydantic.ValidationError)


class Plain:
    """No library knows how to make one."""


@dataclass
class WithPlain:
    places: dict[str, list[Plain]]


@dataclass
class WithPath:
    place: Path


class Unfinished(pydantic.BaseModel):
    other: Missing


@pytest.mark.parametrize(
    ("type", "problem"),
    [
        (Plain, "JSON knows nothing like Plain"),
        (list[Plain], "JSON knows nothing like Plain"),
        (WithPlain, "its payload WithPlain can't be decoded, JSON knows nothing like Plain"),
        (WithPath, "JSON knows nothing like Path"),
        (Callable[[], None], "JSON knows nothing like"),
        (Order | dict[str, int], "may not contain more than one dict-like type"),
        (5, "its payload 5 can't be decoded"),
        (Unfinished, "is not fully defined"),
        (OrderModel | Plain, "Unable to generate pydantic-core schema"),
    ],
)
def test_a_type_that_can_not_be_decoded_is_refused(type: Any, problem: str) -> None:
    with pytest.raises(OptionError) as caught:
        decoder_of(type, "handler['paint']", print)

    assert caught.value.option == "handler['paint']"
    assert problem in str(caught.value)
    assert "take a dataclass, msgspec.Struct, TypedDict" in str(caught.value)
