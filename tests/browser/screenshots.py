"""The pictures of README and docs/console.md: `make screenshots`, which runs this."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from wherry.client import Client
from wherry.ops.demo.inputs import digits, drawn
from wherry.ops.stack import Stack
from wherry.samples.models import write_samples
from wherry.tasks.vision.image_classification import ImageClassificationInput
from wherry.tasks.vision.object_detection import ObjectDetectionInput

from .conftest import ROOT, chromium

SHAPES = drawn(1)[0].data

#: Rounds of work before the fleet's picture: its charts have a point each ten seconds.
ROUNDS = 9


def main(into: Path) -> None:
    """Start a fleet of the sample models, or take one that runs, and take each picture."""
    if running := os.environ.get("WHERRY_BROWSER_FLEET"):
        shoot(running.rstrip("/"), into)
        return
    models = write_samples(ROOT / ".wherry" / "samples")
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(models=models, data_dir=Path(folder), flower=False, run_workers=1) as stack,
    ):
        shoot(stack.url, into)


def shoot(url: str, into: Path) -> None:
    """Ask a fleet something, and take the pictures."""
    with Client(url) as client, sync_playwright() as playwright:
        job, run = _work(client), _annotated(client)
        browser = chromium(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        for name, (address, height, prepare) in SHOTS.items():
            page.set_viewport_size({"width": 1280, "height": height})
            page.goto(f"{url}/console/{address.format(job=job, run=run)}")
            page.locator("main h1").first.wait_for()
            if prepare:
                prepare(page)
            page.wait_for_timeout(7_000)  # numbers that take two looks are drawn, too
            page.screenshot(path=into / name)
            with Image.open(into / name) as taken:  # flat colours: a third of the bytes
                taken.convert("RGB").quantize(256).save(into / name, optimize=True)
        browser.close()


def _work(client: Client) -> str:
    """Have digits read and shapes found for a minute and a half; the id of a digit's job."""
    job_id = ""
    for number in range(ROUNDS):
        scans = [one.data for one in digits(20 + 10 * (number % 4))]
        jobs = [
            client.submit("image-classification", ImageClassificationInput(images=[scan], top_k=3))
            for scan in scans
        ]
        found = client.submit("object-detection", ObjectDetectionInput(images=[SHAPES]))
        for job in (*jobs, found):
            client.result(job.id, timeout_s=60)
        job_id = jobs[-1].id
        time.sleep(10)
    return job_id


def _annotated(client: Client) -> str:
    """Have shapes found in a data set of sixty pictures; the id of the run."""
    with tempfile.TemporaryDirectory() as folder:
        for picture in drawn(60):
            (Path(folder) / picture.name).write_bytes(picture.data)
        run = client.annotate(folder, model="object-detection", detach=True, name="drawn shapes")
        return client.runs.wait(run.id).id


def _try(page: Page) -> None:
    """Give a model's widget a picture, and wait for what it draws."""
    page.locator("input[type=file]").set_input_files(
        {"name": "shapes.png", "mimeType": "image/png", "buffer": SHAPES}
    )
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".widget-answer .answer canvas").first.wait_for()


#: File name -> the page's address, how high the picture is, and what is done first; {job} is a
#: digit's job, {run} a run over drawn shapes.
SHOTS: dict[str, tuple[str, int, Callable[[Page], None] | None]] = {
    "console-models.png": ("#/models", 800, None),
    "console-model.png": ("#/models/object-detection", 1180, _try),
    "console-job.png": ("#/jobs/{job}", 900, None),
    "console-run.png": ("#/runs/{run}/rows", 900, None),
    "console-fleet.png": ("#/fleet?by=family", 1420, None),
}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
