from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toril.errors import OptionError
from toril.model.names import (
    RESERVED,
    QueueRef,
    check_job_id,
    check_prefix,
    check_queue_name,
    split_job_key,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
PLAIN = TEXT.filter(lambda text: ":" not in text)


def test_a_queue_leads_to_its_keys() -> None:
    mail = QueueRef("bull", "mail")

    assert mail.qualified == "bull:mail"
    assert mail.base == "bull:mail:"
    assert mail.job_key("17") == "bull:mail:17"
    assert mail == ("bull", "mail")


@given(PLAIN)
def test_any_text_without_a_colon_names_a_queue(name: str) -> None:
    assert check_queue_name(name) == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "needs a name"),
        ("a:b", "must not hold ':'"),
        (":", "must not hold ':'"),
        ("\ud800", "surrogate"),
        (5, "must be a str, not int"),
        (None, "must be a str, not NoneType"),
        (b"mail", "must be a str, not bytes"),
    ],
)
def test_a_wrong_queue_name_is_refused(name: object, problem: str) -> None:
    with pytest.raises(OptionError, match=problem) as caught:
        check_queue_name(name)

    assert caught.value.option == "name"


@given(TEXT)
def test_any_text_is_a_prefix(prefix: str) -> None:
    assert check_prefix(prefix) == prefix


@pytest.mark.parametrize(
    ("prefix", "problem"), [("", "must not be empty"), ("\udfff", "surrogate"), (None, "must be a str")]
)
def test_a_wrong_prefix_is_refused(prefix: object, problem: str) -> None:
    with pytest.raises(OptionError, match=problem) as caught:
        check_prefix(prefix)

    assert caught.value.option == "prefix"


@pytest.mark.parametrize(
    "id",
    [
        *(
            "my-job",
            "12a",
            "012",
            "1.5",
            "0x",
            "-",
            "+5",
            "1e3",
            "-0",
            "00",
            " 1",
            "é",
            "a:b:c",
            "::",
            "0b:c:d",
        ),
        *("repeat:s:1893456060000", "Wait", "metas"),
        # JavaScript would print these as other numbers than they are.
        *("9007199254740993", "12345678901234567890", "1" + "0" * 21, "1" * 400, "١٢"),
    ],
)
def test_these_are_allowed_ids(id: str) -> None:
    assert check_job_id(id) == id


def test_an_empty_id_stands_for_the_next_number() -> None:
    assert check_job_id("") is None


@pytest.mark.parametrize(
    ("id", "problem"),
    [
        ("12", "must not be an integer"),
        ("-5", "must not be an integer"),
        ("9007199254740992", "must not be an integer"),
        ("1" + "0" * 20, "must not be an integer"),
        ("0", "must not be '0' or begin with '0:'"),
        ("0:x", "must not be '0' or begin with '0:'"),
        ("0:a:b", "must not be '0' or begin with '0:'"),
        ("a:b", "must hold no ':' at all, or exactly two"),
        (":", "must hold no ':' at all, or exactly two"),
        ("a:b:c:d", "must hold no ':' at all, or exactly two"),
        ("\ud800", "surrogate"),
        (7, "must be a str; integers are"),
        (0, "must be a str; integers are"),
        (True, "must be a str"),
        (None, "must be a str, not NoneType"),
        (b"id", "must be a str, not bytes"),
        (1.5, "must be a str, not float"),
    ],
)
def test_a_wrong_id_is_refused_with_its_rule(id: object, problem: str) -> None:
    with pytest.raises(OptionError, match=problem) as caught:
        check_job_id(id)

    assert caught.value.option == "job_id"
    assert caught.value.value is id


@pytest.mark.parametrize("id", sorted(RESERVED))
def test_no_job_takes_the_place_of_a_key_of_its_queue(id: str) -> None:
    with pytest.raises(OptionError, match=r"own keys|no ':' at all"):
        check_job_id(id)


@given(st.integers(-(2**53), 2**53))
def test_no_job_takes_a_number_of_the_queue(number: int) -> None:
    with pytest.raises(OptionError, match=r"integer|'0'"):
        check_job_id(str(number))


@given(PLAIN)
def test_an_id_is_refused_or_unchanged(id: str) -> None:
    try:
        checked = check_job_id(id)
    except OptionError:
        assert id in RESERVED or id.lstrip("-").isdecimal()
    else:
        assert checked == id


@pytest.mark.parametrize(
    ("key", "prefix", "found"),
    [
        ("bull:mail:17", "bull", (("bull", "mail"), "17")),
        ("bull:mail:repeat:daily:5", "bull", (("bull", "mail"), "repeat:daily:5")),
        ("a:b:mail:17", "a:b", (("a:b", "mail"), "17")),
        ("other:mail:17", "bull", (("other", "mail"), "17")),
        ("bull:mail:", "bull", None),
        ("bull::17", "bull", None),
        ("mail:17", "bull", None),
        ("17", "bull", None),
        ("", "bull", None),
    ],
)
def test_a_key_leads_to_its_job(key: str, prefix: str, found: object) -> None:
    assert split_job_key(key, prefix) == found


@given(PLAIN, PLAIN, TEXT)
def test_the_key_of_a_job_leads_back_to_it(prefix: str, name: str, id: str) -> None:
    queue = QueueRef(prefix, name)

    assert split_job_key(queue.job_key(id), prefix) == (queue, id)
