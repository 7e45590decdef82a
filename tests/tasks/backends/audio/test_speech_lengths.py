"""Every kind of CTC model says all that it hears: alone, in a batch, as transformers does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from wherry.samples.tiny.parts import SMALL, loud, save
from wherry.tasks.audio.automatic_speech_recognition import (
    AutomaticSpeechRecognitionInput,
    AutomaticSpeechRecognitionOutput,
)
from wherry.tasks.create import LocalTask, create_task

_LETTERS = "abcdefghijklmnopqrstuvwxyz'"
_WORDS = ["<pad>", "<s>", "</s>", "<unk>", "|", *_LETTERS]

#: Three convolutions: an output for each 128 samples.
_SAMPLES: dict[str, Any] = {
    **SMALL,
    "conv_dim": (16, 16, 16),
    "conv_kernel": (10, 3, 3),
    "conv_stride": (8, 4, 4),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": len(_WORDS),
    "pad_token_id": 0,
}
_FEATURES: dict[str, Any] = {**SMALL, "conv_kernel_size": 5, "subsampling_conv_channels": 8}


def _letters(folder: Path) -> Any:
    file = folder / "vocab.json"
    file.write_text(json.dumps({word: i for i, word in enumerate(_WORDS)}))
    return hf.Wav2Vec2CTCTokenizer(str(file))


def _of_samples(model: Any, config: Any, **more: Any) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        made = model(config(**{**_SAMPLES, "feat_extract_norm": "layer", **more}))
        extractor = hf.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
        save(folder, loud(made, "lm_head"), extractor, _letters(folder))

    return build


def _wav2vec2_bert(folder: Path) -> None:
    config = hf.Wav2Vec2BertConfig(
        **SMALL,
        feature_projection_input_dim=160,
        vocab_size=len(_WORDS),
        pad_token_id=0,
        conv_depthwise_kernel_size=5,
    )
    model = loud(hf.Wav2Vec2BertForCTC(config), "lm_head")
    save(folder, model, hf.SeamlessM4TFeatureExtractor(), _letters(folder))


def _parakeet(folder: Path) -> None:
    words = ["<pad>", "<unk>", "▁", *_LETTERS]
    plain = Tokenizer(models.BPE(vocab={w: i for i, w in enumerate(words)}, merges=[]))
    plain.pre_tokenizer, plain.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer = hf.ParakeetTokenizer(tokenizer_object=plain, pad_token="<pad>", unk_token="<unk>")
    encoder = {**_FEATURES, "num_mel_bins": 80}
    config = hf.ParakeetCTCConfig(vocab_size=len(words), pad_token_id=0, encoder_config=encoder)
    model = loud(hf.ParakeetForCTC(config), "ctc_head")
    save(folder, model, hf.ParakeetFeatureExtractor(feature_size=80), tokenizer)


def _lasr(folder: Path) -> None:
    words = [(word, -1.0) for word in ("<pad>", "</s>", "<unk>", "▁", *_LETTERS)]
    tokenizer = hf.LasrTokenizer(vocab=words, extra_ids=0)
    encoder = {**_FEATURES, "num_mel_bins": 128}
    config = hf.LasrCTCConfig(vocab_size=len(words), pad_token_id=0, encoder_config=encoder)
    save(folder, loud(hf.LasrForCTC(config), "ctc_head"), hf.LasrFeatureExtractor(), tokenizer)


_DATA2VEC = {"conv_pos_kernel_size": 3, "num_conv_pos_embeddings": 2}
_CONFORMER = {"position_embeddings_type": "relative", "conv_depthwise_kernel_size": 5}
_SQUEEZED = {"squeeze_factor": 2}

BUILDERS: dict[str, Callable[[Path], None]] = {
    "wav2vec2": _of_samples(hf.Wav2Vec2ForCTC, hf.Wav2Vec2Config),
    "wav2vec2-group": _of_samples(hf.Wav2Vec2ForCTC, hf.Wav2Vec2Config, feat_extract_norm="group"),
    "conformer": _of_samples(hf.Wav2Vec2ConformerForCTC, hf.Wav2Vec2ConformerConfig, **_CONFORMER),
    "hubert": _of_samples(hf.HubertForCTC, hf.HubertConfig),
    "data2vec": _of_samples(hf.Data2VecAudioForCTC, hf.Data2VecAudioConfig, **_DATA2VEC),
    "wavlm": _of_samples(hf.WavLMForCTC, hf.WavLMConfig),
    "sew": _of_samples(hf.SEWForCTC, hf.SEWConfig, **_SQUEEZED),
    "sew-d": _of_samples(hf.SEWDForCTC, hf.SEWDConfig, **_SQUEEZED),
    "unispeech": _of_samples(hf.UniSpeechForCTC, hf.UniSpeechConfig),
    "unispeech-sat": _of_samples(hf.UniSpeechSatForCTC, hf.UniSpeechSatConfig),
    "wav2vec2-bert": _wav2vec2_bert,
    "parakeet": _parakeet,
    "lasr": _lasr,
}

#: Samples that a token stands for.
PER_TOKEN = {"wav2vec2-bert": 320, "parakeet": 1280, "lasr": 640}

#: In the normal run; the rest are slow all together.
NORMAL = ("conformer", "wav2vec2-bert", "parakeet", "lasr")

#: The first two fill their frames; 16,000 and 16,001 are extracted to one shape.
LENGTHS = (16000, 24000, 16001, 16777, 9000, 8000, 12345)
FULL = 2


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=() if k in NORMAL else pytest.mark.slow) for k in BUILDERS],
)
@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")  # WavLM's own
def test_all_of_a_sound_is_heard(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    BUILDERS[kind](tmp_path)
    task = create_task("transformers", "automatic-speech-recognition", str(tmp_path))
    backend: Any = task.backend
    noise = np.random.default_rng(1)
    sounds = [noise.normal(0, 0.2, n).astype(np.float32) for n in LENGTHS]
    alone = [heard(task, sound)[0] for sound in sounds]
    assert heard(task, *sounds) == alone
    assert len(set(alone)) > 1
    own = hf.pipeline(
        "automatic-speech-recognition",
        model=backend.model,
        tokenizer=backend.tokenizer,
        feature_extractor=backend.extractor,
    )
    theirs = [own(sound.copy())["text"] for sound in sounds]
    assert alone[:FULL] == theirs[:FULL]
    # The pipeline also reads a last moment that the model's own mask calls padding.
    assert all(text.startswith(ours) for text, ours in zip(theirs, alone, strict=True))
    assert sum(map(len, theirs)) - sum(map(len, alone)) < 2 * len(alone)
    assert backend._recogniser.align_to == PER_TOKEN.get(kind, 128)


def heard(task: LocalTask, *sounds: Any) -> list[str]:
    given = AutomaticSpeechRecognitionInput(
        audio=[sound.tobytes() for sound in sounds], sample_rate=16000
    )
    output = task.process(given)
    assert isinstance(output, AutomaticSpeechRecognitionOutput)
    return output.texts
