"""The folder for what the demo makes, which must not touch what is not the demo's."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.shop.problem import Problem

# By this file the demo knows a folder that it has made; it is locked as long as a demo runs in it.
_MARK = ".toril-demo"


@dataclass(frozen=True, slots=True)
class Folder:
    """Where everything goes."""

    path: Path

    @property
    def mails(self) -> Path:
        """One file for each mail that the mail server has accepted."""
        return self.path / "mails"

    @property
    def thumbnails(self) -> Path:
        """One file for each product and size."""
        return self.path / "thumbnails"

    @property
    def log(self) -> Path:
        """What the worker process has to say."""
        return self.path / "worker.log"


@contextmanager
def open_folder(path: Path) -> Generator[Folder]:
    """Make the folder, or take the one of the last run and empty it; nobody else may use it meanwhile.

    Raises:
        Problem: It holds other things, is in use by another demo, or can't be written to.
    """
    with ExitStack() as stack:
        try:
            path.mkdir(parents=True, exist_ok=True)
            if not (path / _MARK).exists() and any(path.iterdir()):
                raise Problem(f"{path} holds other things; name a new folder with --out")
            mark = stack.enter_context((path / _MARK).open("w"))
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder = _emptied(Folder(path))
        except BlockingIOError:
            raise Problem(f"another demo is at work in {path}; name another folder with --out") from None
        except OSError as error:
            raise Problem(f"the folder {path} can't be used: {error.strerror}") from None
        yield folder


def _emptied(folder: Folder) -> Folder:
    for inner in (folder.mails, folder.thumbnails):
        shutil.rmtree(inner, ignore_errors=True)
        inner.mkdir()
    folder.log.unlink(missing_ok=True)
    return folder
