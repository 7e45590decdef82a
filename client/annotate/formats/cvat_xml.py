"""What CVAT's two forms of XML share: labels, places of shapes, scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ....tasks.values.rounding import number, pixels
from .text import xml_text


def box_place(corners: tuple[float, float, float, float]) -> str:
    """The attributes that say where a box is: left, top, right and bottom in pixels."""
    names = ("xtl", "ytl", "xbr", "ybr")
    return " ".join(
        f'{name}="{pixels(corner):.2f}"' for name, corner in zip(names, corners, strict=True)
    )


def mask_places(item: Any) -> Iterator[str]:
    """The attributes that say what a mask is; none for an empty one.

    They are the run lengths, row by row and zeros first, of the box around it.
    """
    from ....tasks.values.masks import read_mask  # numpy and Pillow, for masks alone
    from ....tasks.values.rle import counts
    from .coco_instance import bounds

    mask = read_mask(item.mask)
    if mask.any():
        left, top, width, height = bounds(mask)
        runs = ", ".join(map(str, counts(mask[top : top + height, left : left + width].T)))
        yield f'rle="{runs}" left="{left}" top="{top}" width="{width}" height="{height}"'


def score_attribute(score: float) -> str:
    """The attribute that holds a score."""
    return f'      <attribute name="score">{number(score) or 0.0}</attribute>\n'


def label_entry(name: str) -> str:
    """A label, as the head of a document lists it."""
    return (
        f"        <label><name>{element_text(name)}</name><attributes><attribute><name>score</name>"
        "<mutable>False</mutable><input_type>text</input_type><default_value></default_value>"
        "<values></values></attribute></attributes></label>\n"
    )


def quoted(text: str) -> str:
    """An attribute's value."""
    return quoteattr(xml_text(text))


def element_text(text: str) -> str:
    """An element's text."""
    # A reader turns CR into LF, unless it is a reference.
    return escape(xml_text(text), {"\r": "&#13;"})
