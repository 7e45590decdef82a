"""Fuzz the reader of the binary tensor extension: `make fuzz` (atheris, coverage-guided).

The first two bytes of an input are the header's length; the rest is the body. Whatever comes, the
reader answers with a request or with InvalidRequest; and a request that was read is written and
read again to the same bytes. So does the reader of many requests in one body.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["wherry.protocol"]):
    from wherry.protocol import codec, many
    from wherry.protocol.errors import InvalidRequest


def one(data: bytes) -> None:
    """One input of the fuzzer's. Raises whatever should not be raised."""
    length = int.from_bytes(data[:2], "little") if len(data) > 1 else None
    body = data[2:]
    for header_length in (None, length):
        try:
            request = codec.decode_request(body, header_length)
            again, head = codec.encode_request(request, binary=True)
        except InvalidRequest:
            continue
        twice, _ = codec.encode_request(codec.decode_request(again, head), binary=True)
        assert twice == again, "written, read and written again it differs"
    if length is not None:
        submission(body, length)


def submission(body: bytes, length: int) -> None:
    """One input as many requests."""
    try:
        jobs = many.decode_submission(body, length).get("jobs")
        requests = [
            codec.request_of(entry.get("request"))
            for entry in (jobs if isinstance(jobs, list) else ())
            if isinstance(entry, dict)
        ]
        again, head = many.encode_submission("m", requests)
    except InvalidRequest:
        return
    read = many.decode_submission(again, head)["jobs"]
    twice = many.encode_submission("m", [codec.request_of(entry["request"]) for entry in read])
    assert twice == (again, head), "written, read and written again it differs"


def seeds(folder: Path) -> None:
    """What the fuzzer begins with: a small request of each datatype."""
    folder.mkdir(parents=True, exist_ok=True)
    for datatype, size in {"BYTES": 5, "FP32": 4, "BF16": 2, "BOOL": 1, "INT64": 8}.items():
        tensor = {
            "name": "x",
            "shape": [1],
            "datatype": datatype,
            "parameters": {"binary_data_size": size},
        }
        head = json.dumps({"id": "a", "inputs": [tensor], "parameters": {"a": 1}}).encode()
        raw = b"\x01\0\0\0a" if datatype == "BYTES" else bytes(size)
        (folder / datatype).write_bytes(len(head).to_bytes(2, "little") + head + raw)
        entry = {"model_name": "m", "request": json.loads(head)}
        both = json.dumps({"jobs": [entry, entry]}).encode()
        (folder / f"two {datatype}").write_bytes(len(both).to_bytes(2, "little") + both + raw + raw)
    plain = b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[[1.5]]}]}'
    (folder / "plain").write_bytes(b"\0\0" + plain)


if __name__ == "__main__":
    corpus = Path(".fuzz/codec")
    seeds(corpus)
    atheris.Setup([sys.argv[0], str(corpus), "-max_len=4096", *sys.argv[1:]], one)
    atheris.Fuzz()
