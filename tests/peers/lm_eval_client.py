"""Runs in an environment that holds lm-eval and not Wherry: `lm_eval_client.py URL MODEL DIR`.

Evaluates a model by its own backend for transformers, then through a server, with tasks of its own;
prints a line of JSON per way: its name, the metrics, and what each request came to.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1"}

import lm_eval
from lm_eval.tasks import TaskManager

URL, MODEL, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
os.environ["HF_DATASETS_CACHE"] = str(FOLDER / "cache")

QUESTIONS = [
    {"question": "the boat is", "choices": [" late", " on the river", " a", " cat and dog"]},
    {"question": "a wherry waits", "choices": [" at the stairs", " for you", " one", " é日"]},
    {"question": "one two", "choices": [" three", " six", " 7"]},
    {"question": "my name", "choices": [" is ada", " was", " in london"]},
    {"question": "hello", "choices": [" world", " live", "!"]},
    {"question": "the quick brown", "choices": [" fox", " foxes", " x"]},
]
HEAD = """
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
"""
TASKS = {
    "wherry_choice": """
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: 1
target_delimiter: ""
metric_list: [{metric: acc}, {metric: acc_norm}]
""",
    "wherry_text": """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}}{{choices[0]}}"
metric_list: [{metric: word_perplexity}, {metric: bits_per_byte}]
""",
    "wherry_writing": """
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "x"
generation_kwargs: {until: ["zzz"], max_gen_toks: 6, do_sample: false}
metric_list: [{metric: exact_match}]
""",
}


def write_tasks() -> TaskManager:
    data = FOLDER / "questions.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
    for name, text in TASKS.items():
        (FOLDER / f"{name}.yaml").write_text(f"task: {name}{HEAD % data}{text}")
    return TaskManager(include_path=str(FOLDER), include_defaults=False)


def evaluate(backend: str, /, **arguments):
    found = lm_eval.simple_evaluate(
        model=backend,
        model_args=arguments,
        tasks=list(TASKS),
        task_manager=MANAGER,
        bootstrap_iters=0,
        batch_size=arguments.pop("batch_size", 1),
    )
    return {
        "results": {
            name: {metric: value for metric, value in row.items() if isinstance(value, float)}
            for name, row in found["results"].items()
        },
        "requests": {
            name: [sample["resps"] for sample in sorted(rows, key=lambda row: row["doc_id"])]
            for name, rows in found["samples"].items()
        },
    }


def through_the_server(**arguments):
    return evaluate(
        "local-completions",
        model="text-generation",
        base_url=f"{URL}/v1/completions",
        tokenizer=MODEL,
        tokenizer_backend="huggingface",
        max_length=64,
        max_retries=1,
        **arguments,
    )


MANAGER = write_tasks()
WAYS = {
    "hf": lambda: evaluate("hf", pretrained=MODEL, dtype="float32", device="cpu", max_length=64),
    "local-completions, texts": lambda: through_the_server(tokenized_requests=False),
    "local-completions, token numbers": lambda: through_the_server(tokenized_requests=True),
    "local-completions, token numbers in batches, several at once": lambda: through_the_server(
        tokenized_requests=True, batch_size=4, num_concurrent=3
    ),
}

for name, way in WAYS.items():
    try:
        saw, failed = way(), ""
    except Exception as error:
        saw, failed = None, f"{type(error).__name__}: {error}"
    print(json.dumps({"call": name, "saw": saw, "failed": failed}), flush=True)
