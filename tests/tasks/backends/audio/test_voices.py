"""Kinds of models that speak: alone, in a batch, and as transformers' documented call."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import transformers as hf

from wherry.protocol.errors import RowError
from wherry.samples.tiny.audio import csm
from wherry.samples.tiny.parts import bpe, loud, save, wordpiece
from wherry.tasks.audio.text_to_speech import TextToSpeechInput, TextToSpeechOutput
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task

TASK = "text-to-speech"
#: Half a step of 16 bits, and a little.
TOLERANCE = 1 / 32768
TEXTS = ["hello world", "my name is ada and i live in london", "a red car"]

_HALVES: dict[str, Any] = {
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 37,
    "decoder_ffn_dim": 37,
}
#: Sixteen samples a frame.
_VOCODER: dict[str, Any] = {
    "upsample_initial_channel": 16,
    "upsample_rates": [4, 4],
    "upsample_kernel_sizes": [8, 8],
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3]],
    "initializer_range": 0.3,  # else all that one hears are its biases
}


def _ends(tokenizer: Any) -> dict[str, int]:
    names = ("bos", "eos", "pad")
    return {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in names}


def _speecht5(folder: Path) -> dict[str, Any]:
    tokenizer = bpe()
    config = hf.SpeechT5Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_mel_bins=8,
        speech_decoder_prenet_units=16,
        speech_decoder_postnet_units=16,
        speaker_embedding_dim=12,
        max_text_positions=64,
        max_speech_positions=400,
        **_HALVES,
        **_ends(tokenizer),
    )
    save(folder, loud(hf.SpeechT5ForTextToSpeech(config), "layers", "embed", "prenet"), tokenizer)
    vocoder = hf.SpeechT5HifiGan(hf.SpeechT5HifiGanConfig(model_in_dim=8, **_VOCODER))
    vocoder.save_pretrained(folder / "vocoder")
    vectors = np.random.default_rng(0).normal(size=(2, 12)).astype(np.float32)
    np.save(folder / "speakers.npy", vectors)
    return {"vocoder": str(folder / "vocoder"), "speakers": str(folder / "speakers.npy")}


def _sounding(codec: Any) -> None:
    """Fill its books of codes: they are made of zeros, and all codes would sound alike."""
    for name, buffer in codec.named_buffers():
        if name.endswith(("codebook.embed", "codebook.embed_sum")):
            buffer.normal_()


def _bark(folder: Path) -> dict[str, Any]:
    size = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "block_size": 256}
    words = {**size, "input_vocab_size": 400, "output_vocab_size": 400}
    codes = {"input_vocab_size": 17, "output_vocab_size": 16, "n_codes_total": 4}
    codec = {
        "model_type": "encodec",
        "num_filters": 4,
        "hidden_size": 8,
        "codebook_dim": 8,
        "codebook_size": 16,
        "upsampling_ratios": [4, 2],
        "num_lstm_layers": 1,
        "target_bandwidths": [3.0, 12.0],
        "sampling_rate": 2400,
    }
    config = hf.BarkConfig(
        semantic_config=words,
        coarse_acoustics_config=words,
        fine_acoustics_config={**size, **codes, "n_codes_given": 1},
        codec_config=codec,
    )
    model = loud(hf.BarkModel(config), "embed", "layers", "lm_head")
    with torch.no_grad():
        for part in (model.semantic, model.coarse_acoustics):
            part.layers[0].attn.out_proj.weight *= 20  # else it hears its last token alone
            part.position_embeds_layer.weight *= 0.1
    _sounding(model.codec_model)
    model.generation_config = hf.GenerationConfig(
        semantic_config={
            "do_sample": True,
            "eos_token_id": 60,
            "max_new_tokens": 24,
            "text_encoding_offset": 70,
            "text_pad_token": 61,
            "semantic_infer_token": 62,
            "semantic_vocab_size": 60,
            "semantic_pad_token": 60,
            "max_input_semantic_length": 12,
        },
        coarse_acoustics_config={
            "coarse_semantic_pad_token": 300,
            "coarse_infer_token": 301,
            "max_coarse_input_length": 32,
            "max_coarse_history": 60,
            "sliding_window_len": 10,
        },
        fine_acoustics_config={
            "max_fine_history_length": 32,
            "max_fine_input_length": 64,
            "n_fine_codebooks": 4,
        },
        sample_rate=2400,
        codebook_size=16,
    )
    preset = {
        "semantic_prompt": np.arange(5),
        "coarse_prompt": np.ones((2, 8), np.int64),
        "fine_prompt": np.ones((4, 8), np.int64),
    }
    voices = {name: f"{name}.npy" for name in preset}
    for name, numbers in preset.items():
        np.save(folder / voices[name], numbers)
    save(folder, model, hf.BarkProcessor(wordpiece()))
    presets = {"repo_or_path": str(folder), "v2/en_speaker_0": voices}
    (folder / "speaker_embeddings_path.json").write_text(json.dumps(presets))
    return {}


def _seamless(folder: Path, version: str = "") -> dict[str, Any]:
    tokenizer = bpe()
    vocoder = {name: value for name, value in _VOCODER.items() if name != "initializer_range"}
    units = {
        name: 1 if name.endswith("layers") else 2 if name.endswith("heads") else 16
        for name in _HALVES
    }
    config = getattr(hf, f"SeamlessM4T{version}Config")(
        vocab_size=len(tokenizer),
        hidden_size=32,
        max_position_embeddings=64,
        unit_hifi_gan_vocab_size=40,
        unit_embed_dim=8,
        lang_embed_dim=4,
        spkr_embed_dim=4,
        vocoder_num_langs=2,
        vocoder_num_spkrs=2,
        variance_predictor_kernel_size=3,
        num_conv_pos_embeddings=16,
        t2u_vocab_size=40,
        t2u_max_new_tokens=8,
        t2u_bos_token_id=0,
        t2u_pad_token_id=1,
        t2u_eos_token_id=2,
        vocoder_offset=4,
        decoder_start_token_id=tokenizer.eos_token_id,
        **vocoder,
        **_HALVES,
        **{f"t2u_{name}": value for name, value in units.items()},
        **_ends(tokenizer),
        **_SECOND if version else {},
    )
    model = getattr(hf, f"SeamlessM4T{version}ForTextToSpeech")(config)
    model.generation_config = hf.GenerationConfig(
        text_decoder_lang_to_code_id={"eng": 40, "fra": 41},
        t2u_lang_code_to_id={"eng": 10, "fra": 11},
        vocoder_lang_code_to_id={"eng": 0, "fra": 1},
        max_new_tokens=8,
        decoder_start_token_id=tokenizer.eos_token_id,
        no_repeat_ngram_size=2,
        char_to_id={letter: i for i, letter in enumerate("abcdefghijklmnop")},
        id_to_text={str(i): tokenizer.decode([i]) for i in range(len(tokenizer))},
        **_ends(tokenizer),
    )
    save(folder, loud(model, "shared", "layers", "embed"), tokenizer)
    return {"language": "eng", "spoken": "fra"}


_SECOND = {
    "char_vocab_size": 20,
    "t2u_variance_predictor_embed_dim": 32,
    "t2u_variance_predictor_hidden_dim": 16,
}


def _fastspeech2(folder: Path) -> dict[str, Any]:
    tokenizer = bpe()  # its own needs the package g2p_en
    heard = ("duration", "energy", "pitch")
    speaks = hf.FastSpeech2ConformerConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_mel_bins=8,
        encoder_layers=1,
        decoder_layers=1,
        encoder_num_attention_heads=2,
        decoder_num_attention_heads=2,
        encoder_linear_units=16,
        decoder_linear_units=16,
        speech_decoder_postnet_layers=2,
        speech_decoder_postnet_units=16,
        **{f"{name}_predictor_channels": 16 for name in heard},
        **{f"{name}_predictor_layers": 1 for name in heard},
    )
    vocoder = hf.FastSpeech2ConformerHifiGanConfig(model_in_dim=8, **_VOCODER)
    config = hf.FastSpeech2ConformerWithHifiGanConfig(
        model_config=speaks.to_dict(), vocoder_config=vocoder.to_dict()
    )
    model = hf.FastSpeech2ConformerWithHifiGan(config)
    save(folder, loud(model, "encoder", "duration", "vocoder"), tokenizer)
    return {}


BUILDERS: dict[str, Callable[[Path], dict[str, Any] | None]] = {
    "speecht5": _speecht5,
    "bark": _bark,
    "seamless_m4t": _seamless,
    "seamless_m4t_v2": lambda folder: _seamless(folder, "v2"),
    "fastspeech2_conformer_with_hifigan": _fastspeech2,
    "csm": csm,
}
#: In the normal run; the rest are slow all together.
NORMAL = ("speecht5", "seamless_m4t", "fastspeech2_conformer_with_hifigan")
RATES = {"bark": 2400, "csm": 2400, "fastspeech2_conformer_with_hifigan": 22050}


def _made(kind: str, folder: Path, **parameters: Any) -> LocalTask:
    torch.manual_seed(0)
    needed = BUILDERS[kind](folder)
    return create_task("transformers", TASK, str(folder), {**(needed or {}), **parameters})


def _spoken(task: LocalTask, texts: list[str], **how: Any) -> list[Any]:
    output = task.process(TextToSpeechInput(texts=texts, **how))
    assert isinstance(output, TextToSpeechOutput)
    files = [soundfile.read(io.BytesIO(file), dtype="float32") for file in output.audio]
    assert [rate for _, rate in files] == output.sample_rates
    return [wave for wave, _ in files]


def _documented(task: LocalTask, text: str, seed: int) -> Any:
    """The call on the page of the model's class, in float32 samples."""
    backend: Any = task.backend
    model, folder = backend.model, Path(str(backend.source))
    kind = model.config.model_type
    torch.manual_seed(seed)
    if kind in ("bark", "csm"):
        made = hf.pipeline(TASK, model=str(folder))
        torch.manual_seed(seed)
        return np.clip(np.ravel(made(text)["audio"]), -1, 1)
    inputs = hf.AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.inference_mode():
        if kind == "speecht5":
            vectors = torch.from_numpy(np.load(folder / "speakers.npy"))
            vocoder = hf.SpeechT5HifiGan.from_pretrained(folder / "vocoder").eval()
            wave = model.generate(
                inputs["input_ids"], speaker_embeddings=vectors[:1], vocoder=vocoder
            )
        elif kind.startswith("seamless"):
            wave = model.generate(**inputs, tgt_lang="fra")[0]
        else:
            wave = model(inputs["input_ids"], return_dict=True)["waveform"]
    return np.clip(np.ravel(wave.numpy()), -1, 1)


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=() if k in NORMAL else pytest.mark.slow) for k in BUILDERS]
)
def test_a_text_is_spoken_as_the_model_documents(kind: str, tmp_path: Path) -> None:
    with _made(kind, tmp_path) as task:
        together = _spoken(task, TEXTS, seed=3)
        for text, wave in zip(TEXTS, together, strict=True):
            [alone] = _spoken(task, [text], seed=3)
            assert alone == pytest.approx(wave, abs=TOLERANCE)
            assert wave == pytest.approx(_documented(task, text, 3), abs=TOLERANCE)
        assert task.backend._voice.rate == RATES.get(kind, 16000)  # type: ignore[attr-defined] # a TextToSpeech
        assert len({wave.tobytes() for wave in together}) > 1
        # More samples of silence would prove nothing.
        assert all(len(wave) > 30 and np.ptp(wave) > TOLERANCE for wave in together)


