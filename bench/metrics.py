"""`make bench-metrics`: what metrics cost, by one fleet that observes and does not, in short turns.

In the third state its pages are read each second besides, as by a Prometheus in a hurry. What Redis
counts is in all of them: `bench-noop BEFORE=...` compares with a checkout that has not even that.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx

from wherry.protocol import codec
from wherry.tasks.text.embedding import EmbeddingInput

from . import load
from .in_turn import Seen, in_turn, rows, switched
from .shown import show

#: Loads: rows of one request, of how many clients, and requests of a turn.
_LOADS = {"no-op": (1, 64, 320), "texts": (32, 16, 80)}

_SCRAPED = "observes:scraped"
_STATES = ("nothing", "observes", _SCRAPED)


@contextlib.contextmanager
def _scraped(url: str) -> Iterator[None]:
    """Read the fleet's pages each second, all that its discovery lists."""
    over = threading.Event()
    with httpx.Client(timeout=10) as http:
        targets = http.get(f"{url}/v2/metrics/targets").raise_for_status().json()
        pages = [f"http://{each['targets'][0]}/metrics" for each in targets]
        assert len(pages) > 1, targets

        def scrape() -> None:
            while True:
                for page in pages:
                    http.get(page).raise_for_status()
                if over.wait(1.0):
                    return

        thread = threading.Thread(target=scrape)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def request(rows_of_one: int = 1) -> load.Request:
    """A request of so many texts of a kilobyte."""
    asked = EmbeddingInput(texts=["x" * 1000] * rows_of_one).to_inference_request()
    return load.Request("/v2/models/vectors/infer", codec.encode_request(asked, binary=False)[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.metrics", description=__doc__)
    parser.add_argument("--rounds", type=int, default=120)
    parser.add_argument("--only", default="", choices=["", *_LOADS])
    parser.add_argument("--no-scrape", action="store_true", help="the first two states alone")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    states = _STATES[: 2 if options.no_scrape else 3]
    found: list[dict[str, object]] = []
    with (
        tempfile.TemporaryDirectory(prefix="wherry-bench-") as name,
        switched(Path(name), WHERRY_TRACING="off") as fleet,
    ):
        for what, (rows_of_one, clients, count) in _LOADS.items():
            if options.only not in ("", what):
                continue
            requests = [request(rows_of_one)] * count

            def turn(state: str, seen: Seen) -> None:
                scraped = _scraped(fleet.url) if state == _SCRAPED else contextlib.nullcontext()
                with scraped:
                    fleet.turn(seen, state, requests, clients)  # noqa: B023 # called at once

            found += rows(in_turn(states, options.rounds, turn), load=what)
    show(found, as_json=options.json)


if __name__ == "__main__":
    main()
