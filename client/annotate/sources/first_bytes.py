"""What a file holds whose name does not say it, by its first bytes."""

from __future__ import annotations

from ....tasks.audio import headers
from ....tasks.media.containers import container
from ....tasks.media.kinds import PDF, is_heif, rare_kind
from ....tasks.media.signatures import SIGNATURES
from ....tasks.tensors import TensorSpec

#: Bytes that are read to tell.
HEAD_BYTES = 256

_PICTURES = tuple(each.begins for each in SIGNATURES if each.sure)


def holds(spec: TensorSpec, head: bytes) -> bool:
    """Whether a file that begins so is surely one of an input's. Of text that is not known."""
    if spec.content == "audio":
        return headers.is_file(head)
    return spec.content == "image" and _is_picture(head)


def _is_picture(head: bytes) -> bool:
    if head.startswith(_PICTURES) or is_heif(head):
        return True
    if head.startswith(b"RIFF"):
        return head[8:12] == b"WEBP"
    if head.startswith(b"BM"):
        return head[6:10] == b"\0\0\0\0"  # reserved, where text has none
    if head[4:8] == b"ftyp":
        return container(head) is None
    return rare_kind(head) not in (None, PDF)  # pages of a document are rows where its name says so
