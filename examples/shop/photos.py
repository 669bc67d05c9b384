"""The shop's products, which are photos: your own, or those that scikit-image carries."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from examples.shop.problem import Problem

#: Photos in the public domain or under CC0, by what scikit-image says of each: NASA (astronaut, hubble),
#: SpaceX (rocket), S. van der Walt (chelsea), R. Michetti (coffee), L. Varshney (camera), CC0Textures (brick,
#: gravel).
FREE_PHOTOS = {
    "astronaut.png": "Astronaut",
    "brick.png": "Brick wall",
    "camera.png": "Man with camera",
    "chelsea.png": "Chelsea the cat",
    "coffee.png": "Cup of coffee",
    "gravel.png": "Gravel",
    "hubble_deep_field.jpg": "Hubble deep field",
    "rocket.jpg": "Rocket launch",
}
_KINDS = ("poster", "postcard", "puzzle")

# Files that are taken for photos by their names; whether they are is found out by the job.
_ENDINGS = frozenset((".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the shop.

    Attributes:
        id: What its files and its job are called.
        photo: The path of its photo.
    """

    id: str
    name: str
    photo: str

    @property
    def job_id(self) -> str:
        """The job that makes its thumbnails."""
        return f"thumbnails-{self.id}"


def free_products() -> list[Product]:
    """Each of scikit-image's free photos, as several products.

    Raises:
        Problem: It is not installed.
    """
    # Only its files are needed; importing it would need NumPy.
    spec = find_spec("skimage")
    places = spec.submodule_search_locations if spec else None
    folder = Path(places[0], "data") if places else None
    if folder is None or not (folder / "coffee.png").is_file():
        raise Problem(
            "the demo's photos are not there: pip install --no-deps scikit-image, or name a folder of yours"
        )
    return [
        Product(f"{_plain(Path(file).stem)}-{kind}", f"{name}, {kind}", str(folder / file))
        for file, name in FREE_PHOTOS.items()
        for kind in _KINDS
    ]


def own_products(folder: Path) -> tuple[list[Product], list[str]]:
    """The photos of a folder, each as one product, and the names of the files that are none.

    Raises:
        Problem: The folder can't be read, or there is no photo in it.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise Problem(f"the photos can't be read: {folder}: {error.strerror}") from None
    photos = [path for path in files if path.suffix.lower() in _ENDINGS]
    others = [path.name for path in files if path.suffix.lower() not in _ENDINGS]
    if not photos:
        found = f"only {', '.join(others[:5])}" if others else "it is empty"
        raise Problem(f"there is no photo in {folder}: {found} (photos end in {', '.join(sorted(_ENDINGS))})")
    products = [
        Product(f"{number:04}-{_plain(path.stem)}", path.stem, str(path.resolve()))
        for number, path in enumerate(photos, 1)
    ]
    return products, others


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:40] or "photo"
