"""Pictures that wait for their places, and what a run may do where it linked them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from wherry.client.annotate.pictures import Pictures
from wherry.client.annotate.placing import Placing
from wherry.client.errors import UsageError
from wherry.protocol.errors import InvalidRequest, RowError


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (12, 12), (9, 99, 199)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "name", "suffix"),
    [
        ("JPEG", "a.jpg", ".jpg"),
        ("JPEG", "a.JPEG", ".jpeg"),
        ("JPEG", "a.jfif", ".jpg"),
        ("JPEG", "17", ".jpg"),
        ("JPEG", "a.png", ".jpg"),
        ("PNG", "a.apng", ".png"),
        ("WEBP", "v1.2", ".webp"),
        ("TIFF", "a.tiff", ".tiff"),
        ("BMP", "", ".bmp"),
        ("JPEG2000", "a.jpx", ".jp2"),
        ("AVIF", "a.avifs", ".avif"),
        ("GIF", "a", ".gif"),
        ("ICO", "a.jpg", ".ico"),
        ("PPM", "a.pnm", ".pnm"),
        ("PPM", "a.x", ".ppm"),
    ],
)
def test_a_name_ends_as_what_the_picture_is(
    tmp_path: Path, kind: str, name: str, suffix: str
) -> None:
    pictures = Pictures(tmp_path / "kept", link=False)
    pictures.keep(5000, picture(kind), "")
    assert pictures.suffix(5000, name) == suffix


def test_what_nobody_knows_keeps_its_name(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "kept", link=False)
    pictures.keep(0, b"?", "")
    assert pictures.suffix(0, "a.raw") == ".raw"


@pytest.mark.parametrize("link", [True, False])
def test_a_picture_goes_to_its_place_once(tmp_path: Path, link: bool) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(picture("PNG"))
    pictures = Pictures(tmp_path / "kept", link=link)
    for index, file in enumerate([str(photo), ""]):
        pictures.keep(index, photo.read_bytes(), file)
        pictures.take(index, tmp_path / "out" / f"{index}.png")
    linked, sent = tmp_path / "out" / "0.png", tmp_path / "out" / "1.png"
    assert linked.is_symlink() is link
    assert not sent.is_symlink()
    assert linked.read_bytes() == sent.read_bytes() == photo.read_bytes()
    with pytest.raises(RowError, match="not there any more"):
        pictures.suffix(0, "a.png")
    pictures.keep(2, photo.read_bytes(), str(photo))
    pictures.close()
    assert not (tmp_path / "kept").exists()
    assert photo.exists()


def test_a_file_that_is_not_what_was_sent_is_not_linked(tmp_path: Path) -> None:
    """Such as a film, of which the row is a frame."""
    (tmp_path / "film.mp4").write_bytes(b"a film")
    pictures = Pictures(tmp_path / "kept", link=True)
    pictures.keep(0, picture("PNG"), str(tmp_path / "film.mp4"))
    pictures.keep(1, picture("PNG"), str(tmp_path / "gone.png"))
    for index in (0, 1):
        pictures.take(index, tmp_path / f"{index}.png")
        assert (tmp_path / f"{index}.png").read_bytes() == picture("PNG")


def test_a_disk_without_links_has_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refused)
    (tmp_path / "a.png").write_bytes(picture("PNG"))
    pictures = Pictures(tmp_path / "kept", link=True)
    pictures.keep(0, picture("PNG"), str(tmp_path / "a.png"))
    pictures.take(0, tmp_path / "out.png")
    assert not (tmp_path / "out.png").is_symlink()
    assert (tmp_path / "out.png").read_bytes() == picture("PNG")


# What is replaced


def placed(out: Path, photos: Path, *names: str, overwrite: bool = False) -> None:
    """What a run places that links these pictures."""
    with (
        Placing(
            out,
            {"format": "yolo"},
            is_folder=True,
            overwrite=overwrite,
            names=("labels", "images"),
            source_files=lambda: map(str, photos.iterdir()),
        ) as places,
        places.half() as half,
    ):
        pictures = Pictures(half / "waiting", link=True)
        for index, name in enumerate(names):
            (half / "out" / "labels").mkdir(parents=True, exist_ok=True)
            (half / "out" / "labels" / f"{name}.txt").write_text("0\n")
            file = photos / f"{name}.png"
            pictures.keep(index, file.read_bytes(), str(file))
            pictures.take(index, half / "out" / "images" / f"{name}.png")
        pictures.close()
        places.place(half)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate("abc"):
        Image.new("RGB", (12 + number, 12)).save(folder / f"{name}.png")
    return folder


def seen(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Names of a folder's files, what they hold, and which files they are."""
    found = {file.name: file.lstat() for file in folder.iterdir()}
    return {n: ((folder / n).read_bytes(), s.st_ino, s.st_mtime_ns) for n, s in found.items()}


def test_links_are_ours_and_what_they_lead_to_is_not(tmp_path: Path, photos: Path) -> None:
    before, out = seen(photos), tmp_path / "out"
    placed(out, photos, "a", "b")
    for overwrite in (False, True):
        placed(out, photos, "b", "c", overwrite=overwrite)
        assert sorted(file.name for file in (out / "images").iterdir()) == ["b.png", "c.png"]
        assert all(file.is_symlink() for file in (out / "images").iterdir())
        assert seen(photos) == before


def test_a_link_that_was_led_elsewhere_is_its_editors(tmp_path: Path, photos: Path) -> None:
    out = tmp_path / "out"
    placed(out, photos, "a")
    link = out / "images" / "a.png"
    link.unlink()
    link.symlink_to(photos / "b.png")
    with pytest.raises(InvalidRequest, match=r"images/a.png.*not as a run"):
        placed(out, photos, "a")
    assert link.readlink() == photos / "b.png"
    with pytest.raises(UsageError, match=r"a.png.*leads to a file of the source"):
        placed(out, photos, "a", overwrite=True)


def test_a_picture_that_is_gone_leaves_a_link_that_is_still_ours(
    tmp_path: Path, photos: Path
) -> None:
    out = tmp_path / "out"
    placed(out, photos, "a", "b")
    (photos / "a.png").unlink()
    placed(out, photos, "b")
    assert [file.name for file in (out / "images").iterdir()] == ["b.png"]


def test_a_linked_folder_is_refused_where_pictures_are_to_be(tmp_path: Path, photos: Path) -> None:
    """So people put their pictures there by hand: nothing is written through it."""
    before, out = seen(photos), tmp_path / "out"
    out.mkdir()
    (out / "images").symlink_to(photos)
    with pytest.raises(InvalidRequest, match="images: is a link where files are to be written"):
        placed(out, photos, "a", overwrite=True)
    assert seen(photos) == before
