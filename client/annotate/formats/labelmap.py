"""labelmap.txt, the list of a data set's labels as CVAT and Datumaro read it for Pascal VOC.

label:red,green,blue:parts:actions      a line a label, by its number
"""

from __future__ import annotations

#: The label of what is no object, number 0.
GROUND = "background"

#: The first lines.
HEAD = f"# label:color_rgb:parts:actions\n{GROUND}:0,0,0::\n"

#: Bits of a number that have a place in a colour.
_BITS = 8


def label_line(label: str, number: int) -> str:
    """A label's line; the label holds nothing that would divide it."""
    return f"{label}:{','.join(map(str, label_colour(number)))}::\n"


def label_colour(number: int) -> tuple[int, int, int]:
    """Red, green and blue of a label in the challenge's development kit: each third bit of its
    number, the lowest first.
    """
    red, green, blue = (
        sum((number >> 3 * bit + channel & 1) << 7 - bit for bit in range(_BITS))
        for channel in range(3)
    )
    return red, green, blue
