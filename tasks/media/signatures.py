"""How picture files begin that Pillow reads by itself: the one table of it.

Files of boxes (AVIF, HEIF) and RIFF (WebP) say what they are further on.
"""

from __future__ import annotations

from typing import NamedTuple


class FirstBytes(NamedTuple):
    """The first bytes of a kind of picture file."""

    begins: bytes
    #: How names of such files end, the usual first.
    suffixes: tuple[str, ...]
    #: Whether nothing else begins so, noise and text among it.
    sure: bool = False
    #: Whether one has no further pages or frames.
    single: bool = False


SIGNATURES = (
    # Its further pictures are the same one for other screens.
    FirstBytes(b"\xff\xd8\xff", (".jpg", ".jpeg", ".mpo"), sure=True, single=True),
    FirstBytes(b"\x89PNG\r\n\x1a\n", (".png",), sure=True),
    FirstBytes(b"GIF87a", (".gif",), sure=True),
    FirstBytes(b"GIF89a", (".gif",), sure=True),
    FirstBytes(b"II*\0", (".tif", ".tiff"), sure=True),
    FirstBytes(b"MM\0*", (".tif", ".tiff"), sure=True),
    FirstBytes(b"II+\0", (".tif", ".tiff")),
    FirstBytes(b"MM\0+", (".tif", ".tiff")),
    FirstBytes(b"\0\0\0\x0cjP  \r\n\x87\n", (".jp2",), sure=True, single=True),
    # A bare stream; readers go by the content.
    FirstBytes(b"\xff\x4f\xff\x51", (".jp2",), sure=True, single=True),
    FirstBytes(b"BM", (".bmp",), single=True),
    FirstBytes(b"\0\0\1\0", (".ico",), single=True),
    *(
        FirstBytes(b"P%c" % kind, (".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".pam"), single=True)
        for kind in b"1234567fF"
    ),
)


def signature(head: bytes) -> FirstBytes | None:
    """The kind of a file that begins so; None for what the table does not have."""
    return next((each for each in SIGNATURES if head.startswith(each.begins)), None)
