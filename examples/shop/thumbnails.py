"""The job that makes the thumbnails of a photo."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from toril import BlockingJob, Unrecoverable

#: Pixels of the longer side, largest first; no photo is enlarged.
SIZES = (480, 320, 160, 64)

# What Pillow raises for a file that is broken, or no image at all.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


class Thumbnails:
    """Makes thumbnails.

    Args:
        folder: Where to put them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, job: BlockingJob) -> list[str]:
        """The handler of the queue ``thumbnails``. It isn't ``async``, so it is run in a thread."""
        photo = Path(job.data["photo"])
        # Apart from Pillow, for a disk that fails today may work tomorrow.
        content = photo.read_bytes()
        try:
            image = decode(content)
        except _BROKEN as error:
            raise Unrecoverable(f"{photo.name}: {_said(error)}") from error
        names: list[str] = []
        for done, size in enumerate(SIZES, 1):
            # From the previous one, which is larger, and shows no less of what is left.
            image.thumbnail((size, size))
            names.append(file_name(job.data["product"], size))
            # A phone's colours are right only with its profile.
            image.save(self._folder / names[-1], quality=88, icc_profile=image.info.get("icc_profile"))
            job.update_progress(100 * done // len(SIZES))
        return names


def file_name(product: str, size: int) -> str:
    """Where the thumbnail of a product is."""
    return f"{product}-{size}.jpg"


def decode(content: bytes) -> Image.Image:
    """A photo, small enough to go on with, upright, in colours that JPEG has."""
    with Image.open(BytesIO(content)) as image:
        # At first, since shrinking a JPEG while it is decoded is much faster than afterwards.
        image.thumbnail((SIZES[0], SIZES[0]))
        upright = ImageOps.exif_transpose(image)
    return upright if upright.mode == "RGB" else _in_rgb(upright)


def _in_rgb(image: Image.Image) -> Image.Image:
    """On white paper, where it is transparent."""
    if image.mode.startswith(("I", "F")):
        # Pillow would cut off what is too bright, and nobody would notice.
        raise ValueError(f"pixels of more than 8 bits ({image.mode}) are not supported")
    seen = image.convert("RGBA" if image.has_transparency_data else "RGB")
    paper = Image.new("RGB", image.size, "white")
    paper.paste(seen, mask=seen if seen.mode == "RGBA" else None)
    return paper


def _said(error: BaseException) -> str:
    # Pillow names the buffer that it was given, which tells nobody anything.
    return "no image that can be read" if "cannot identify" in str(error) else str(error)
