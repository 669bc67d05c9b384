"""What ``toril worker`` logs, and in which words its options are said."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Serve, Start, ended


def test_a_save_is_logged_once(serve: Serve, tmp_path: Path) -> None:
    service = serve("shop:shop", "--reload", "--log-level", "debug")
    service.wait_for("started")
    with (tmp_path / "shop.py").open("a") as module:
        module.write("# saved\n")
    service.wait_for("reloading")

    told = [one["message"] for one in service.log() if "watchfiles" in one["logger"] or "saved" in one]
    assert told == ["reloading"]


def test_words_may_be_said_in_capitals(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("")
    words = ("--log-format", "JSON", "--log-level", "Info", "--unfinished", "FAIL")
    process = start("worker", "shop:nowhere", *words, cwd=tmp_path)

    assert "there is no 'nowhere' in shop" in ended(process, 2)[1]
