"""The shop, run as a user runs it: what it leaves behind, and what it says when it can't do its work."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from examples.shop.photos import FREE_PHOTOS
from examples.shop.thumbnails import SIZES
from tests.support.eventually import eventually_sync

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 50.0

Demo = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    """Starts the demo with a server of its own; its files go to the folder `out`."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = (
            sys.executable,
            "-W",
            "error",
            "-m",
            "examples.shop",
            "--plain",
            "--out",
            str(tmp_path / "out"),
        )
        return subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env={**os.environ, "TORIL_HOME": str(tmp_path / "home")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a demo that ends by itself."""
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return process.returncode, output, errors


def workers_of(process: subprocess.Popen[str]) -> Iterator[int]:
    """The worker processes that a demo tells of, as it starts them."""
    assert process.stdout is not None
    for line in process.stdout:
        if started := re.search(r"worker process (\d+) started", line):
            yield int(started[1])


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def at_least_two(folder: Path, pattern: str) -> list[Path]:
    """The files of this pattern, oldest first, as soon as two are written, and a third is begun."""
    files = sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime)
    return files if len(files) > 2 else []


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def save_photo(path: Path, *, orientation: int = 1) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    photo = Image.new("RGB", (900, 600), "blue")
    photo.paste("red", (0, 0, 450, 600))
    photo.save(path, exif=exif)


def test_all_is_done(demo: Demo, tmp_path: Path) -> None:
    code, output, errors = finish(demo("--orders", "20"))

    assert (code, errors) == (0, "")
    assert "20 of 20 receipts have arrived, after 4 retries" in output
    assert names_in(tmp_path / "out" / "mails") == {f"receipt-{number}.eml" for number in range(1001, 1021)}
    assert len(names_in(tmp_path / "out" / "thumbnails")) == 3 * len(FREE_PHOTOS) * len(SIZES)
    assert (tmp_path / "out" / "worker.log").read_text() == ""


def test_a_second_run_is_not_confused_by_the_first(demo: Demo, tmp_path: Path) -> None:
    first, _, _ = finish(demo("--orders", "12"))
    second, output, errors = finish(demo("--orders", "6"))

    assert (first, second, errors) == (0, 0, "")
    assert "6 of 6 receipts have arrived" in output
    assert len(names_in(tmp_path / "out" / "mails")) == 6


def test_a_worker_process_that_is_killed_is_replaced_and_nothing_is_lost(demo: Demo, tmp_path: Path) -> None:
    code, output, errors = finish(demo("--orders", "40", "--crash"))

    assert (code, errors) == (0, "")
    assert re.search(r"worker process \d+ died \(-9\)", output)
    assert "40 of 40 receipts have arrived" in output
    assert len(names_in(tmp_path / "out" / "mails")) == 40


def test_what_is_missing_or_wrong_in_the_end_is_found(demo: Demo, tmp_path: Path) -> None:
    mails, thumbnails = tmp_path / "out" / "mails", tmp_path / "out" / "thumbnails"
    process = demo("--orders", "50")
    # The smallest thumbnail of a product is its last one, so what is done to it here stays.
    one, other, *_ = eventually_sync(lambda: at_least_two(thumbnails, "*-64.jpg"), PATIENCE)
    lost, wrong, *_ = eventually_sync(lambda: at_least_two(mails, "*.eml"), PATIENCE)
    one.unlink()
    Image.new("RGB", (10, 64)).save(other)
    lost.unlink()
    wrong.write_text("To: somebody@example.com\n\nHello!")
    (mails / "receipt-1.eml").touch()

    code, output, _ = finish(process)

    assert code == 1
    assert "Not all could be done" in output
    assert f"order {lost.stem[-4:]}: no mail has arrived" in output
    assert f"order {wrong.stem[-4:]}: {wrong} is not what it should be" in output
    assert f"{mails / 'receipt-1.eml'} belongs to no order" in output
    assert f"{one}: [Errno 2]" in output
    assert f"{other} has 10 × 64 pixels" in output


def test_own_photos_are_turned_upright_and_broken_ones_are_told_of(demo: Demo, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    save_photo(photos / "Lying.JPG")
    save_photo(photos / "Ständing (2).jpg", orientation=6)
    (photos / "broken.png").write_text("no picture")
    (photos / "notes.txt").write_text("no photo")

    code, output, _ = finish(demo("--orders", "1", str(photos)))

    assert code == 1
    assert "left out, as no photos by their names: notes.txt" in output
    assert "- thumbnails-0003-broken failed: broken.png: no image that can be read" in output
    assert names_in(tmp_path / "out" / "thumbnails") == {
        f"{name}-{size}.jpg" for name in ("0001-lying", "0002-standing-2") for size in SIZES
    }
    with Image.open(tmp_path / "out" / "thumbnails" / "0002-standing-2-160.jpg") as image:
        assert image.size == (107, 160)


def test_each_photo_of_a_good_folder_is_done(demo: Demo, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    save_photo(photos / "one.jpg", orientation=8)

    code, output, errors = finish(demo("--orders", "1", "--input", str(photos)))

    assert (code, errors) == (0, "")
    assert "4 thumbnails were made, of 1 photo for 1 product" in output


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (None, "the photos can't be read"),
        ((), "it is empty"),
        (("notes.txt", ".hidden.jpg"), "only notes.txt"),
    ],
)
def test_a_folder_without_photos_is_refused(
    demo: Demo, tmp_path: Path, files: tuple[str, ...] | None, reason: str
) -> None:
    photos = tmp_path / "photos"
    if files is not None:
        photos.mkdir()
        for name in files:
            (photos / name).touch()

    code, output, errors = finish(demo(str(photos)))

    assert (code, output) == (1, "")
    assert errors.startswith("The demo could not do its work: ")
    assert reason in errors
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_things_is_left_alone(demo: Demo, tmp_path: Path) -> None:
    mails = tmp_path / "out" / "mails"
    mails.mkdir(parents=True)
    (mails / "precious.eml").touch()

    code, _, errors = finish(demo("--orders", "1"))

    assert code == 1
    assert "holds other things; name a new folder with --out" in errors
    assert (mails / "precious.eml").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_stopped_in_order(demo: Demo, tmp_path: Path, number: signal.Signals) -> None:
    process = demo("--orders", "500")
    worker = next(workers_of(process))
    assert process.stdout is not None
    assert any("failed (1 of 5)" in line for line in process.stdout)

    process.send_signal(number)
    code, _, errors = finish(process)

    assert (code, errors) == (130, "stopped\n")
    assert is_gone(worker)
    assert (tmp_path / "out" / "worker.log").read_text() == ""


def test_a_worker_process_that_dies_again_and_again_is_given_up(demo: Demo) -> None:
    process = demo("--orders", "500")
    for worker in workers_of(process):
        os.kill(worker, signal.SIGKILL)
    code, _, errors = finish(process)

    assert code == 1
    assert "the worker process has died 3 times; see " in errors
