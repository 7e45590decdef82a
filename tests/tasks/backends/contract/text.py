"""Text tasks."""

from __future__ import annotations

from typing import Any

from .case import Case, Changed, Row

TEXTS = [
    "the quick brown fox",
    "hello",
    "my name is ada and i live in london what",
    "lazy dog " * 4,
]
#: More words than any of the models reads.
LONG = "the quick brown fox hello world " * 20 + "lazy dog how are you " * 20
_ROWS: list[Row] = [{"texts": [text]} for text in TEXTS]
#: What is cut unless that is refused.
_UNCUT: list[tuple[Row, str]] = [({"texts": [LONG], "truncate": False}, r"\d+ tokens")]
_END = {"truncation_direction": Changed(value="left", rows=[{"texts": [LONG]}])}

#: Chance that a seed repeats.
_DRAWN: Row = {"do_sample": True, "temperature": 1.5, "seed": 1}
_WRITTEN: Row = {"max_new_tokens": 6}
_WRITES: dict[str, Changed] = {
    "max_new_tokens": Changed(value=2),
    "do_sample": Changed(value=True, beside={"temperature": 2.0, "seed": 1}),
    "temperature": Changed(value=0.1, beside=_DRAWN),
    "top_p": Changed(value=0.01, beside=_DRAWN),
    "top_k": Changed(value=1, beside=_DRAWN),
    "repetition_penalty": Changed(value=5.0, beside={"max_new_tokens": 20}),
    "typical_p": Changed(value=0.05, beside=_DRAWN),
    "presence_penalty": Changed(value=2.0, beside={"max_new_tokens": 20}),
    "frequency_penalty": Changed(value=2.0, beside={"max_new_tokens": 20}),
    "logit_bias": Changed(value={"9": 100}),
    "min_new_tokens": Changed(value=3, beside={"logit_bias": {"2": 100}}),  # the token that ends
    "num_beams": Changed(value=4, beside={"max_new_tokens": 12}),
    "stop": Changed(value=list("aeioutnshr lwd")),
    "seed": Changed(value=2, beside=_DRAWN),
    "logprobs": Changed(value=2),
}
_FORMED = Changed(value={"choice": ["the quick fox", "a photo"]}, beside={"max_new_tokens": 20})


def _generation(rows: list[Row], beyond: Row | None = None, **more: Changed) -> Case:
    return Case(
        rows=rows,
        fixed=_WRITTEN,
        beyond=[(beyond, r"takes \d+ at most")] if beyond else (),
        changed={**_WRITES, **more},
    )


def _rewriting(beyond: Row | None = None, **more: Changed) -> Case:
    """T5 takes texts of any length, if it need not cut them."""
    end = Changed(value="left", beside={"truncate": True}, rows=[{"texts": [LONG]}])
    return _generation(_ROWS, beyond, truncation_direction=end, **more)


def _continuing(**more: Changed) -> Case:
    return _generation(
        _ROWS,
        {"texts": ["fox " * 90]},
        prompt_logprobs=Changed(value=True, beside={"logprobs": 1}),
        return_full_text=Changed(value=True),
        structured_outputs=_FORMED,
        **more,
    )


def _said(*texts: str) -> Row:
    """A conversation, the user's turn last."""
    roles = ["user", "assistant"] * len(texts)
    turns = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return {"messages": [turns]}


_TABLES: list[dict[str, list[Any]]] = [
    {"city": ["paris", "london"], "size": ["10", "20"]},
    {"name": ["ada"]},
    {"a": ["cat", "dog", "car"], "b": ["1", "2", "3"], "c": ["red", "lazy", "photo"]},
]
_CONTEXT = "the quick brown fox jumps over the lazy dog and a photo of a cat, " * 12

