"""A folder of real photographs, copied from installed packages: none lies in this repository."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

#: Package -> photographs inside it (scikit-image 0.26, scikit-learn 1.9): portraits, a cat, a cup,
#: machines, a rocket, a temple, a flower, and a scanned page; PNG and JPEG, colour and grey.
_FILES = {
    "skimage": (
        "data/astronaut.png",
        "data/camera.png",
        "data/chelsea.png",
        "data/coffee.png",
        "data/coins.png",
        "data/motorcycle_left.png",
        "data/page.png",
        "data/rocket.jpg",
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}

#: The scan, on which trained models can read text.
PAGE = "skimage/page.png"


def photographs(folder: Path) -> Path:
    """A folder with one folder of photographs a package, and one file that is no picture."""
    for package, names in _FILES.items():
        found = find_spec(package)
        assert found is not None, f"{package} is in the extra demo"
        assert found.origin is not None
        (folder / package).mkdir(parents=True)
        for name in names:
            file = Path(found.origin).parent / name
            shutil.copyfile(file, folder / package / file.name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture at all")
    return folder


def pictures(folder: Path) -> list[str]:
    """The ids of those that are pictures, in the source's order."""
    found = (str(path.relative_to(folder)) for path in folder.glob("*/*"))
    return sorted(found)
