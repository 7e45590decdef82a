"""Models that hear a sound whole and write: alone, in a batch, as transformers' documented call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from wherry.protocol.errors import RowError
from wherry.samples.tiny.audio import moonshine
from wherry.samples.tiny.parts import SMALL, bpe, loud, save
from wherry.tasks.audio.automatic_speech_recognition import (
    AutomaticSpeechRecognitionInput,
    AutomaticSpeechRecognitionOutput,
)
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task

TASK = "automatic-speech-recognition"
COUNT = 9

_CONVOLUTIONS: dict[str, Any] = {
    "conv_dim": (16, 16, 16),
    "conv_kernel": (10, 3, 3),
    "conv_stride": (8, 4, 4),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
_HALVES: dict[str, Any] = {
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 37,
    "decoder_ffn_dim": 37,
}
_DECODER: dict[str, Any] = {
    **SMALL,
    "num_hidden_layers": 1,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 512,
}


def _ends(tokenizer: Any) -> dict[str, Any]:
    names = ("bos", "eos", "pad")
    return {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in names}


def _saved(
    folder: Path, model: Any, *parts: Any, loudly: tuple[str, ...] = (), **generation: Any
) -> None:
    """With all weights loud, and no token said twice: random models stammer all alike."""
    own = {n: v for n, v in model.generation_config.to_diff_dict().items() if n[0] != "_"}
    model.generation_config = hf.GenerationConfig(**{**own, **generation}, no_repeat_ngram_size=2)
    save(folder, loud(model, "conv", "layers", "embed_tokens", "shared", *loudly), *parts)


def _speech_to_text(folder: Path) -> None:
    tokenizer = bpe()
    config = hf.Speech2TextConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        max_source_positions=600,
        max_target_positions=64,
        conv_channels=16,
        decoder_start_token_id=tokenizer.eos_token_id,
        **_HALVES,
        **_ends(tokenizer),
    )
    model = hf.Speech2TextForConditionalGeneration(config)
    _saved(folder, model, hf.Speech2TextFeatureExtractor(), tokenizer)


def _speecht5(folder: Path) -> None:
    tokenizer = bpe()
    config = hf.SpeechT5Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        max_speech_positions=2000,
        max_text_positions=64,
        decoder_start_token_id=tokenizer.eos_token_id,
        **_CONVOLUTIONS,
        **_HALVES,
        **_ends(tokenizer),
    )
    model = hf.SpeechT5ForSpeechToText(config)
    _saved(folder, model, hf.SpeechT5FeatureExtractor(), tokenizer)


def _seamless(folder: Path, version: str = "") -> None:
    tokenizer = bpe()
    config = getattr(hf, f"SeamlessM4T{version}Config")(
        vocab_size=len(tokenizer),
        hidden_size=32,
        speech_encoder_layers=1,
        speech_encoder_attention_heads=2,
        speech_encoder_intermediate_size=37,
        max_position_embeddings=64,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        adaptor_kernel_size=4,
        adaptor_stride=4,
        t2u_vocab_size=20,
        decoder_start_token_id=tokenizer.eos_token_id,
        **_HALVES,
        **{f"t2u_{name}": 2 for name in _HALVES},
        **_ends(tokenizer),
    )
    model = getattr(hf, f"SeamlessM4T{version}ForSpeechToText")(config)
    languages: dict[str, Any] = {"text_decoder_lang_to_code_id": {"eng": 40, "fra": 41}}
    _saved(folder, model, hf.SeamlessM4TFeatureExtractor(), tokenizer, **languages)


def _encoder_decoder(folder: Path) -> None:
    tokenizer = bpe()
    hears = hf.Wav2Vec2Config(**SMALL, **_CONVOLUTIONS, num_feat_extract_layers=3)
    writes = hf.GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, n_positions=64
    )
    config = hf.SpeechEncoderDecoderConfig.from_encoder_decoder_configs(hears, writes)
    start = {**_ends(tokenizer), "decoder_start_token_id": tokenizer.bos_token_id}
    for name, value in start.items():
        setattr(config, name, value)
    model = hf.SpeechEncoderDecoderModel(config=config)
    _saved(folder, model, hf.Wav2Vec2FeatureExtractor(), tokenizer, loudly=("h.", "wte"), **start)


def _template(sound: str) -> str:
    """How a conversation is written, each sound as its token."""
    return (
        "{% for m in messages %}{{ '<' + m['role'] + '>' }}{% for part in m['content'] %}"
        "{{ '" + sound + "' if part['type'] == 'audio' else part['text'] }}"
        "{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
    )


def _qwen3_asr(folder: Path) -> None:
    names = {f"audio{end}_token": f"<|audio{end}|>" for end in ("", "_bos", "_eos")}
    tokenizer = bpe(extra=tuple(names.values()), extra_special_tokens=names)
    ends = _ends(tokenizer)
    config = hf.Qwen3ASRConfig(
        text_config={"model_type": "qwen3", "vocab_size": len(tokenizer), **_DECODER, **ends},
        audio_config={
            "num_mel_bins": 16,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 37,
            "d_model": 32,
            "output_dim": 32,
            "downsample_hidden_size": 8,
        },
        audio_token_id=tokenizer.convert_tokens_to_ids("<|audio|>"),
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    processor = hf.Qwen3ASRProcessor(
        hf.Qwen3ASRFeatureExtractor(feature_size=16),
        tokenizer,
        chat_template=_template("".join(f"<|audio{end}|>" for end in ("_bos", "", "_eos"))),
    )
    model = hf.Qwen3ASRForConditionalGeneration(config)
    _saved(folder, model, processor, loudly=("proj",), **ends)


def _glmasr(folder: Path) -> None:
    tokenizer = bpe(extra=("<|pad|>",))
    ends = _ends(tokenizer)
    config = hf.GlmAsrConfig(
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), **_DECODER, **ends},
        audio_config={
            "hidden_size": 32,
            "intermediate_size": 128,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_mel_bins": 16,
        },
        audio_token_id=tokenizer.convert_tokens_to_ids("<|pad|>"),
    )
    processor = hf.GlmAsrProcessor(
        hf.WhisperFeatureExtractor(feature_size=16), tokenizer, chat_template=_template("<|pad|>")
    )
    model = hf.GlmAsrForConditionalGeneration(config)
    _saved(folder, model, processor, loudly=("proj",), **ends)


def _kyutai(folder: Path) -> None:
    tokenizer = bpe()
    codec = hf.MimiConfig(
        **{**_DECODER, "hidden_size": 16},
        num_filters=4,
        codebook_size=32,
        codebook_dim=8,
        vector_quantization_hidden_dimension=8,
        upsampling_ratios=[16, 8],
        num_quantizers=4,
        upsample_groups=16,
        sliding_window=100,
        sampling_rate=16000,
        frame_rate=62.5,
    )
    config = hf.KyutaiSpeechToTextConfig(
        **{name: value for name, value in _DECODER.items() if name != "intermediate_size"},
        vocab_size=len(tokenizer),
        codebook_vocab_size=33,
        ffn_dim=64,
        num_codebooks=4,
        sliding_window=100,
        audio_bos_token_id=32,
        audio_pad_token_id=len(tokenizer),
        codec_config=codec.to_dict(),
        **{**_ends(tokenizer), "eos_token_id": None},
    )
    model = hf.KyutaiSpeechToTextForConditionalGeneration(config)
    for name, buffer in model.codec_model.named_buffers():
        if name.endswith("embed_sum"):  # zeros, as it is made: all sounds would be alike
            buffer.normal_()
    extractor = hf.KyutaiSpeechToTextFeatureExtractor(
        sampling_rate=16000, audio_delay_seconds=0.1, audio_silence_prefix_seconds=0.0
    )
    _saved(folder, model, hf.KyutaiSpeechToTextProcessor(extractor, tokenizer))


def _parakeet(folder: Path, kind: str) -> None:
    words = ["<pad>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz"]
    plain = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    plain.pre_tokenizer, plain.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer = hf.ParakeetTokenizer(tokenizer_object=plain, pad_token="<pad>", unk_token="<unk>")
    blank = len(words)
    config = getattr(hf, f"Parakeet{kind}Config")(
        vocab_size=blank + 1,
        blank_token_id=blank,
        pad_token_id=0,
        decoder_hidden_size=16,
        encoder_config={
            **SMALL,
            "conv_kernel_size": 5,
            "subsampling_conv_channels": 8,
            "num_mel_bins": 80,
        },
    )
    model = getattr(hf, f"ParakeetFor{kind}")(config)
    parts = (hf.ParakeetFeatureExtractor(feature_size=80), tokenizer)
    model.generation_config.update(decoder_start_token_id=blank)
    save(folder, loud(model, "joint", "decoder"), *parts)


BUILDERS: dict[str, Callable[[Path], None]] = {
    "moonshine": moonshine,
    "speech_to_text": _speech_to_text,
    "speecht5": _speecht5,
    "seamless_m4t": _seamless,
    "seamless_m4t_v2": lambda folder: _seamless(folder, "v2"),
    "speech-encoder-decoder": _encoder_decoder,
    "qwen3_asr": _qwen3_asr,
    "glmasr": _glmasr,
    "kyutai_speech_to_text": _kyutai,
    "parakeet_rnnt": lambda folder: _parakeet(folder, "RNNT"),
    "parakeet_tdt": lambda folder: _parakeet(folder, "TDT"),
}
NORMAL = ("moonshine", "parakeet_tdt", "speech_to_text", "seamless_m4t", "qwen3_asr")

_NOISE = np.random.default_rng(1)
SOUNDS = [_NOISE.normal(0, 0.2, count).astype(np.float32) for count in (16000, 24000, 16000, 12345)]


def _made(kind: str, folder: Path, **parameters: Any) -> LocalTask:
    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    BUILDERS[kind](folder)
    if not kind.startswith("parakeet"):  # its steps end with the sound
        parameters = {"max_new_tokens": COUNT, **parameters}
    return create_task("transformers", TASK, str(folder), parameters)


def _row(sound: Any, **parameters: Any) -> AutomaticSpeechRecognitionInput:
    return AutomaticSpeechRecognitionInput(audio=[sound.tobytes()], sample_rate=16000, **parameters)


def _heard(task: LocalTask, rows: list[AutomaticSpeechRecognitionInput]) -> list[str]:
    outputs = task.backend.run(rows)
    assert all(isinstance(output, AutomaticSpeechRecognitionOutput) for output in outputs)
    return [output.texts[0] for output in outputs]  # type: ignore[union-attr] # looked at above


def _documented(task: LocalTask, sound: Any, **told: Any) -> str:
    """What the page of the model's class calls: its processor, generate, decode."""
    backend: Any = task.backend
    if backend.model.config.model_type in ("qwen3_asr", "glmasr"):
        processor = hf.AutoProcessor.from_pretrained(backend.source)
        inputs = processor.apply_transcription_request(audio=[sound], **told)
        made = backend.model.generate(**inputs, max_new_tokens=COUNT)
        how = {"return_format": "transcription_only"} if "Qwen" in type(processor).__name__ else {}
        own = made[:, inputs["input_ids"].shape[1] :]
        return str(processor.decode(own[0], skip_special_tokens=True, **how))
    inputs = backend.extractor(sound, sampling_rate=16000, return_tensors="pt")
    if backend.model.config.model_type.startswith("parakeet"):
        made = backend.model.generate(**inputs).sequences[0]
        return str(backend.tokenizer.decode(made, skip_special_tokens=True, group_tokens=False))
    made = backend.model.generate(**inputs, max_new_tokens=COUNT, **told)
    return str(backend.tokenizer.batch_decode(made, skip_special_tokens=True)[0])


