"""What Triton's clients can ask for and nobody here serves: refused by name, not passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .errors import InvalidRequest

#: Parameters of one tensor, asked for or sent, and what to do instead.
_OF_TENSORS = {
    "classification": "ask for the outputs label and score, and say how many with top_k",
    "shared_memory_region": "shared memory is not supported; send and take the data itself",
    "shared_memory_byte_size": "shared memory is not supported; send and take the data itself",
    "shared_memory_offset": "shared memory is not supported; send and take the data itself",
}

#: Parameters of a sequence of requests. 0, "" and false say that there is none.
_SEQUENCE = ("sequence_id", "sequence_start", "sequence_end")


def check_document(document: object) -> None:
    """Refuse a request that is parsed JSON. Raises InvalidRequest that names the tensor.

    It looks before the request is read: a tensor in shared memory has no data, which would be said
    to be missing.
    """
    if not isinstance(document, dict):
        return
    for field in ("inputs", "outputs"):
        for tensor, parameters in _tensors(document.get(field)):
            check_tensor(field, tensor, parameters)
    given = document.get("parameters")
    if isinstance(given, dict):
        check_request(given)


def check_tensor(field: str, name: object, parameters: Mapping[str, object]) -> None:
    """Refuse what a tensor of `inputs` or `outputs` may not ask for. Raises InvalidRequest."""
    for asked, instead in _OF_TENSORS.items():
        if parameters.get(asked) is not None:
            raise InvalidRequest(
                f"{field.removesuffix('s')} {str(name)[:80]!r}: parameter {asked}: {instead}"
            )


def check_request(parameters: Mapping[str, object]) -> None:
    """Refuse sequences. Raises InvalidRequest."""
    for asked in _SEQUENCE:
        if parameters.get(asked):
            raise InvalidRequest(
                f"parameter {asked}: sequences are not supported; no model here keeps a state "
                "between requests"
            )


def _tensors(tensors: object) -> Iterator[tuple[object, Mapping[str, object]]]:
    for tensor in tensors if isinstance(tensors, list) else ():
        if isinstance(tensor, dict) and isinstance(tensor.get("parameters"), dict):
            yield tensor.get("name"), tensor["parameters"]
