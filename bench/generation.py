"""`make bench-generation`: what an asker waits for a text, in whole batches and in a running one.

Sixteen questions come at seeded random times, through HTTP and the queue, to one worker that has
SmolLM2 135M, as it is or with `continuous`, with few batches in hand or many. Some are answered in
a few words, some take all the tokens they may have. Each way is asked the same, turn about.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.samples import packaged
from wherry.tasks.text.chat import ChatInput, ChatOutput

_MODELS = """
[[models]]
name = "static"
task = "chat"
backend = "transformers"
source = "{source}"
max_batch_size = 16
parameters = {{ threads = 1 }}

[[models]]
name = "continuous"
task = "chat"
backend = "transformers"
source = "{source}"
max_batch_size = 16
parameters = {{ threads = 1, continuous = true }}
"""

_SHORT = (
    "What is the capital of {}? Answer in one word.",
    "Is {} in Europe? Answer yes or no, nothing else.",
)
_LONG = ("Write a long story about a boat in {}.", "Describe the history of {} in detail.")
_PLACES = ("France", "Italy", "Japan", "Peru", "Norway", "Egypt", "Canada", "Spain")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the second at which it is asked."""

    at_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of it."""

    asked: Asked
    waited_s: float
    tokens: int


#: Batches in hand, and the model's name.
Way = tuple[int, str]

#: Seconds from the first question to the last answer, and the answers.
Run = tuple[float, list[Answered]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=16)
    parser.add_argument("--gap", type=float, default=0.7, help="mean seconds between two")
    parser.add_argument("--tokens", type=int, default=96, help="tokens of an answer at most")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--concurrency", type=int, nargs=2, default=[3, 16])
    options = parser.parse_args()
    questions = _questions(options.questions, options.gap)
    few, many = options.concurrency
    ways = ((few, "static"), (few, "continuous"), (many, "static"), (many, "continuous"))
    found: dict[Way, list[Run]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name, ExitStack() as stacks:
        folder = Path(name)
        source = packaged.build("smollm2-135m-instruct", folder / "smollm2")
        models = folder / "models.toml"
        models.write_text(_MODELS.format(source=source))
        urls = {
            hands: stacks.enter_context(
                Stack(models=models, data_dir=folder / str(hands), flower=False, concurrency=hands)
            ).url
            for hands in (few, many)
        }
        for _ in range(options.rounds):
            for way, runs in found.items():
                runs.append(_ask_all(urls[way[0]], way[1], questions, options.tokens))
    Console(width=max(Console().width, 110)).print(_table(found))


def _questions(count: int, gap_s: float) -> list[Asked]:
    chance, at_s, questions = random.Random(0), 0.0, []  # not for secrets
    for _ in range(count):
        short = chance.random() < 0.5
        text = chance.choice(_SHORT if short else _LONG).format(chance.choice(_PLACES))
        questions.append(Asked(at_s, text))
        at_s += chance.expovariate(1 / gap_s)
    return questions


def _ask_all(url: str, model: str, questions: list[Asked], tokens: int) -> Run:
    """Seconds from the first question to the last answer, and the answers."""
    with Client(url) as client, ThreadPoolExecutor(len(questions)) as pool:
        started = time.perf_counter()

        def ask(asked: Asked) -> Answered:
            time.sleep(max(0.0, started + asked.at_s - time.perf_counter()))
            sent = time.perf_counter()
            message = [{"role": "user", "content": asked.text}]
            inputs = ChatInput.validated({"messages": [message], "max_new_tokens": tokens})
            output = client.infer(model, inputs)
            assert isinstance(output, ChatOutput)
            waited_s = time.perf_counter() - sent
            return Answered(asked, waited_s, output.generations[0].completion_tokens)

        answers = list(pool.map(ask, questions))
        return time.perf_counter() - started, answers


def _table(found: dict[Way, list[Run]]) -> Table:
    """A line a way, with its ratios to the first."""
    table = Table("batches in hand", "model", title="Seconds from question to answer")
    for column in ("mean", "p95", "mean, short answers", "mean, long answers", "tokens/s"):
        table.add_column(column, justify="right")
    first = _figures(next(iter(found.values())))
    for (hands, model), runs in found.items():
        cells = (
            f"{value:.1f} ({value / base:.2f})"
            for value, base in zip(_figures(runs), first, strict=True)
        )
        table.add_row(str(hands), model, *cells)
    return table


def _figures(runs: list[Run]) -> list[float]:
    answers = [answer for _, run in runs for answer in run]
    waits = [answer.waited_s for answer in answers]
    # By the tokens made: a question for one word may be answered with a speech.
    middle = statistics.median(answer.tokens for answer in answers)
    return [
        statistics.mean(waits),
        statistics.quantiles(waits, n=20)[-1],
        statistics.mean(a.waited_s for a in answers if a.tokens < middle),
        statistics.mean(a.waited_s for a in answers if a.tokens >= middle),
        sum(answer.tokens for answer in answers) / sum(seconds for seconds, _ in runs),
    ]


if __name__ == "__main__":
    main()
