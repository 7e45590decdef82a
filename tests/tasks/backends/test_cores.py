from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from wherry.tasks.backends import create_backend
from wherry.tasks.backends.cores import usable_cores
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.onnx import graph
from wherry.tasks.backends.transformers import base


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "1600000 100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
    ],
)
def test_a_containers_quota_counts_beside_the_cores_that_a_process_is_bound_to(
    files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="ascii")
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(
    ("declared", "now", "bound"), [(0, 64, 3), (0, 2, 2), (1, 64, 1), (5, 64, 5)]
)
def test_torch_takes_no_more_threads_than_there_are_cores_to_use(
    declared: int, now: int, bound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = [now]
    monkeypatch.setattr(base, "usable_cores", lambda: 3)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[-1])
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    backend = create_backend("transformers", "embedding", None, device=Device(), threads=declared)
    assert isinstance(backend, base.TransformersBackend)
    backend.bound_threads()
    assert threads[-1] == bound


def test_and_so_does_a_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Opened(Exception):
        pass

    class Runtime:
        def open(self, path: Path, device: Device, threads: int) -> None:
            raise Opened(threads)

    monkeypatch.setattr(graph, "usable_cores", lambda: 3)
    for declared, bound in ((0, 3), (5, 5)):
        with pytest.raises(Opened, match=str(bound)):
            graph.Graph(tmp_path, Device(), runtime=Runtime(), threads=declared)  # type: ignore[arg-type] # opens nothing
