"""docs/image-processors.md: `python -m tests.tasks.backends.image.processors_page > PAGE`."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import transformers
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

from wherry.tasks.backends.image.processor_table import KNOWN, Known

_CLASS = re.compile(r"(\w+?)ImageProcessor(Pil)?")

_HEAD = """\
# Image processors

What becomes of a picture before a model sees it is said by its processor, a class of transformers
that `preprocessor_config.json` names. Most only resize, crop, pad, rescale and normalise, each by a
rule of its own. Those are stood for by one path of Wherry's (`tasks/backends/image/pixels.py`):
resized by Pillow as eight bits, normalised once for the whole batch. It is not the processor that
runs then, but its pixels are the same: to 1e-5 of the normalised values over odd sizes, lines of
one pixel among them, and a picture that the processor refuses is refused
(`tests/tasks/backends/image/test_every_processor.py`). What both cost stands in
[performance.md](performance.md#image-processors).

- **Where torchvision is installed** transformers takes the other form of each class, which resizes
  by torch. Wherry's path does not change: it is always the form of Pillow's. The two differ by
  rounding: of the values of ten photographs, resized to three sizes, 1.5 % were another of 255
  levels, the next one with a bilinear filter, four off at most with a bicubic one.
- Rows whose pictures become of different sizes share no forward: padding the one would change its
  answer beside the other. Where a processor pads each picture to a size of its own
  (`pad_size`), the model is given its `pixel_mask`, as by the processor.
- Rows of image-text-to-text and other models that a whole *processor* (pictures and text) prepares
  go through that, whatever its part for pictures is.
- For [ONNX graphs](onnx-adapters.md) the same table reads `preprocessor_config.json`, without
  transformers.

This page is made from transformers {version} by `make docs`; a test holds it, so a processor that
is new there shows.
"""

_PARTS = "cuts a picture into tiles or patches, as many as its size asks for"
_TWO = "takes two pictures at once, as grey"
_TEXT = "works on words, boxes or prompts beside the picture"
_TORCH = "resizes by torchvision, which it needs"
_FILM = "takes the frames of films; `video-classification` goes the faster way, frame by frame"

#: What those do that stay with their own code.
_MORE: dict[str, str] = {
    **dict.fromkeys(
        (
            *("Aria", "Cohere2Vision", "CohereCompass", "Cosmos3Edge", "DeepseekOcr2", "Emu3"),
            *("Ernie4_5_VLMoe", "Ernie4_5_VL_Moe", "Fuyu", "Gemma3", "Gemma4", "Gemma4Unified"),
            *("Glm46V", "Glm4v", "Glm5Next", "GlmImage", "Glmga", "GotOcr2", "GraniteDocling"),
            *("HunYuanVL", "Idefics2", "Idefics3", "Inkling", "Inkling2", "Kimi_K25"),
            *("Kosmos2_5", "Lfm2Vl", "Llama4", "LlavaNext", "LlavaOnevision", "MiniCPMOcr"),
            *("MiniCPMV4_6", "MiniMaxM3VL", "Mllama", "Molmo2", "MuseGlimmer"),
            *("NemotronH_Omni_Reasoning_V3", "NeoMME", "Ovis2", "PaddleOCRVL", "PerceptionLM"),
            *("Phi4Multimodal", "Pix2Struct", "Pixtral", "Qwen2VL", "Siglip2", "SmolVLM"),
            *("Step3p7", "UltraVBert", "UnlimitedOcr", "VideoLlama3"),
        ),
        _PARTS,
    ),
    **dict.fromkeys(("EfficientLoFTR", "LightGlue", "SuperGlue"), _TWO),
    **dict.fromkeys(("LayoutLMv2", "LayoutLMv3"), "reads the words of a page, too (Tesseract)"),
    **dict.fromkeys(("SegGpt", "VitMatte"), "takes a second picture or map beside the first"),
    **dict.fromkeys(
        (
            *("CHMv2", "DINOv3ViT", "DepthPro", "PI0", "PPDocLayoutV2", "PPDocLayoutV3"),
            *("PPDocLayoutV4", "PPFormulaNet", "PPLCNet", "PPOCRV5ServerDet", "PPOCRV5ServerRec"),
            *("PPOCRV6SmallRec", "RfDetr", "SLANeXt", "Sam3", "Sapiens2", "Tipsv2", "Tipsv2Dpt"),
            *("UVDoc",),
        ),
        _TORCH,
    ),
    **dict.fromkeys(("Tvp", "VideoLlava", "VideoMAE", "Vivit"), _FILM),
    **dict.fromkeys(
        ("Sam", "Sam2"), "points and boxes go with the picture; mask-generation has its own way"
    ),
    **dict.fromkeys(
        ("DeepseekVL", "DeepseekVLHybrid", "Janus"),
        "pads to a square what it resized, for models that a whole processor prepares",
    ),
    "Donut": "resizes twice, and may turn a page",
    "Idefics": "is called by its own processor alone, without mask or size",
    "ImageGPT": "makes tokens of colours",
    "Nougat": "cuts off the margins of a page",
    "Owlv2": "blurs by SciPy before it resizes",
    "TimmWrapper": "does what timm says, which it needs",
    "VitPose": "cuts out the boxes that are given, by an affine transform",
    "ZoeDepth": "resizes normalised values by torch, corners aligned",
}


#: What the rules of `edges.py` are, in a reader's words.
_RULES = {
    "plain": "as `size` and `crop_size` say",
    "constrained": "near `size`, to multiples of `ensure_multiple_of`",
    "cropped first": "the middle is cut out, then resized",
    "cropped or warped": "under 384 cropped to `crop_pct` of what was resized, else warped",
    "cut down": "its own size, cut down to multiples of `size_divisor`",
    "divided": "as `size` says, brought up to multiples of `size_divisor`",
    "divisible": "the shorter edge as `size` says, cut down to multiples of `size_divisor`",
    "enlarged": "`size` is `crop_pct` of what is resized to",
    "squared": "as `size` says; with `do_pad` on a square of the mean colour",
    "with a margin": "256 / 224 of `size`, then cropped",
}
_PADS = {
    "around": "may be padded around to multiples of `size_divisor`",
    "below": "may be padded with black to a square",
    "mirrored": "padded with its mirror to multiples of `size_divisor`",
    "to size": "",
    "with a mask": "may be padded to `pad_size`, with `pixel_mask`",
}


def render() -> str:
    """The page as Markdown. Raises KeyError for a processor that nobody sorted yet."""
    found = _classes()
    users = _users()
    lines = [_HEAD.format(version=transformers.__version__)]
    lines += ["## Stood for", "", "| processor | models | how sizes are read |", "|---|---|---|"]
    lines += [
        f"| {name} | {users.get(name, '')} | {_told(KNOWN[name])} |"
        for name in found
        if name in KNOWN
    ]
    lines += ["", "## Left to their own code", "", "| processor | models | what it does more |"]
    lines += ["|---|---|---|"]
    lines += [
        f"| {name} | {users.get(name, '')} | {_MORE[name]} |" for name in found if name not in KNOWN
    ]
    return "\n".join(lines) + "\n"


def _classes() -> list[str]:
    """First parts of the names of all image processors of transformers."""
    folder = Path(transformers.__file__).parent / "models"
    names = {
        named[1]
        for file in folder.glob("*/image_processing_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and (named := _CLASS.fullmatch(node.name))
    }
    return sorted(names - {"Auto"}, key=str.lower)


def _users() -> dict[str, str]:
    """Types of models by the processor that transformers takes for them."""
    users: dict[str, list[str]] = {}
    for kind, forms in sorted(IMAGE_PROCESSOR_MAPPING_NAMES.items()):
        for name in {named[1] for form in forms.values() if (named := _CLASS.fullmatch(form))}:
            users.setdefault(name, []).append(kind)
    return {name: ", ".join(kinds) for name, kinds in users.items()}


def _told(known: Known) -> str:
    return "; ".join(_words(known))


def _words(known: Known) -> Iterator[str]:
    yield _RULES[known.rule]
    if known.pads and _PADS[known.pads]:
        yield _PADS[known.pads]
    if known.defaults.get("do_flip_channel_order"):
        yield "blue first"
    if known.offset:
        yield f"may take one off (`{known.offset}`)"
    if known.unless:
        yield "but not with " + ", ".join(f"`{setting}`" for setting in known.unless)


if __name__ == "__main__":
    sys.stdout.write(render())
