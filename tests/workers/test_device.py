from __future__ import annotations

import re

import pytest

from wherry.workers.device import free_bytes, kind, list_gpus, pin, resolve


@pytest.mark.parametrize(
    ("device", "number", "gpus", "expected"),
    [
        ("cpu", 0, [0, 1], "cpu"),
        ("cuda", 3, [0, 1], "cuda:0"),
        ("cuda:1", 0, [], "cuda:1"),
        ("auto", 0, [], "cpu"),
        ("auto", 0, [0, 1], "cuda:0"),
        ("auto", 1, [0, 1], "cuda:1"),
        ("auto", 5, [0, 1], "cuda:1"),
    ],
)
def test_devices_are_spread_over_the_gpus(device, number, gpus, expected):
    assert resolve(device, number, lambda: gpus) == expected


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "tpu:0", ""])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(ValueError, match="use cpu, cuda, cuda:N or auto"):
        resolve(device)


def test_a_pinned_process_sees_its_gpu_alone():
    environ: dict[str, str] = {}
    assert pin("cuda:3", environ) == "cuda:0"
    assert environ == {"CUDA_VISIBLE_DEVICES": "3"}


def test_a_cpu_worker_sees_no_gpu():
    environ: dict[str, str] = {}
    assert pin("cpu", environ) == "cpu"
    assert environ == {"CUDA_VISIBLE_DEVICES": ""}


def test_gpus_are_read_from_the_drivers_own_list(tmp_path, monkeypatch):
    listing = tmp_path / "nvidia-smi"
    listing.write_text("#!/bin/sh\necho 'GPU 0: H (UUID: a)'\necho 'GPU 1: H (UUID: b)'\n")
    listing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert list_gpus() == [0, 1]
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert list_gpus() == []


def test_devices_of_one_kind_are_called_the_same_wherever_they_are(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\n[ "$1" = --id=3 ] && echo "NVIDIA H200, 143771 MiB"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert kind("cuda:0", {"CUDA_VISIBLE_DEVICES": "3"}) == "NVIDIA H200, 143771 MiB"
    assert kind("cuda:0", {"CUDA_VISIBLE_DEVICES": "7"}) == "cuda", "it cannot be told"
    assert re.fullmatch(r"cpu, \d+ GiB", kind("cpu"))


def test_memory_that_is_free_is_known_for_the_cpu_and_not_without_a_driver() -> None:
    free = free_bytes("cpu")
    assert free is None or free > 0
    if not list_gpus():
        assert free_bytes("cuda:0") is None
