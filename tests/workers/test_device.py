from __future__ import annotations

import os
import re

import pytest
import typer
from typer.testing import CliRunner

from wherry.workers.commands import register
from wherry.workers.device import free_bytes, kind, list_gpus, pin, resolve
from wherry.workers.threads import EXIT_UNUSABLE


@pytest.mark.parametrize(
    ("device", "number", "gpus", "expected"),
    [
        ("cpu", 0, [0, 1], "cpu"),
        ("cuda", 3, [0, 1], "cuda:0"),
        ("cuda:1", 0, [0, 1], "cuda:1"),
        ("auto", 0, [], "cpu"),
        ("auto", 0, [0, 1], "auto:0"),
        ("auto", 1, [0, 1], "auto:1"),
        ("auto", 5, [0, 1], "auto:1"),
        ("auto", 1, [2, 3], "auto:3"),
        ("auto:3", 0, [2, 3], "auto:3"),  # settled by whoever started the worker
        ("auto:0", 0, [], "cpu"),
    ],
)
def test_devices_are_spread_over_the_gpus(device, number, gpus, expected):
    assert resolve(device, number, lambda: gpus) == expected


def test_a_gpu_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="'cuda:2': this machine has cuda:0, cuda:1; use one"):
        resolve("cuda:2", gpus=lambda: [0, 1])
    with pytest.raises(ValueError, match="'cuda:1': this machine has no GPU; use cpu or auto"):
        resolve("cuda:1", gpus=list, drivers=())


def test_without_the_drivers_tool_a_gpu_is_the_runtimes_to_judge():
    assert resolve("cuda:1", gpus=list, drivers=(os.devnull,)) == "cuda:1"


def test_a_worker_asked_for_a_gpu_that_is_not_there_says_so_in_one_line(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: H (UUID: a)'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    app = typer.Typer()
    register(app)
    ran = CliRunner().invoke(app, ["worker", "vision", "--device", "cuda:1"])
    assert (ran.exit_code, ran.stdout) == (EXIT_UNUSABLE, "")
    assert ran.stderr == (
        "error: device 'cuda:1': this machine has cuda:0; use one of them or auto\n"
    )


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "auto:", "tpu:0", ""])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(ValueError, match="use cpu, cuda, cuda:N or auto"):
        resolve(device)


def test_a_pinned_process_sees_its_gpu_alone():
    environ: dict[str, str] = {}
    assert pin("cuda:3", environ) == "cuda:0"
    assert environ == {"CUDA_VISIBLE_DEVICES": "3"}
    assert pin("auto:2", environ) == "cuda:0"
    assert environ == {"CUDA_VISIBLE_DEVICES": "2"}


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
