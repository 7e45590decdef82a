"""The tables of docs/metrics.md, from those of the code: `make docs`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from ..telemetry import metric_specs
from ..telemetry.metric_specs import Kind, MetricSpec

#: Tables by the word that stands on the page for each.
_TABLES = {
    "fleet": metric_specs.FLEET,
    "triton": metric_specs.TRITON,
    "api": metric_specs.API,
    "worker": metric_specs.WORKER,
    "gpu": metric_specs.GPU,
    "everywhere": metric_specs.EVERYWHERE,
}

_BLOCK = re.compile(r"(<!-- metrics: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def render(page: str) -> str:
    """A page with its tables written anew."""
    return _BLOCK.sub(lambda found: found[1] + _table(_TABLES[found[2]]) + found[3], page)


def _table(specs: Sequence[MetricSpec]) -> str:
    lines = ["| name | kind | labels | meaning |", "|---|---|---|---|", *map(_row, specs)]
    return "\n".join(lines) + "\n"


def _row(spec: MetricSpec) -> str:
    labels = ", ".join(f"`{label}`" for label in spec.labels)
    kind = "untyped" if spec.kind is Kind.UNTYPED else spec.kind.value
    return f"| `{spec.name}` | {kind} | {labels} | {spec.meaning} |"


def main(arguments: Sequence[str]) -> None:
    """Write the tables of a page anew."""
    page = Path(arguments[0])
    page.write_text(render(page.read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
