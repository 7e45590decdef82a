"""Train a small CLIP on drawn shapes: `python -m training.clip OUT [STEPS]`.

Pictures of 64 x 64 pixels with one shape, drawn anew for each batch, beside what may be said of
them: its shape, its colour, or both, alone or in a sentence. The held-out pictures come from
another seed.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from wherry.samples.shapes_data import COLOURS, SHAPES, SIZE, Drawn, draw
from wherry.tasks.export import export

from .descent import descend
from .shapes_model import PATCH, WIDTH, pixels, waves

log = logging.getLogger(__name__)

STEPS, BATCH, RATE, SEED, HELD_OUT = 1500, 48, 2e-3, 0, 1

#: What may be said of a picture. Of each kind of label exactly one is true.
KINDS = (
    tuple(Drawn(shape, (0, 0, 0, 0), colour).caption for colour in COLOURS for shape in range(3)),
    SHAPES,
    tuple(COLOURS),
)
SENTENCES = ("{}", "a {}", "a photo of a {}", "This is a photo of {}.", "This is a photo of a {}.")

_TOKENS = 16  # of the longest sentence that the model reads

#: Ids of the frame. The end must not be 2: transformers then reads a text at its highest id, as
#: the first CLIPs did, and not at its end.
_END, _START = 1, 2


def tokenizer() -> Any:  # loaded at run time
    """Pieces of the words above, any other text by its bytes; framed as CLIP's."""
    start, end, pad = "<|startoftext|>", "<|endoftext|>", "<|pad|>"
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        show_progress=False,
        vocab_size=500,
        special_tokens=[pad, end, start],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    said = [sentence.format(label) for sentence in SENTENCES for kind in KINDS for label in kind]
    backend.train_from_iterator(said, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, _START), (end, _END)]
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=start,
        eos_token=end,
        pad_token=pad,
        model_max_length=_TOKENS,
        model_input_names=["input_ids", "attention_mask"],
    )


def build(vocabulary: int) -> hf.CLIPModel:
    """A CLIP of some 150,000 parameters whose vectors have 32 numbers."""
    reads: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "vocab_size": vocabulary,
        "max_position_embeddings": _TOKENS,
        "pad_token_id": 0,
        "bos_token_id": _START,
        "eos_token_id": _END,
    }
    sees: dict[str, Any] = {
        "hidden_size": WIDTH,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "image_size": SIZE,
        "patch_size": PATCH,
    }
    model = hf.CLIPModel(hf.CLIPConfig(text_config=reads, vision_config=sees, projection_dim=32))
    _tell_apart(model)
    return model


@torch.no_grad()
def _tell_apart(model: hf.CLIPModel) -> None:
    # Where patches hardly know their place, colours are learnt and shapes are not.
    start = model.vision_model.embeddings
    start.position_embedding.weight[1:] = 0.5 * waves(SIZE // PATCH, WIDTH)[0]
    torch.nn.init.xavier_uniform_(start.patch_embedding.weight.view(WIDTH, -1))


def train(out: Path, steps: int) -> float:
    """Take some steps, save, export; answers the share of held-out pictures named right."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    rng, words, started = np.random.default_rng(SEED), tokenizer(), time.monotonic()
    model = build(len(words))

    def loss() -> torch.Tensor:
        pictures = [draw(rng) for _ in range(BATCH)]
        sentence = SENTENCES[int(rng.integers(len(SENTENCES)))]
        logits = compare(model, words, pictures, sentence)
        truths = [truth([drawn for _, (drawn,) in pictures], kind) for kind in KINDS]
        parts = logits.split([len(kind) for kind in KINDS], 1)
        wrong = map(torch.nn.functional.cross_entropy, parts, truths)
        return torch.stack(list(wrong)).sum()

    descend(model, loss, steps=steps, rate=RATE)
    reached = measure(model, words, seed=HELD_OUT)
    log.info("%.0f s; held out: %.4f", time.monotonic() - started, reached)
    for part in (model, words, processor()):
        part.save_pretrained(out)
    export(str(out), out, "zero-shot-image-classification")
    return reached


def compare(
    model: hf.CLIPModel, words: Any, pictures: Sequence[tuple[Any, Any]], sentence: str
) -> torch.Tensor:
    """How well each label of every kind, in a sentence, fits each picture: (B, labels)."""
    said = [sentence.format(label) for kind in KINDS for label in kind]
    read = words(said, padding=True, return_tensors="pt")
    seen = pixels([image for image, _ in pictures])
    logits: torch.Tensor = model(pixel_values=seen, **read).logits_per_image
    return logits


def truth(drawn: Sequence[Drawn], kind: Sequence[str]) -> torch.Tensor:
    """The place of each shape's label among those of a kind: (B,)."""
    names = [{item.caption, SHAPES[item.shape], item.colour} for item in drawn]
    return torch.tensor([next(i for i, label in enumerate(kind) if label in of) for of in names])


@torch.inference_mode()
def measure(model: hf.CLIPModel, words: Any, *, seed: int, count: int = 1000) -> float:
    """Share of pictures drawn by this seed whose colour and shape are both named right."""
    model.eval()
    rng = np.random.default_rng(seed)
    pictures = [draw(rng) for _ in range(count)]
    named = compare(model, words, pictures, SENTENCES[-1])[:, : len(KINDS[0])].argmax(1)
    return float((named == truth([d for _, (d,) in pictures], KINDS[0])).float().mean())


def processor() -> CLIPImageProcessorPil:
    """Whole pictures, whatever their form: nothing is cropped."""
    return CLIPImageProcessorPil(
        size={"height": SIZE, "width": SIZE},
        do_center_crop=False,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    train(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else STEPS)