@pytest.mark.filterwarnings("ignore:Using the model-agnostic default")  # Parakeet's own bound
@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=() if k in NORMAL else pytest.mark.slow) for k in BUILDERS]
)
def test_a_sound_is_written_as_the_model_documents(kind: str, tmp_path: Path) -> None:
    with _made(kind, tmp_path) as task:
        spoken = {"language": "fra"} if kind.startswith("seamless") else {}
        rows = [_row(sound, **spoken) for sound in SOUNDS]
        together = _heard(task, rows)
        assert [_heard(task, [row])[0] for row in rows] == together
        told = {"tgt_lang": "fra"} if spoken else {}
        assert [_documented(task, sound.copy(), **told) for sound in SOUNDS] == together
        assert len(set(together)) > 1


def test_languages_and_times_are_rows_own_affair(tmp_path: Path) -> None:
    with _made("seamless_m4t", tmp_path) as task:
        sound = SOUNDS[0]
        rows = [
            _row(sound, language="eng"),
            _row(sound, language="fra"),
            _row(sound),
            _row(sound, language="tlh"),
            _row(sound, language="eng", return_timestamps=True),
        ]
        english, french, *refused = task.backend.run(rows)
        assert [english, french] == [task.backend.run([row])[0] for row in rows[:2]]
        assert english != french
        told = [str(answer) for answer in refused if isinstance(answer, RowError)]
        assert "must be told which one of eng, fra" in told[0]
        assert "'tlh'" in told[1]
        assert "does not tell when" in told[2]


