"""What `make bench-runtimes` found: `auto` held against the best runtime, and against torch."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from .loop import Round

#: What each runtime reached, a round each.
Rates = dict[str, list[Round]]

_TITLES = {"direct": "plain loop", "http": "HTTP"}


def compared(
    ways: Mapping[str, Rates], names: Sequence[str], *, chosen: str, first: str
) -> dict[str, Any]:
    """Per way, what each of these runtimes reached, and the chosen one's ratios to the best of them
    and to the first, which is torch. Ratios are medians over rounds.
    """
    found: dict[str, Any] = {}
    for way, rates in ways.items():
        of = {name: [each.rows_per_s for each in rates[name]] for name in names}
        cpu = {name: [each.cpu_ms for each in rates[name]] for name in names}
        best = max(of, key=lambda name: statistics.median(of[name]))
        thriftiest = min(cpu, key=lambda name: statistics.median(cpu[name]))
        found[way] = {
            "rounds": len(of[chosen]),
            "rows_per_s": {name: _median(each) for name, each in of.items()},
            "spread": {name: [round(min(e), 1), round(max(e), 1)] for name, e in of.items()},
            "cpu_ms_a_row": {name: _median(each) for name, each in cpu.items()},
            "best": best,
            "to_best": _ratio(of[chosen], of[best]),
            "to_torch": _ratio(of[chosen], of[first]),
            "cpu_best": thriftiest,
            "cpu_to_best": _ratio(cpu[chosen], cpu[thriftiest]),
            "cpu_to_torch": _ratio(cpu[chosen], cpu[first]),
        }
    torch = [each.rows_per_s for each in ways["direct"][first]]
    http = [each.rows_per_s for each in ways["http"][chosen]]
    return {**found, "http_to_torch_loop": _ratio(http, torch)}


def _ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    ratios = [one / other for one, other in zip(ones, others, strict=True)]
    return round(statistics.median(ratios), 3)


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1)


def show(found: Mapping[str, Any]) -> None:
    """Print it for people."""
    console = Console(width=max(Console().width, 140), highlight=False)
    runs = found["runs"]
    table = Table(title=f"Rows a second, one thread of computing; load {found['load_average']}")
    for column in ("model", "precision", "way", "runtime", "rows/s", "from, to", "CPU ms a row"):
        table.add_column(column)
    for run in runs:
        for way, title in _TITLES.items():
            told = run[way]
            for name, rate in told["rows_per_s"].items():
                low, high = told["spread"][name]
                shown = f"{name} (auto)" if name == run["chosen"] else name
                cpu = f"{told['cpu_ms_a_row'][name]:.1f}"
                row = (title, shown, f"{rate:.1f}", f"{low}, {high}", cpu)
                table.add_row(run["model"], run["precision"], *row)
    console.print(table)
    for run in runs:
        for way, title in _TITLES.items():
            console.print(_line(run, way, title))
    for model, start in found["starts"].items():
        console.print(
            f"{model}: loaded again in {start['auto_s']:.1f} s, naming transformers in"
            f" {start['named_s']:.1f} s: {start['ratio']:.2f} of the time,"
            f" {start['cpu_ratio']:.2f} of the CPU"
        )
    console.print(f"It took {found['took_s']:.0f} s.")


def _line(run: Mapping[str, Any], way: str, title: str) -> str:
    told = run[way]
    line = (
        f"{run['model']}, {run['precision']}, {title}: auto ({run['chosen']}) runs at"
        f" {told['to_best']:.2f} of the best runtime ({told['best']}) and {told['to_torch']:.2f} of"
        f" torch; by CPU a row at {1 / told['cpu_to_best']:.2f} of the best ({told['cpu_best']})"
        f" and {1 / told['cpu_to_torch']:.2f} of torch"
    )
    if way == "http":
        line += f"; {run['http_to_torch_loop']:.2f} of a plain torch loop"
    return f"{line}; {told['rounds']} rounds"