CASES: dict[str, Case] = {
    "chat": _generation(
        [_said("hello"), _said("a photo", "of a cat", "and a dog"), _said("what is the capital")],
        _said("fox " * 90),
        structured_outputs=_FORMED,
    ),
    "embedding": Case(
        rows=_ROWS,
        beyond=_UNCUT,
        changed={**_END, "normalize": Changed(value=False)},
    ),
    "feature-extraction": Case(
        rows=_ROWS, beyond=_UNCUT, changed={**_END, "normalize": Changed(value=True)}
    ),
    "fill-mask": Case(
        rows=[
            {"texts": [text]}
            for text in (
                "the quick [MASK] fox",
                "[MASK]",
                "my [MASK] is ada and i [MASK] in london",
            )
        ],
        broken=[({"texts": ["no gap"]}, r"\[MASK\]")],
        beyond=[({"texts": ["[MASK] " + LONG]}, r"\d+ tokens")],
        changed={"top_k": Changed(value=2), "targets": Changed(value=["fox", "cat"])},
    ),
    "question-answering": Case(
        rows=[
            {"questions": ["what is my name"], "contexts": [TEXTS[2]]},
            {"questions": ["who jumps"], "contexts": ["Héllo wörld ☂. The quickest brown fox."]},
            {"questions": ["what is the capital of france"], "contexts": ["fox"]},
            {"questions": ["who"], "contexts": [_CONTEXT]},
        ],
        broken=[
            ({"questions": [""]}, "question"),
            ({"contexts": [" "]}, "context"),
        ],
        beyond=[({"questions": [LONG], "max_question_len": 8, "truncate": False}, r"\d+ tokens")],
        changed={
            "top_k": Changed(value=3),
            "doc_stride": Changed(value=8),
            "max_seq_len": Changed(value=24, beside={"doc_stride": 8}),
            "max_question_len": Changed(value=1),
            "max_answer_len": Changed(value=1, beside={"top_k": 9}),
            "handle_impossible_answer": Changed(value=True, beside={"top_k": 200}),
            "align_to_words": Changed(value=False, beside={"top_k": 20}),
        },
    ),
    "ranking": Case(
        rows=[
            {"queries": ["who"], "texts": [TEXTS]},
            {"queries": ["what is red"], "texts": [["the car", "a dog " * 9]]},
            {"queries": ["hello"], "texts": [["hello"]]},
        ],
        beyond=[({"texts": [["hello", LONG]], "truncate": False}, r"\d+ tokens")],
        changed={
            "truncation_direction": Changed(
                value="left", rows=[{"queries": ["who"], "texts": [[LONG]]}]
            ),
            "top_k": Changed(value=1),
            "raw_scores": Changed(value=True),
            "return_text": Changed(value=False),
            "instruction": Changed(value="find the red car"),
        },
    ),
    "sentence-similarity": Case(
        rows=[
            {"source_sentences": ["a cat"], "sentences": [TEXTS]},
            {"source_sentences": ["who"], "sentences": [["the car", "who"]]},
        ],
        beyond=[({"sentences": [["hello", LONG]], "truncate": False}, r"\d+ tokens")],
        changed={
            "truncation_direction": Changed(
                value="left", rows=[{"source_sentences": ["who"], "sentences": [[LONG]]}]
            ),
        },
    ),
    "summarization": _rewriting(
        logprobs=Changed(value=2, beside={"num_beams": 1}),
        presence_penalty=Changed(value=2.0, beside={"max_new_tokens": 20, "num_beams": 1}),
        frequency_penalty=Changed(value=2.0, beside={"max_new_tokens": 20, "num_beams": 1}),
        logit_bias=Changed(value={"9": 100}, beside={"num_beams": 1}),
        min_new_tokens=Changed(value=3, beside={"logit_bias": {"2": 100}, "num_beams": 1}),
    ),
    "table-question-answering": Case(
        rows=[
            {"queries": [query], "tables": [table]}
            for query, table in zip(
                ("what is the capital", "hello", "how are you my quick brown fox"),
                _TABLES,
                strict=True,
            )
        ],
        broken=[
            ({"queries": [""]}, "query"),
            ({"tables": [{}]}, "table"),
            ({"tables": [{"a": []}]}, "table"),
            ({"tables": [{"a": ["1"], "b": ["1", "2"]}]}, "table"),
        ],
        beyond=[({"tables": [{"the": LONG.split()}], "truncate": False}, r"\d+ (tokens|rows)")],
    ),
    "text-classification": Case(
        rows=[*_ROWS, {"texts": [""]}],
        beyond=_UNCUT,
        changed={
            **_END,
            "top_k": Changed(value=1),
            "function_to_apply": Changed(value="none"),
        },
    ),
    "text-generation": _continuing(),
    "text-generation-gpt2": _continuing(
        min_new_tokens=Changed(value=3, beside={"logit_bias": {"0": 100}})  # its end
    ),
    "text2text-generation": _rewriting(),
    "token-classification": Case(
        rows=_ROWS,
        broken=[({"aggregation_strategy": "simple", "stride": 500}, "stride")],
        beyond=_UNCUT,
        changed={
            **_END,
            "aggregation_strategy": Changed(value="first"),
            "ignore_labels": Changed(value=[]),
            "stride": Changed(
                value=8, beside={"aggregation_strategy": "simple"}, rows=[{"texts": [LONG]}]
            ),
        },
    ),
    "translation": _rewriting(),
    "translation-nllb": _rewriting(
        {"texts": [LONG]},
        src_lang=Changed(value="deu_Latn", beside={"tgt_lang": "fra_Latn"}),
        tgt_lang=Changed(value="deu_Latn"),
    ),
    "zero-shot-classification": Case(
        rows=[
            {**row, "candidate_labels": ["car", "a lazy dog", "ada"][: 2 + place]}
            for place, row in enumerate(_ROWS)
        ],
        broken=[({"candidate_labels": ["car " * 100]}, "label")],
        beyond=_UNCUT,
        changed={
            "truncation_direction": Changed(
                value="left",
                beside={"multi_label": True},
                rows=[{"texts": [LONG], "candidate_labels": ["fox", "dog"]}],
            ),
            "hypothesis_template": Changed(value="hello {}"),
            "multi_label": Changed(value=True),
        },
    ),
}
