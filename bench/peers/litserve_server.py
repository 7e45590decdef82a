"""LitServe: one API, batched."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from typing import Any

import litserve
from fastapi import Response

from bench.peers.workloads import BATCH, WAIT_S, workload


class Api(litserve.LitAPI):
    """The model behind a route."""

    def setup(self, device: str) -> None:  # noqa: ARG002 # its signature
        """Load it."""
        self._workload = workload()

    def decode_request(self, request: dict[str, str], **_: object) -> Any:
        """A row as the model is given it."""
        return self._workload.decode(base64.b64decode(request["body"]))

    def predict(self, rows: Sequence[Any]) -> list[str]:
        """Answer a batch."""
        return self._workload.answer(rows)

    def encode_response(self, output: str, **_: object) -> Response:
        """As text."""
        return Response(output)


if __name__ == "__main__":
    api = Api(max_batch_size=BATCH[os.environ["WORKLOAD"]], batch_timeout=WAIT_S)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(port=int(os.environ["PORT"]), host="127.0.0.1", generate_client_file=False)
