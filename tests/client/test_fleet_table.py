from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from wherry.client.tables import queues_table


def test_what_a_worker_warns_of_is_shown_as_it_was_said() -> None:
    worker: dict[str, Any] = {
        "id": "vision@host",
        "device": "cuda:0",
        "families": ["vision"],
        "running": 0,
        "last_seen_s": 0.1,
        "warnings": ["computing on the CPU: pip install 'onnxruntime-gpu[cuda,cudnn]'"],
    }
    of_old = {name: value for name, value in worker.items() if name != "warnings"}
    fleet = {"queues": [], "workers": [worker, of_old], "totals": {"waiting": 0}}
    shown = io.StringIO()
    Console(file=shown, width=120).print(queues_table(fleet))
    assert f"vision@host: {worker['warnings'][0]}\n" in shown.getvalue()
