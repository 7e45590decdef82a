"""What a JSON value is, in the words of people who wrote it."""

from __future__ import annotations

_WORDS: dict[type, str] = {
    type(None): "null",
    bool: "true or false",
    int: "an integer",
    float: "a number with a fraction",
    str: "a string",
    bytes: "a file's bytes",
    list: "a list",
    dict: "an object",
}


def kind_in_words(kind: type) -> str:
    """The word for values of a Python type."""
    return _WORDS.get(kind, kind.__name__)


def in_words(value: object) -> str:
    """The word for a value."""
    return kind_in_words(type(value))
