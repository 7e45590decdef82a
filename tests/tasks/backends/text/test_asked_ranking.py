"""Causal language models that are asked whether a text fits, against what their cards compute."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    Qwen3ForSequenceClassification,
)

from wherry.protocol.errors import RowError
from wherry.samples.tiny.parts import loud
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.text.reranker_layouts import LAYOUTS
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.ranking import RankingInput, RankingOutput

from ....support import tiny
from ....support.later import Later

library = Later("sentence_transformers")
base_modules = Later("sentence_transformers.base.modules")
cross_modules = Later("sentence_transformers.cross_encoder.modules")

TOLERANCE = 1e-3
QUERIES = ["what is the capital of france.", "hello", "who is {document}"]
TEXTS = [
    ["the quick brown fox.", "my name is ada. " * 12, "a photo of a cat\n", "the red car"],
    ["hello world", "how are you {query}"],
    ["", "the dog"],
]

#: What vLLM and sentence-transformers have as a template of such a model, in few words.
CHAT_TEMPLATE = (
    '{%- set told = messages | selectattr("role", "eq", "system") | map(attribute="content") '
    '| first | default("find passages") -%}\n'
    '{%- set query = messages | selectattr("role", "eq", "query") | map(attribute="content") '
    "| first -%}\n"
    '{%- set text = messages | selectattr("role", "eq", "document") | map(attribute="content") '
    "| first -%}\n"
    "<|im_start|>{{ told }}: {{ query }}\n{{ text }}<|im_end|>\n<|im_start|>answer\n\n\n"
)

Made = Callable[[str], Path]


class Card:
    """A model as its card has it asked: each text alone, its parts tokenized one by one."""

    def __init__(self, folder: Path, tokens: Sequence[str]) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.numbers = [self.ids(token)[0] for token in tokens]

    def ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    @torch.inference_mode()
    def logits(self, ids: list[int]) -> torch.Tensor:
        last: torch.Tensor = self.model(input_ids=torch.tensor([ids])).logits[0, -1]
        return last[self.numbers]


def qwen3(card: Card, query: str, text: str, *, instruction: str = "", most: int = 384) -> float:
    """As Qwen3-Reranker's card: the softmax over no and yes; the pair is cut, not its frame."""
    head, body, tail = LAYOUTS["qwen3-reranker"].parts
    told = instruction or LAYOUTS["qwen3-reranker"].instruction
    first, last = card.ids(head), card.ids(tail)
    pair = f"<Instruct>: {told}\n<Query>: {query}\n<Document>: {text}"
    assert body.startswith("<Instruct>: {instruction}\n<Query>: ")
    ids = card.tokenizer(
        pair, truncation=True, max_length=most - len(first) - len(last), add_special_tokens=False
    )["input_ids"]
    return float(card.logits([*first, *ids, *last]).softmax(-1)[1])


def bge(card: Card, query: str, text: str) -> float:
    """As FlagEmbedding's FlagLLMReranker: what Yes has."""
    ids, line = card.ids, card.ids("\n")
    prompt = ids(LAYOUTS["bge-reranker-gemma"].instruction)
    pair = [card.tokenizer.bos_token_id, *ids(f"A: {query}"), *line, *ids(f"B: {text}")]
    return float(card.logits([*pair, *line, *prompt])[0].sigmoid())


def mxbai(card: Card, query: str, text: str, *, instruction: str = "") -> float:
    """As mxbai-rerank's MxbaiRerankV2: what 1 is ahead of 0 by."""
    ids, line = card.ids, card.ids("\n")
    head, *_, prompt, tail = LAYOUTS["mxbai-rerank"].parts
    asked = f"instruction: {instruction}\nquery: {query}" if instruction else f"query: {query}"
    pair = [*ids(asked), *line, *ids(f"document: {text}")]
    no, yes = card.logits([*ids(head), *pair, *line, *ids(prompt), *ids(tail)])
    return float((yes - no).sigmoid())


@pytest.fixture
def folder(tiny_model: Made) -> Path:
    return tiny_model("ranking-qwen3")


@pytest.fixture
def plain(folder: Path, tmp_path: Path) -> Path:
    """The model alone, of which nothing says how it is asked."""
    copy = shutil.copytree(folder, tmp_path / "plain")
    config = json.loads((copy / "config.json").read_text())
    for word in ("classifier_from_token", "is_original_qwen3_reranker"):
        del config[word]
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def scores(task: LocalTask, **fields: Any) -> list[dict[int, float]]:
    """By their places in the request, of all queries in one batch."""
    given = {"queries": QUERIES, "texts": TEXTS, **fields}
    output = task.process(RankingInput(**given))
    assert isinstance(output, RankingOutput)
    return [{item.index: item.score for item in row} for row in output.rankings]


def same(found: list[dict[int, float]], call: Callable[[str, str], float]) -> None:
    for query, texts, row in zip(QUERIES, TEXTS, found, strict=True):
        wanted = {i: call(query, text) for i, text in enumerate(texts)}
        assert row == pytest.approx(wanted, abs=TOLERANCE)
        assert list(row) == sorted(wanted, key=lambda i: -wanted[i])
    assert max(found[0].values()) - min(found[0].values()) > 5 * TOLERANCE


