"""A model of a head and a type, written to a folder."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES

from wherry.samples import tiny
from wherry.tasks.backends.transformers.processors import processor_class

from .heads import Head, Reads
from .hearing import ear, letters
from .looking import PROCESSORS, SEEING, SEEING_OF, image_processor, marks_of, seeing_tokenizer
from .reading import framed_tokenizer, is_kept, tokenizer_of, words_of
from .sizes import tiny_config
from .watching import write_video_processor
from .weights import liven

#: More numbers than that are no tiny model: a size is not known.
_MOST = 20_000_000


class CannotBeBuilt(Exception):
    """No tiny model can be made here; the text says why in one line."""


#: Whose documented call is no trial's: what else compares them with it.
_ELSEWHERE = {
    ("pages", "layoutlmv3"): "multimodal/test_document_question_answering.py",
    ("questions", "blip"): "multimodal/test_visual_question_answering.py",
    ("speakers", "bark"): "audio/test_voices.py",
    ("speakers", "csm"): "audio/test_voices.py",
    ("speakers", "fastspeech2_conformer_with_hifigan"): "audio/test_voices.py",
    ("speakers", "seamless_m4t"): "audio/test_voices.py",
    ("speakers", "seamless_m4t_v2"): "audio/test_voices.py",
    ("speech, SpeechSeq2Seq", "seamless_m4t"): "audio/test_speech_writers.py",
    ("speech, SpeechSeq2Seq", "seamless_m4t_v2"): "audio/test_speech_writers.py",
}


def build(head: Head, kind: str, folder: Path, seed: int = 0) -> None:
    """Write the model. Raises CannotBeBuilt."""
    if test := _ELSEWHERE.get((head.name, kind)):
        raise CannotBeBuilt(f"served: tests/tasks/backends/{test} compares it")
    try:
        _BUILDERS[head.reads](head, kind, folder, seed)
    except ImportError as error:
        raise CannotBeBuilt(f"needs {_package(error)}") from error
    except CannotBeBuilt:
        raise
    except Exception as error:
        raise CannotBeBuilt(told(error)) from error


def told(error: BaseException) -> str:
    """An error in a line that is not too long."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:160].rstrip(": ")


def _package(error: ImportError) -> str:
    """What transformers says that it cannot do without."""
    named = re.search(r"(?:requires|needs) (?:the )?([\w.-]+)", str(error))
    return named[1] if named else told(error)


def model_of(head: Head, config: Any, seed: int) -> Any:
    """A lively model of a config; not made at all where it would be large."""
    auto = getattr(transformers, head.auto_class)
    classes = auto._model_mapping[type(config)]
    if isinstance(classes, tuple):
        config.architectures = [classes[0].__name__]
    with torch.device("meta"):
        count = sum(p.numel() for p in auto.from_config(config).parameters())
    if count > _MOST:
        raise CannotBeBuilt(f"no tiny one is known: {count / 1e6:.0f} million weights")
    torch.manual_seed(seed)
    return liven(auto.from_config(config), seed)


def labelled(head: Head) -> dict[str, Any]:
    """The labels, as a config's fields."""
    names = dict(enumerate(head.labels))
    return {"id2label": names, "label2id": {name: i for i, name in names.items()}}


def _text(head: Head, kind: str, folder: Path, seed: int) -> None:
    tokenizer = tokenizer_of(head.auto_class)
    _reader(head, kind, folder, seed, tokenizer)
    if tokenizer.mask_token and not is_kept(tokenizer, folder):
        _reader(head, kind, folder, seed, tokenizer_of("AutoModelForSeq2SeqLM"))


def _reader(head: Head, kind: str, folder: Path, seed: int, tokenizer: Any) -> None:
    config = tiny_config(kind, words_of(tokenizer), labelled(head))
    if head.auto_class == "AutoModelForCausalLM":
        config.is_decoder = True
    model = model_of(head, config, seed)
    takes = inspect.signature(model.forward).parameters
    types = getattr(config, "type_vocab_size", None) or 2
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if types > 1 else [])]
    tokenizer.model_input_names = [name for name in names if name in takes] or names[:1]
    if model.can_generate():
        model.generation_config = transformers.GenerationConfig(
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=getattr(config, "decoder_start_token_id", None),
        )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _pictures(head: Head, kind: str, folder: Path, seed: int) -> None:
    processor = image_processor(kind)
    config = tiny_config(kind, {}, {} if head.auto_class == "AutoModel" else labelled(head))
    model_of(head, config, seed).save_pretrained(folder)
    processor.save_pretrained(folder)


def _pictures_and_words(head: Head, kind: str, folder: Path, seed: int) -> None:
    tokenizer = framed_tokenizer(64 if kind.startswith("siglip") else 16)
    processor = image_processor(kind)
    config = tiny_config(kind, words_of(tokenizer), {})
    model_of(head, config, seed).save_pretrained(folder)
    name = PROCESSOR_MAPPING_NAMES.get(kind)
    if name is None:
        processor.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return
    whole = getattr(transformers, name)(image_processor=processor, tokenizer=tokenizer)
    whole.save_pretrained(folder)


#: Types that read pictures and text of which Wherry has a sample: its name.
_TALKERS = {
    **{kind: kind for kind in ("blip", "blip-2", "git", "instructblip", "internvl", "kosmos-2")},
    **{kind: kind for kind in ("mistral3", "paligemma", "pix2struct", "smolvlm")},
    "florence2": "florence-2",
    "llava_onevision": "llava-onevision",
    "qwen2_5_vl": "qwen2.5-vl",
    "qwen2_vl": "qwen2-vl",
    "qwen3_vl": "qwen3-vl",
    "vision-encoder-decoder": "donut",
}


