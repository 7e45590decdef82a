"""`make bench-console`: how soon the console is there, and whether it stays smooth with much on it.

In Debian's Chromium, without a screen: frames are those of 60 Hz. The ten thousand jobs and the
hundred thousand rows are told to the page here, as the API would; the picture goes to a fleet whose
model is the stub. All of it takes the cores of this machine, so let nothing else run.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from tests.browser import told_jobs, told_run
from tests.browser.conftest import chromium

from wherry.ops.stack import Stack

from .shown import show

_MODELS = """
[[models]]
name = "finder"
task = "object-detection"
backend = "stub"
"""

#: A camera's picture of 20 megapixels.
_WIDTH, _HEIGHT = 5472, 3648

_FIRST_PAINT = """() => new Promise((told) => {
  const seen = (list) => {
    const found = list.getEntries().find(({ name }) => name === "first-contentful-paint");
    if (found) told(found.startTime);
  };
  new PerformanceObserver(seen).observe({ type: "paint", buffered: true });
})"""

#: Scroll by the same at each frame, back from the end; milliseconds from frame to frame.
_SCROLL = """async ([selector, step, seconds]) => {
  const list = document.querySelector(selector);
  const frame = () => new Promise(requestAnimationFrame);
  list.scrollTop = 0;
  for (let waited = 0; waited < 30; waited += 1) await frame();
  let by = step || list.scrollHeight / (60 * seconds);
  const times = [await frame()];
  while (times.at(-1) - times[0] < 1000 * seconds) {
    const before = list.scrollTop;
    list.scrollTop += by;
    if (list.scrollTop === before) by = -by;
    times.push(await frame());
  }
  return times.slice(1).map((time, at) => time - times[at]);
}"""

#: Go to the end of the sheet until it has so many cards.
_LOAD_CARDS = """async (rows) => {
  const sheet = document.querySelector(".sheet");
  while (Number(sheet.querySelector("li").getAttribute("aria-setsize")) < rows) {
    sheet.scrollTop = sheet.scrollHeight;
    await new Promise(requestAnimationFrame);
  }
}"""

#: Note when a file was chosen, when a picture stood on the page, when Run was pressed, when a
#: canvas had the answer's picture, and how long the page's thread was held at most.
_LISTEN = """() => {
  const told = (window.benched = { held: 0 });
  const now = (name) => () => (told[name] ??= performance.now());
  const drawn = (name) => () => requestAnimationFrame(() => requestAnimationFrame(now(name)));
  addEventListener("change", (event) => event.target.type === "file" && now("chosen")(), true);
  document.addEventListener("load", async ({ target }) => {
    if (!(target instanceof HTMLImageElement) || told.shown) return;
    await target.decode();
    drawn("shown")();
  }, true);
  const pressed = ({ target }) => target.textContent.trim() === "Run" && now("run")();
  addEventListener("click", pressed, true);
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (...given) {
    if (told.run && this.canvas.isConnected) drawn("answered")();
    return draw.apply(this, given);
  };
  const longest = (list) => {
    for (const { duration } of list.getEntries()) told.held = Math.max(told.held, duration);
  };
  new PerformanceObserver(longest).observe({ type: "longtask" });
}"""


@contextmanager
def _opened(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(300_000)
    yield context.new_page()
    context.close()


def _first_paint(browser: Browser, url: str, rounds: int) -> Iterator[dict[str, object]]:
    """Of a browser that was never here, and of one that comes again."""
    first, again = [], []
    for _ in range(rounds):
        with _opened(browser) as page:
            page.goto(f"{url}/console/")
            first.append(page.evaluate(_FIRST_PAINT))
            page.reload()
            again.append(page.evaluate(_FIRST_PAINT))
    yield _told("first contentful paint, first visit", first)
    yield _told("first contentful paint, next visit", again)


def _told(what: str, ms: Sequence[float], frames_per_s: float | None = None) -> dict[str, object]:
    return {
        "what": what,
        "median_ms": round(statistics.median(ms), 1),
        "most_ms": round(max(ms), 1),
        "frames_per_s": frames_per_s and round(frames_per_s, 1),
    }


def _scrolled(page: Page, what: str, selector: str, seconds: float) -> Iterator[dict[str, object]]:
    for pace, step in (("120 pixels a frame", 120), ("from end to end", 0)):
        waits: list[float] = page.evaluate(_SCROLL, [selector, step, seconds])
        title = f"{what}, {pace}: from frame to frame"
        yield _told(title, waits, 1000 * len(waits) / sum(waits))


def _jobs(browser: Browser, url: str, seconds: float) -> Iterator[dict[str, object]]:
    with _opened(browser) as page:
        told_jobs.tell(page)
        page.goto(f"{url}/console/#/jobs")
        page.locator(".windowed tbody tr").first.wait_for()
        page.evaluate(told_jobs.LOAD, told_jobs.JOBS + 1)
        yield from _scrolled(page, f"{told_jobs.JOBS:,} jobs", ".windowed", seconds)


def _sheet(browser: Browser, url: str, rows: int, seconds: float) -> Iterator[dict[str, object]]:
    with _opened(browser) as page:
        told_run.tell(page)
        page.goto(f"{url}/console/#/runs/{told_run.ID}/rows")
        page.locator(".sheet-card canvas").first.wait_for()
        page.evaluate(_LOAD_CARDS, rows)
        yield from _scrolled(page, f"a sheet of {rows:,} rows", ".sheet", seconds)


def _picture(browser: Browser, url: str, file: Path, rounds: int) -> Iterator[dict[str, object]]:
    found: list[Mapping[str, float]] = []
    for _ in range(rounds):
        with _opened(browser) as page:
            page.goto(f"{url}/console/#/models/finder")
            page.locator("main input[type=file]").first.wait_for(state="attached")
            page.evaluate(_LISTEN)
            page.locator("main input[type=file]").first.set_input_files(file)
            page.wait_for_function("() => benched.shown")
            page.get_by_role("button", name="Run", exact=True).click()
            page.wait_for_function("() => benched.answered")
            found.append(page.evaluate("benched"))
    size = f"{_WIDTH * _HEIGHT / 1e6:.0f} megapixels, {file.stat().st_size / 1e6:.0f} MB"
    yield _told(f"{size}: from choosing to drawn", [one["shown"] - one["chosen"] for one in found])
    yield _told(
        f"{size}: from Run to the answer over it", [one["answered"] - one["run"] for one in found]
    )
    yield _told(f"{size}: the page's thread held at once", [one["held"] for one in found])


def _photograph(folder: Path) -> Path:
    """Noise: what a picture costs at most."""
    file = folder / "photograph.jpg"
    bands = [Image.effect_noise((_WIDTH, _HEIGHT), 24) for _ in range(3)]
    Image.merge("RGB", bands).save(file, "JPEG", quality=75)
    return file


def _measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = Path(name)
        models = folder / "models.toml"
        models.write_text(_MODELS)
        with (
            Stack(models=models, data_dir=folder, flower=False) as stack,
            sync_playwright() as playwright,
        ):
            browser = chromium(playwright)
            yield from _first_paint(browser, stack.url, options.rounds)
            yield from _jobs(browser, stack.url, options.seconds)
            yield from _sheet(browser, stack.url, options.rows, options.seconds)
            yield from _picture(browser, stack.url, _photograph(folder), options.rounds)
            browser.close()


def main() -> None:
    """Measure, and show what was found."""
    parser = argparse.ArgumentParser(prog="bench.console", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="pages opened, pictures sent")
    parser.add_argument("--rows", type=int, default=told_run.ROWS, help="of the sheet, at most")
    parser.add_argument("--seconds", type=float, default=8.0, help="of scrolling")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    show(list(_measure(options)), as_json=options.json)


if __name__ == "__main__":
    main()
