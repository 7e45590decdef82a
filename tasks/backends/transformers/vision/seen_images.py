"""What a model saw of images, kept for a while: who marks objects asks about one many times."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from ...sizes import Size

#: Seconds for which an image is kept that nobody asks about.
KEPT_S = 300.0


class Seen(NamedTuple):
    """An image as a model's encoder left it."""

    size: Size
    #: Of a batch of one, in the form that `get_image_embeddings` answers.
    embeddings: Any

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return sum(tensor.nbytes for tensor in _tensors(self.embeddings))


class SeenImages:
    """Images by their files' names: those asked about last, `most` bytes at most."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Seen]] = {}  # the last asked about comes last
        self._bytes = 0
        self._secret = secrets.token_bytes(16)  # who never had the file cannot make up its name

    def name(self, file: bytes, background: str) -> str:
        """What a file on a background is called here, in 32 hexadecimal digits."""
        named = hashlib.blake2b(file, digest_size=16, key=self._secret)
        named.update(b"\0" + background.encode())  # or a file might end in half of a colour
        return named.hexdigest()

    def find(self, key: str) -> Seen | None:
        """What was seen of the file of that name, if it is still there."""
        with self._lock:
            self._forget()
            found = self._kept.pop(key, None)
            if found is None:
                return None
            self._kept[key] = self._clock(), found[1]
            return found[1]

    def keep(self, key: str, seen: Seen) -> None:
        """Keep it, in place of those that nobody asked about for longest; not one too large."""
        if seen.bytes > self._most:
            return
        with self._lock:
            self._drop(key)
            self._kept[key] = self._clock(), seen
            self._bytes += seen.bytes
            self._forget()

    def clear(self) -> None:
        """Free all."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _forget(self) -> None:
        until = self._clock() - KEPT_S
        for key, (asked_at, _) in list(self._kept.items()):
            if asked_at >= until and self._bytes <= self._most:
                return
            self._drop(key)

    def _drop(self, key: str) -> None:
        _, seen = self._kept.pop(key, (0.0, None))
        if seen is not None:
            self._bytes -= seen.bytes


def of_one(embeddings: Any, image: int) -> Any:
    """The embeddings of one image of a batch, as a batch of one that holds no other in memory."""
    if isinstance(embeddings, torch.Tensor):
        return embeddings[image : image + 1].clone()
    return type(embeddings)(of_one(part, image) for part in embeddings)


def together(embeddings: list[Any]) -> Any:
    """Embeddings of several images as those of one batch."""
    first = embeddings[0]
    if len(embeddings) == 1:
        return first
    if isinstance(first, torch.Tensor):
        return torch.cat(embeddings)
    return type(first)(together(list(parts)) for parts in zip(*embeddings, strict=True))


def _tensors(embeddings: Any) -> list[torch.Tensor]:
    if isinstance(embeddings, torch.Tensor):
        return [embeddings]
    return [tensor for part in embeddings for tensor in _tensors(part)]
