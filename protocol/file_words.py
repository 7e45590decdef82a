"""Files in words: what one is called, and why it could not be read."""

from __future__ import annotations


def reason_of(error: Exception) -> str:
    """Why a file could not be read, the same in every run."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def printable_name(name: str) -> str:
    r"""A file's name as valid text: bytes that are no UTF-8 become `\xff`."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
