"""Folders whose tokenizer is a SentencePiece file, as the Hub has them: no tokenizer.json."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from wherry.samples.tiny.parts import LABELS, loud
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.transformers.tokenizer import tokenizer_errors
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.text_classification import TextClassificationOutput

from .writing import PROMPTS, own_text, texts

_SMALL = {"d_model": 32, "d_kv": 16, "d_ff": 37, "num_layers": 2, "num_heads": 2}
_ENDS: dict[str, Any] = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}


def _trained(file: Path, kind: str = "unigram", **special: Any) -> int:
    """Write a SentencePiece file; how many pieces it has."""
    made = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(PROMPTS * 20),
        model_writer=made,
        model_type=kind,
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
        **special,
    )
    file.write_bytes(made.getvalue())
    return int(SentencePieceProcessor(model_file=str(file)).get_piece_size())


def _marian(folder: Path) -> str:
    """As the opus-mt models lie on the Hub: two SentencePiece files and the ids of all pieces."""
    for name in ("source.spm", "target.spm"):
        _trained(folder / name)
    pieces = SentencePieceProcessor(model_file=str(folder / "source.spm"))
    words = [pieces.id_to_piece(i) for i in range(pieces.get_piece_size())]
    vocabulary = ["</s>", "<unk>", ">>fra<<", *(w for w in words if w[0] != "<"), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(vocabulary)}))
    told = {"source_lang": "eng", "target_lang": "deu", "tokenizer_class": "MarianTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    pad = len(vocabulary) - 1
    config = hf.MarianConfig(
        vocab_size=len(vocabulary),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=37,
        decoder_ffn_dim=37,
        max_position_embeddings=128,
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        forced_eos_token_id=None,
    )
    model = loud(hf.MarianMTModel(config), "shared", "layers")
    model.generation_config.no_repeat_ngram_size = 2  # else it stammers, and all rows the same
    model.save_pretrained(folder)
    return "translation"


def _t5(folder: Path) -> str:
    size = _trained(folder / "spiece.model", **_ENDS) + 100
    config = hf.T5Config(vocab_size=size, decoder_start_token_id=0, **_SMALL)
    loud(hf.T5ForConditionalGeneration(config), "shared").save_pretrained(folder)
    return "text2text-generation"


def _llama(folder: Path) -> str:
    size = _trained(folder / "tokenizer.model", "bpe")
    config = hf.LlamaConfig(
        vocab_size=size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=37,
        max_position_embeddings=128,
    )
    loud(hf.LlamaForCausalLM(config), "embed").save_pretrained(folder)
    return "text-generation"


def _albert(folder: Path) -> str:
    special: dict[str, Any] = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1}
    control = ["[CLS]", "[SEP]", "[MASK]"]
    size = _trained(folder / "spiece.model", control_symbols=control, **special)
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "AlbertTokenizer"})
    )
    config = hf.AlbertConfig(
        vocab_size=size,
        embedding_size=16,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=37,
        max_position_embeddings=128,
        **LABELS,
    )
    model = loud(hf.AlbertForSequenceClassification(config), "classifier", "embeddings")
    model.save_pretrained(folder)
    return "text-classification"


def _xlnet(folder: Path) -> str:
    special: dict[str, Any] = {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": 5}
    control = ["<cls>", "<sep>", "<mask>", "<eod>"]
    size = _trained(folder / "spiece.model", control_symbols=control, **special)
    config = hf.XLNetConfig(
        vocab_size=size, d_model=32, n_layer=2, n_head=2, d_inner=37, pad_token_id=5, **LABELS
    )
    assert config.max_position_embeddings == -1  # it has no limit
    model = loud(
        hf.XLNetForSequenceClassification(config), "logits_proj", "word_embedding", "layer"
    )
    model.save_pretrained(folder)
    return "text-classification"


def _made(build: Any, folder: Path) -> LocalTask:
    torch.manual_seed(0)
    task = build(folder)
    assert not (folder / "tokenizer.json").exists()
    return create_task("transformers", task, str(folder))


def _continued(task: LocalTask, text: str) -> str:
    """The pipeline's own text."""
    pipeline = hf.pipeline("text-generation", model=str(task.backend.source))
    [made] = pipeline(text, max_new_tokens=9, return_full_text=False, do_sample=False)
    return str(made["generated_text"])


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
@pytest.mark.parametrize("build", [_marian, _t5, _llama])
def test_its_texts_are_the_models_own(build: Any, tmp_path: Path) -> None:
    with _made(build, tmp_path) as task:
        alone = [texts(task, texts=[text], max_new_tokens=9)[0] for text in PROMPTS]
        assert texts(task, texts=PROMPTS, max_new_tokens=9) == alone
        if build is _llama:
            assert alone == [_continued(task, text) for text in PROMPTS]
        else:
            assert alone == [own_text(task, text, 9) for text in PROMPTS]
        assert len(set(alone)) > 1
        if build is _marian:
            target = [">>fra<< hello"]
            named = texts(task, texts=["hello"], tgt_lang="fra", src_lang="eng", max_new_tokens=9)
            assert named == texts(task, texts=target, max_new_tokens=9)


