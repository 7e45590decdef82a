"""The pictures of README and docs/console.md: `make screenshots`, which runs this."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from wherry.client import Client
from wherry.ops.demo.inputs import digits
from wherry.ops.stack import Stack
from wherry.samples.models import write_samples
from wherry.tasks.vision.image_classification import ImageClassificationInput

from .conftest import ROOT, chromium

#: File name -> the page's address; {job} is a digit's job.
SHOTS = {
    "console-models.png": "#/models",
    "console-model.png": "#/models/image-classification",
}


def main(into: Path) -> None:
    """Start a fleet of the sample models, or take one that runs, and take each picture."""
    if running := os.environ.get("WHERRY_BROWSER_FLEET"):
        shoot(running.rstrip("/"), into)
        return
    models = write_samples(ROOT / ".wherry" / "samples")
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(models=models, data_dir=Path(folder), flower=False) as stack,
    ):
        shoot(stack.url, into)


def shoot(url: str, into: Path) -> None:
    """Ask a fleet something, and take the pictures."""
    with Client(url) as client, sync_playwright() as playwright:
        inputs = [ImageClassificationInput(images=[one.data], top_k=3) for one in digits(40)]
        jobs = [client.submit("image-classification", one) for one in inputs]
        for job in jobs:
            client.result(job.id, timeout_s=60)
        browser = chromium(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        for name, address in SHOTS.items():
            page.goto(f"{url}/console/{address.format(job=jobs[0].id)}")
            _settle(page)
            page.screenshot(path=into / name)
            with Image.open(into / name) as taken:  # flat colours: a third of the bytes
                taken.convert("RGB").quantize(256).save(into / name, optimize=True)
        browser.close()


def _settle(page: Page) -> None:
    """Wait until all is drawn, numbers that take two looks too."""
    page.locator("main h1").first.wait_for()
    page.wait_for_timeout(7_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