@pytest.mark.parametrize(("kind", "count"), [("speecht5", 2), ("bark", 1), ("seamless_m4t", 2)])
def test_speakers_are_told_apart(kind: str, count: int, tmp_path: Path) -> None:
    with _made(kind, tmp_path) as task:
        rows = [TextToSpeechInput(texts=["hello"], speaker=i) for i in range(count + 1)]
        *spoken, refused = task.backend.run(rows)
        plain = task.backend.run([TextToSpeechInput(texts=["hello"])])
        assert len({bytes(answer.audio[0]) for answer in (*spoken, *plain)}) == max(2, count)  # type: ignore[union-attr] # outputs
        assert str(refused) == f"speaker {count}: the model has {count}, from 0"
        [slow] = task.backend.run([TextToSpeechInput(texts=["hello"], speed=0.5)])
        assert "speed: this model cannot be told" in str(slow)


@pytest.mark.parametrize("kind", ["speecht5", "bark", "seamless_m4t"])
def test_a_text_that_is_too_long_fails_alone(kind: str, tmp_path: Path) -> None:
    with _made(kind, tmp_path) as task:
        rows = [TextToSpeechInput(texts=[text]) for text in ("hello world " * 90, "hello")]
        refused, spoken = task.backend.run(rows)
        assert isinstance(refused, RowError)
        assert "this model speaks" in str(refused)
        assert isinstance(spoken, TextToSpeechOutput)