@pytest.mark.parametrize("build", [_albert, _xlnet])
def test_its_labels_are_the_pipelines(build: Any, tmp_path: Path) -> None:
    with _made(build, tmp_path) as task:
        output = task.process(task.task.input.validated({"texts": PROMPTS, "top_k": 1}))
        assert isinstance(output, TextClassificationOutput)
        theirs = hf.pipeline("text-classification", model=str(tmp_path))(PROMPTS)
        found = [row[0] for row in output.results]
        assert [row.label for row in found] == [row["label"] for row in theirs]
        assert [row.score for row in found] == pytest.approx([r["score"] for r in theirs], abs=1e-3)


def _read(folder: Path, error: Exception | None) -> None:
    with tokenizer_errors(str(folder)):
        if error:
            raise error
        hf.AutoTokenizer.from_pretrained(folder)


def _refusal(folder: Path, error: Exception | None = None) -> str:
    with pytest.raises(ModelRefused) as refused:
        _read(folder, error)
    text = str(refused.value)
    assert "\n" not in text
    assert "tiktoken" not in text
    return text


@pytest.mark.parametrize("build", [_llama, _t5])
def test_the_package_that_is_missing_is_named(
    build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    assert "is a SentencePiece file: pip install 'wherry[transformers]'" in _refusal(tmp_path)


def test_a_translator_names_the_package_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _marian(tmp_path)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    told = ImportError("\nMarianTokenizer requires the SentencePiece library\nbut it was not found")
    assert "source.spm is a SentencePiece file: pip install" in _refusal(tmp_path, told)


def test_a_protobuf_that_is_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _t5(tmp_path)
    old = "Detected incompatible Protobuf Gencode/Runtime versions: gencode 7.36.1 runtime 6.33.6"

    def refuse(name: str) -> None:
        assert name == "sentencepiece.sentencepiece_model_pb2"
        raise RuntimeError(old)

    monkeypatch.setattr("importlib.import_module", refuse)
    told = _refusal(tmp_path, ValueError("`tiktoken` is required to read a `tiktoken` file"))
    assert "pip install 'sentencepiece<0.2.3' protobuf (Detected incompatible Protobuf" in told


@pytest.mark.parametrize("kept", [200, 1])
def test_a_broken_file_is_named(kept: int, tmp_path: Path) -> None:
    _llama(tmp_path)
    file = tmp_path / "tokenizer.model"
    file.write_bytes(file.read_bytes()[:kept])
    assert "tokenizer.model is a SentencePiece file: it cannot be read" in _refusal(tmp_path)


def test_a_file_of_tiktoken_asks_for_tiktoken(tmp_path: Path) -> None:
    _llama(tmp_path)
    _write_tiktoken(tmp_path / "tokenizer.model", ["a", "b", "ab"])
    with pytest.raises(ValueError, match="tiktoken"), tokenizer_errors(str(tmp_path)):
        hf.AutoTokenizer.from_pretrained(tmp_path)


def _write_tiktoken(file: Path, tokens: Sequence[str]) -> None:
    lines = [f"{base64.b64encode(t.encode()).decode()} {i}" for i, t in enumerate(tokens)]
    file.write_text("\n".join(lines))