def test_a_batch_is_what_the_card_computes(folder: Path) -> None:
    card = Card(folder, ["no", "yes"])
    with create_task("transformers", "ranking", str(folder)) as task:
        assert task.backend.company.batching == "padded"
        same(scores(task), lambda *pair: qwen3(card, *pair))
        told = "find the red car"
        same(scores(task, instruction=told), lambda *pair: qwen3(card, *pair, instruction=told))
        long = ["the lazy dog. " * 200, "the red car. " * 200]
        cut = scores(task, queries=["who"], texts=[long])[0]
    for place, text in enumerate(long):
        assert cut[place] == pytest.approx(qwen3(card, "who", text), abs=TOLERANCE)


@pytest.mark.parametrize(
    ("template", "tokens", "call"),
    [
        ("qwen3-reranker", ["no", "yes"], qwen3),
        ("bge-reranker-gemma", ["Yes"], bge),
        ("mxbai-rerank", ["0", "1"], mxbai),
    ],
)
def test_a_declared_template_is_asked_as_its_card_has_it(
    plain: Path, template: str, tokens: list[str], call: Callable[..., float]
) -> None:
    card = Card(plain, tokens)
    with create_task("transformers", "ranking", str(plain), {"template": template}) as task:
        same(scores(task), lambda *pair: call(card, *pair))


def test_an_instruction_of_mxbais_stands_before_the_query(plain: Path) -> None:
    card, told = Card(plain, ["0", "1"]), "find the red car"
    parameters = {"template": "mxbai-rerank", "instruction": told}
    with create_task("transformers", "ranking", str(plain), parameters) as task:
        same(scores(task), lambda *pair: mxbai(card, *pair, instruction=told))


def test_a_prompt_of_ones_own(plain: Path) -> None:
    card = Card(plain, ["no", "yes"])
    parameters = {
        "template": "Query: {query}\nDocument: {document}\nDoes it fit?",
        "classifier_from_token": ["yes"],
    }

    def call(query: str, text: str) -> float:
        ids = [*card.ids(f"Query: {query}\nDocument: {text}"), *card.ids("\nDoes it fit?")]
        return float(card.logits(ids)[1].sigmoid())

    with create_task("transformers", "ranking", str(plain), parameters) as task:
        same(scores(task), call)
        with pytest.raises(Exception, match=r"row 0: instruction: .* leave it out"):
            scores(task, instruction="find cars")


def _sentence_transformers(plain: Path, made: Path, *, alone: bool, **transformer: Any) -> None:
    """Write a folder of sentence-transformers."""
    reads = {"method": "forward", "method_output_name": "logits"}
    modality = {"text": reads, "message": {**reads, "format": "flat"}}
    module = base_modules.Transformer(
        str(plain),
        transformer_task="text-generation",
        modality_config=modality,
        module_output_name="causal_logits",
        **transformer,
    )
    module.tokenizer.chat_template = CHAT_TEMPLATE
    no, yes = (module.tokenizer.convert_tokens_to_ids(token) for token in ("no", "yes"))
    score = cross_modules.LogitScore(yes, None if alone else no)
    model = library.CrossEncoder(modules=[module, score], device="cpu")
    model.prompts, model.default_prompt_name = {"cars": "find cars"}, None if alone else "cars"
    model.save_pretrained(str(made))


@pytest.mark.parametrize("alone", [False, True])
def test_a_folder_of_sentence_transformers(plain: Path, tmp_path: Path, *, alone: bool) -> None:
    made = tmp_path / "cross"
    _sentence_transformers(plain, made, alone=alone, max_seq_length=60)
    theirs = library.CrossEncoder(str(made), device="cpu")

    def call(query: str, text: str) -> float:
        return float(theirs.predict([(query, text)])[0])

    with create_task("transformers", "ranking", str(made)) as task:
        same(scores(task), call)
        told = scores(task, instruction="find dogs")
    wanted = theirs.predict([(QUERIES[0], text) for text in TEXTS[0]], prompt="find dogs")
    assert told[0] == pytest.approx(dict(enumerate(map(float, wanted))), abs=TOLERANCE)


def test_a_chat_template_with_declared_tokens(plain: Path) -> None:
    tiny.edit_json(plain / "tokenizer_config.json", chat_template=CHAT_TEMPLATE)
    card = Card(plain, ["no", "yes"])

    def call(query: str, text: str) -> float:
        asked = f"<|im_start|>find passages: {query}\n{text}<|im_end|>\n<|im_start|>answer\n\n"
        return float(card.logits(card.ids(asked)).softmax(-1)[1])

    parameters = {"classifier_from_token": ["no", "yes"]}
    with create_task("transformers", "ranking", str(plain), parameters) as task:
        same(scores(task), call)


