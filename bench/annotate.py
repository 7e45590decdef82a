"""`make bench-annotate`: a folder of photographs annotated, held against a plain loop and Ray Data.

All three run the same model with the same code on the same files; Ray Data in an environment of its
own, made on the first run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.table import Table

from wherry.client import Client
from wherry.client.annotate import Options, annotate
from wherry.client.annotate.forecast import Forecast, forecast
from wherry.client.annotate.prepared import origin_of, sizes
from wherry.client.annotate.sources import open_source
from wherry.ops.stack import Stack

from . import vit

_IMAGES, _BATCH, _TURNS = 640, 16, 2
_RAY = "ray[data]==2.60.0"
_RAY_FOLDER = Path(".wherry/bench-ray")

_MODELS = """
[[models]]
name = "vit"
task = "image-classification"
backend = "transformers"
source = "{vit}"
max_batch_size = {batch}
parameters = {{ threads = 1 }}
"""


def main() -> None:
    """Measure and print: each of the three in turn, twice."""
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = Path(name)
        vit.save_model(folder / "vit")
        images = vit.photographs(_IMAGES)
        photos = folder / "photos"
        photos.mkdir()
        for number, image in enumerate(images):
            (photos / f"{number:06}.jpg").write_bytes(image)
        python = _ray_python()
        loop, ours, ray = [], [], []
        with _fleet(folder) as client:
            said = _forecast(client, photos)
            for turn in range(_TURNS):
                loop.append(vit.plain_loop(folder / "vit", images, _BATCH))
                ours.append(_ours(client, photos, folder / f"{turn}.jsonl"))
                ray.append(_ray(python, folder))
            loop.append(vit.plain_loop(folder / "vit", images, _BATCH))
    table = Table("what", "reached", "held against", "ratio", "target")
    table.add_row(
        f"annotate, rows/s, whole run, {_IMAGES} JPEG of 640 x 480, batch {_BATCH}",
        _told(ours),
        f"the same in one plain loop: {_told(loop)}",
        f"{mean(ours) / mean(loop):.2f}",
        ">= 0.95",
    )
    table.add_row(
        "the same",
        _told(ours),
        f"Ray Data map_batches, from its first batch on: {_told(ray)}",
        f"{mean(ours) / mean(ray):.2f}",
        "> 1",
    )
    table.add_row(*_checked(said, _IMAGES / ours[0]))
    Console(width=max(Console().width, 110)).print(table)


def _told(rates: list[float]) -> str:
    return ", ".join(f"{rate:.1f}/s" for rate in rates)


@contextmanager
def _fleet(folder: Path) -> Iterator[Client]:
    models = folder / "models.toml"
    models.write_text(_MODELS.format(vit=folder / "vit", batch=_BATCH))
    with (
        Stack(models=models, data_dir=folder, flower=False) as stack,
        Client(stack.url, timeout_s=120) as client,
    ):
        yield client


def _forecast(client: Client, photos: Path) -> Forecast:
    """What a dry run says of the whole run."""
    options = Options(source=str(photos), model="vit", out=photos.parent / "dry.jsonl")
    origin = origin_of(client, options)
    source = open_source(str(photos), origin.task)
    size = sizes(client, origin)
    return forecast(client, source, origin, size.rows, size.in_flight, rows=_IMAGES)


def _ours(client: Client, photos: Path, out: Path) -> float:
    """Rows a second of a whole run."""
    started = time.perf_counter()
    summary = annotate(client, Options(source=str(photos), model="vit", out=out, reuse=False))
    seconds = time.perf_counter() - started
    assert (summary.rows, summary.failed) == (_IMAGES, 0)
    assert summary.reused < 5, "but for a cut that came twice, all are computed"
    return _IMAGES / seconds


def _checked(said: Forecast, seconds: float) -> tuple[str, str, str, str, str]:
    """A forecast beside the run that followed it."""
    low, high = said.seconds_low or 0.0, said.seconds_high or 0.0
    return (
        "dry run of 50 rows: predicted seconds",
        f"{said.seconds or 0.0:.1f} ({low:.1f} to {high:.1f})",
        f"the run took {seconds:.1f}",
        f"{(said.seconds or 0.0) / seconds:.2f}",
        "held" if low <= seconds <= high else "not within its interval",
    )


def _ray_python() -> Path:
    """Ray Data's environment, which borrows everything else from ours."""
    python = _RAY_FOLDER / "bin" / "python"
    if not python.exists():
        venv.create(_RAY_FOLDER, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", _RAY], check=True)
        own = Path(sysconfig.get_path("purelib", vars={"base": str(_RAY_FOLDER)}))
        (own / "borrowed.pth").write_text(
            f"{sysconfig.get_path('purelib')}\n{Path(__file__).parents[1] / 'src'}\n"
        )
    return python


def _ray(python: Path, folder: Path) -> float:
    done = subprocess.run(
        [
            *(python, Path(__file__).with_name("ray_data.py")),
            *(folder / "vit", folder / "photos", str(_BATCH)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"Ray Data failed:\n{done.stderr[-3000:]}")
    rate: float = json.loads(done.stdout.splitlines()[-1])
    return rate


if __name__ == "__main__":
    main()
