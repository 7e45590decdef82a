"""Ten thousand jobs, as the API would list them: to have a fleet do them takes a minute."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route

JOBS = 10_000

#: Go to the end of the list until it has so many lines.
LOAD = """async (rows) => {
  const list = document.querySelector(".windowed");
  while (Number(list.querySelector("table").getAttribute("aria-rowcount")) < rows) {
    list.scrollTop = list.scrollHeight;
    await new Promise(requestAnimationFrame);
  }
}"""


def tell(page: Page) -> None:
    """Have a page list the jobs: its calls about them are answered here."""
    page.route(re.compile(r"/v2/jobs\?"), _pages)


def _pages(route: Route) -> None:
    query = parse_qs(urlsplit(route.request.url).query)
    first, count = int(query.get("after", ["0"])[0]), int(query["limit"][0])
    jobs = [_job(JOBS - number) for number in range(first, min(first + count, JOBS))]
    following = first + count
    route.fulfill(json={"jobs": jobs, "next": str(following) if following < JOBS else None})


def _job(number: int) -> dict[str, Any]:
    at = f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000Z"
    return {
        "id": f"01977a3e-5f0c-7cc2-9d0e-{number:012}",
        "status": "failed" if number % 7 == 0 else "succeeded",
        "model_name": "embedding",
        "rows": 1,
        "created_at": at,
        "started_at": at,
        "finished_at": at,
        "error": {"type": "invalid_row", "message": "row 0: no"} if number % 7 == 0 else None,
    }
