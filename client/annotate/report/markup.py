"""Text and numbers in HTML and SVG."""

from __future__ import annotations

import base64
import html
import math

from ..formats.text import one_line, xml_text


def escaped(text: object) -> str:
    """One line of text, also for attributes: what cannot be seen, or turns text, is spelt out."""
    return html.escape(one_line(str(text)))


def escaped_lines(text: str) -> str:
    """Text of many lines."""
    return html.escape(xml_text(text))


def cut(text: str, most: int) -> str:
    """Text of at most `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def number(value: float) -> str:
    """A number as SVG takes it: hundredths are enough of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"


def count(value: float) -> str:
    """A count for people: 12,345."""
    return f"{value:,}"


def score(value: float | None) -> str:
    """A score for people: 0.98; "" for none."""
    return "" if value is None else f"{value:.2f}"


def seconds(value: float) -> str:
    """A duration for people."""
    if value < 10:
        return f"{value:.2g} s" if value < 1 else f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def data_uri(file: bytes) -> str:
    """A PNG or JPEG inside the page."""
    kind = "png" if file.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"