def test_a_request_names_the_language(tmp_path: Path) -> None:
    with _made("qwen3_asr", tmp_path) as task:
        plain, told, unknown = task.backend.run(
            [_row(SOUNDS[0]), _row(SOUNDS[0], language="English"), _row(SOUNDS[0], language="tlh")]
        )
        assert isinstance(told, AutomaticSpeechRecognitionOutput)
        assert told.texts == [_documented(task, SOUNDS[0].copy(), language="English")]
        assert told != plain
        assert "'tlh'" in str(unknown)


def test_a_text_grows_with_its_sound_unless_the_model_says(tmp_path: Path) -> None:
    with _made("speech_to_text", tmp_path / "s2t", max_new_tokens=0) as task:
        backend: Any = task.backend
        limits = [backend._recogniser._limit(seconds) for seconds in (0.5, 10.0)]
        assert limits == [64 + 13, 64 + 130]
    with _made("moonshine", tmp_path / "moonshine", max_new_tokens=0) as task:
        backend = task.backend
        assert backend.model.generation_config.max_new_tokens == COUNT
        assert _heard(task, [_row(SOUNDS[0])]) == [_documented(task, SOUNDS[0].copy())]


def test_windows_are_refused_where_none_are_cut(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="chunk_length_s: this model hears sounds whole"):
        _made("moonshine", tmp_path, chunk_length_s=10)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("qwen2_audio", "answers questions about sounds"),
        ("granite_speech", "makes its features with torchaudio"),
        ("voxtral", "makes its requests with mistral-common"),
        ("bert", "does not do this task"),
    ],
)
def test_another_kind_is_refused_in_a_line_that_names_those_there_are(
    kind: str, why: str, tmp_path: Path
) -> None:
    hf.AutoConfig.for_model(kind).save_pretrained(tmp_path)
    with pytest.raises(ModelRefused, match=f"a model of type {kind} {why}") as refused:
        create_task("transformers", TASK, str(tmp_path))
    assert "moonshine" in str(refused.value)
    assert "\n" not in str(refused.value)