def test_the_start_of_a_text_is_cut_where_that_is_wished_for(folder: Path) -> None:
    card = Card(folder, ["no", "yes"])
    texts = ["the lazy dog. " * 200 + "the red car", "the lazy dog. " * 200 + "a photo of a cat"]
    with create_task("transformers", "ranking", str(folder)) as task:
        found, left = (
            scores(task, queries=["who"], texts=[texts], truncation_direction=side)[0]
            for side in ("right", "left")
        )
        with pytest.raises(Exception, match=r"row 0: the text has \d+ tokens, the model reads 384"):
            scores(task, queries=["who"], texts=[texts], truncate=False)
    assert found[0] == pytest.approx(found[1], abs=1e-6)  # the same start
    assert left[0] != left[1]
    whole = LAYOUTS["qwen3-reranker"].texts("", "who", texts[0])
    places = card.tokenizer(texts[0], return_offsets_mapping=True)["offset_mapping"]
    begin = places[sum(len(card.ids(part)) for part in whole) - 384][0]
    assert left[0] == pytest.approx(qwen3(card, "who", texts[0][begin:]), abs=TOLERANCE)


def test_a_head_is_asked_as_its_template_says(folder: Path, tmp_path: Path) -> None:
    config = AutoConfig.from_pretrained(folder, num_labels=1, pad_token_id=1)
    del config.classifier_from_token, config.is_original_qwen3_reranker
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = loud(Qwen3ForSequenceClassification(config), "proj", "embed", "score").eval()
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path)

    def call(query: str, text: str) -> float:
        whole = "".join(LAYOUTS["qwen3-reranker"].texts("", query, text))
        with torch.inference_mode():
            logits = model(**tokenizer(whole, return_tensors="pt")).logits
        return float(logits[0, 0].sigmoid())

    parameters = {"template": "qwen3-reranker"}
    with create_task("transformers", "ranking", str(tmp_path), parameters) as task:
        same(scores(task), call)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, r"nothing says how it is asked .*template = \"qwen3-reranker\""),
        ({"instruction": "find cars"}, "nothing says how it is asked"),
        ({"classifier_from_token": ["no", "yes"]}, "chat template"),
        ({"template": "{query}{document}"}, r"classifier_from_token = \[\"no\", \"yes\"\]"),
        ({"template": "qwen3"}, r"template 'qwen3': use qwen3-reranker, .*\{query\}"),
        ({"template": "qwen3-reranker", "classifier_from_token": ["nay", "yes"]}, "'nay'"),
        ({"template": "qwen3-reranker", "classifier_from_token": ["a", "b", "c"]}, "3 tokens"),
        (
            {
                "template": "{query}{document}",
                "classifier_from_token": ["yes"],
                "instruction": "find cars",
            },
            "no place for an instruction",
        ),
        ({"classifier_from_token": "yes"}, "use a list"),
        ({"template": "x " * 600 + "{query}{document}", "classifier_from_token": ["yes"]}, "alone"),
    ],
)
def test_what_does_not_say_how_it_is_asked_is_refused(
    plain: Path, parameters: dict[str, Any], told: str
) -> None:
    with pytest.raises((ModelRefused, ValueError), match=told):
        create_task("transformers", "ranking", str(plain), parameters)


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        (
            "sentence_bert_config.json",
            {"modality_config": {"text": {}}},
            "says nothing of messages",
        ),
        ("1_LogitScore/config.json", {"true_token_id": None}, "has no true_token_id"),
        (
            "sentence_bert_config.json",
            {"processing_kwargs": {"text": {"max_length": 9}}},
            r"processing_kwargs \['text'\] are not served",
        ),
        ("tokenizer_config.json", {"chat_template": "hello"}, "knows no roles query and document"),
    ],
)
def test_a_folder_of_sentence_transformers_that_is_not_served(
    plain: Path, tmp_path: Path, file: str, changes: dict[str, Any], told: str
) -> None:
    made = tmp_path / "cross"
    _sentence_transformers(plain, made, alone=False)
    (made / "chat_template.jinja").unlink(missing_ok=True)
    tiny.edit_json(made / file, **changes)
    with pytest.raises(ModelRefused, match=told):
        create_task("transformers", "ranking", str(made))


@pytest.mark.parametrize("field", ["queries", "instruction"])
def test_what_leaves_no_room_for_a_text_fails_alone(field: str, folder: Path) -> None:
    most = 384
    long = "find the red car " * 150
    given: dict[str, Any] = {"queries": QUERIES[:1], "texts": TEXTS[:1]}
    fine = RankingInput(**given)
    bad = RankingInput(**{**given, field: long if field == "instruction" else [long]})
    with create_task("transformers", "ranking", str(folder)) as task:
        refused, answer = task.backend.run([bad, fine])
        (alone,) = task.backend.run([fine])
    assert answer == alone
    assert isinstance(refused, RowError)
    assert re.search(
        rf"^(instruction and )?query: \d+ tokens .* the model reads {most} at once: shorten the ",
        str(refused),
    )


def test_a_cross_encoder_is_given_no_instruction(tiny_model: Made) -> None:
    with pytest.raises(ModelRefused, match="no instruction"):
        create_task(
            "transformers", "ranking", str(tiny_model("ranking")), {"instruction": "find cars"}
        )