@pytest.mark.parametrize(
    ("kind", "parameters", "told"),
    [
        ("speecht5", {"vocoder": ""}, "SpeechT5 needs the parameters vocoder"),
        ("speecht5", {"speakers": "nowhere.npy"}, "speakers: nowhere.npy is no .npy file"),
        ("seamless_m4t", {"language": ""}, "this model speaks eng, fra"),
        ("seamless_m4t", {"spoken": "deu"}, "this model speaks eng, fra"),
    ],
)
def test_what_a_voice_needs_is_named(
    kind: str, parameters: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelRefused, match=told) as refused:
        _made(kind, tmp_path, **parameters)
    assert "\n" not in str(refused.value)


def test_vectors_of_another_width_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", np.zeros((3, 5), np.float32))
    with pytest.raises(ModelRefused, match=r"holds \(3, 5\); the model wants \(speakers, 12\)"):
        _made("speecht5", tmp_path, speakers=str(tmp_path / "other.npy"))


@pytest.mark.parametrize("kind", ["musicgen", "vibevoice", "qwen2_5_omni", "fastspeech2_conformer"])
def test_another_kind_is_refused_in_a_line_that_names_those_there_are(
    kind: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(f'{{"model_type": "{kind}"}}')
    with pytest.raises(ModelRefused, match=f"type {kind} does not do this task; it takes bark, "):
        create_task("transformers", TASK, str(tmp_path))