def _pictures_and_text(head: Head, kind: str, folder: Path, seed: int) -> None:
    if sample := _TALKERS.get(kind):
        tiny.build(f"image-text-to-text-{sample}", folder)
        return
    pictures = image_processor(kind)
    name = PROCESSORS.get(kind) or PROCESSOR_MAPPING_NAMES.get(kind)
    if name is None:
        raise CannotBeBuilt("transformers lists no processor for it")
    cls = processor_class(name)
    tokenizer = seeing_tokenizer(kind)
    words = {**words_of(tokenizer), **marks_of(tokenizer)}
    config = tiny_config(kind, words, {})
    model = model_of(head, config, seed)
    model.generation_config = transformers.GenerationConfig(
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id if config.is_encoder_decoder else None,
    )
    takes = inspect.signature(cls.__init__).parameters
    more = {
        name: value
        for name, value in {**SEEING, **SEEING_OF.get(kind, {})}.items()
        if name in takes
    }
    if "image_seq_length" not in vars(pictures):
        pictures.image_seq_length = SEEING["image_seq_length"]
    if "qformer_tokenizer" in takes:
        more["qformer_tokenizer"] = tokenizer_of("AutoModel")
    if "video_processor" in cls.get_attributes():  # cannot be made without torchvision: its parts
        pictures.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "processor_config.json").write_text(json.dumps({**more, "processor_class": name}))
    else:
        if "chat_template" in takes:
            more["chat_template"] = tokenizer.chat_template
        cls(image_processor=pictures, tokenizer=tokenizer, **more).save_pretrained(folder)
    model.save_pretrained(folder)


def _videos(head: Head, kind: str, folder: Path, seed: int) -> None:
    config = tiny_config(kind, {}, labelled(head))
    model_of(head, config, seed).save_pretrained(folder)
    write_video_processor(kind, folder)


def _sound(head: Head, kind: str, folder: Path, seed: int) -> None:
    config = tiny_config(kind, {}, labelled(head))
    model_of(head, config, seed).save_pretrained(folder)
    ear(kind).save_pretrained(folder)


def _speech(head: Head, kind: str, folder: Path, seed: int) -> None:
    if kind == "whisper":
        tiny.build("automatic-speech-recognition", folder)
        return
    listener = ear(kind)
    if head.auto_class == "AutoModelForCTC":
        tokenizer: Any = letters(folder)
    else:
        tokenizer = tokenizer_of("AutoModelForSeq2SeqLM")
    config = tiny_config(kind, words_of(tokenizer), {})
    model_of(head, config, seed).save_pretrained(folder)
    name = PROCESSOR_MAPPING_NAMES.get(kind, "Wav2Vec2Processor")
    processor = getattr(transformers, name)(feature_extractor=listener, tokenizer=tokenizer)
    processor.save_pretrained(folder)


#: Types of which Wherry has a sample, by the head's name; it takes more than sizes to make one.
_SAMPLES = {
    ("captions", "blip"): "image-text-to-text-blip",
    ("captions", "blip-2"): "image-text-to-text-blip-2",
    ("captions", "git"): "image-text-to-text-git",
    ("captions", "pix2struct"): "image-text-to-text-pix2struct",
    ("captions", "vision-encoder-decoder"): "image-to-text",
    ("films", "sam2_video"): "video-mask-generation",
    ("lines", "vision-encoder-decoder"): "optical-character-recognition",
    ("masks", "sam"): "mask-generation",
    ("masks", "sam_hq"): "mask-generation-sam-hq",
    ("pages", "layoutlm"): "document-question-answering",
    ("pages by queries", "colmodernvbert"): "visual-document-retrieval-colmodernvbert",
    ("pages by queries", "colpali"): "visual-document-retrieval-colpali",
    ("pages by queries", "colqwen2"): "visual-document-retrieval",
    ("players", "musicgen"): "text-to-audio",
    ("players", "musicgen_melody"): "text-to-audio-melody",
    ("poses", "vitpose"): "keypoint-detection",
    ("questions", "vilt"): "visual-question-answering",
    ("sounds by words", "clap"): "zero-shot-audio-classification",
    ("sounds and text", "audioflamingo3"): "audio-text-to-text-flamingo",
    ("sounds and text", "musicflamingo"): "audio-text-to-text-music-flamingo",
    ("sounds and text", "qwen2_audio"): "audio-text-to-text",
    ("speakers", "vits"): "text-to-speech",
    ("series", "timesfm"): "time-series-forecasting",
    ("series", "timesfm2_5"): "time-series-forecasting-timesfm2_5",
    ("tables", "tapas"): "table-question-answering",
}


def _other(head: Head, kind: str, folder: Path, seed: int) -> None:
    if sample := _SAMPLES.get((head.name, kind)):
        tiny.build(sample, folder)
        return
    if head.name == "masks":
        image_processor(kind)  # raises
    try:
        _reader(head, kind, folder, seed, tokenizer_of(head.auto_class))
    except Exception:  # its type is enough to see whether Wherry takes such models
        CONFIG_MAPPING[kind]().save_pretrained(folder)


_BUILDERS: dict[Reads, Any] = {
    "text": _text,
    "pictures": _pictures,
    "pictures and words": _pictures_and_words,
    "pictures and text": _pictures_and_text,
    "videos": _videos,
    "sound": _sound,
    "speech": _speech,
    "other": _other,
}
