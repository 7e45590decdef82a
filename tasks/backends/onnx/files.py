"""Which files of a folder are its graphs, as exporters lay folders out. Opens none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePath

#: What the graph that a folder is named after is called, the first of these that is there.
_MAIN = (
    *("model", "encoder_model", "decoder_model_merged", "decoder_model"),
    *("melspectrogram", "silero_vad"),  # openWakeWord's folder holds both
    *("model_optimized", "vision_model"),
)

#: What a CLIP's half is called, by the task that wants it before the whole.
_HALF = {
    **dict.fromkeys(("image-feature-extraction", "multimodal-embedding"), ("vision_model",)),
    **dict.fromkeys(("embedding", "feature-extraction", "sentence-similarity"), ("text_model",)),
}

#: What Optimum, transformers.js and sentence-transformers write behind a graph's name, where it is
#: another form of the same: quantised, of half precision, or optimised.
_FORM = re.compile(
    r"_(quantized|fp16|bf16|q8|q4|q4f16|q2|q2f16|q1|q1f16|bnb4|u?int8|O[1-4]|qu?int8_\w+|optimized)$"
)

#: Tasks of which a folder may hold several graphs that go together, by names of their own: a voice
#: and what spells for it, what finds lines and what reads them.
TOGETHER = frozenset({"optical-character-recognition", "text-to-speech"})

#: Tasks of models in two graphs: what sees, and what answers.
IN_TWO = frozenset({"mask-generation"})

#: Where graphs lie: in the folder, or as transformers.js and sentence-transformers have them.
_PLACES = ("", "onnx")


def main_graph(folder: Path, file: str = "", task: str = "") -> Path:
    """The graph to serve: `file` within the folder, or the one that its name tells, of which some
    tasks want another half.

    Raises ValueError when there is none, or when there is no telling which: all are named then.
    """
    if file:
        return _chosen(folder, file)
    stems = (*_HALF.get(task, ()), *_MAIN)
    for stem in stems:
        for place in _PLACES:
            if (path := folder / place / f"{stem}.onnx").exists():
                return path
    graphs = graphs_of(folder)
    for stem in stems:  # a folder may hold one other form alone
        forms = [path for path in graphs if _FORM.sub("", path.stem) == stem]
        if forms:
            return _only(folder, forms)
    if not graphs:
        raise ValueError(f"{folder} holds no .onnx file, nor does its folder onnx{_deeper(folder)}")
    return _only(folder, graphs)


def halves(folder: Path, file: str = "") -> tuple[Path, Path]:
    """What sees and what answers of a model in two, such as SAM: `encoder` and `decoder` in their
    names tell. `file` names the first where there are several.

    Raises ValueError where there are not two, or there is no telling which.
    """
    graphs = graphs_of(folder)
    decoders = [path for path in graphs if "decoder" in path.stem]
    seeing = [path for path in graphs if "encoder" in path.stem and path not in decoders]
    if file:
        encoder = _chosen(folder, file)
    elif not seeing or not decoders:
        raise ValueError(
            f"{folder} holds {_listed(folder, graphs) or 'no .onnx file'}: expected are two, such "
            "as vision_encoder.onnx with prompt_encoder_mask_decoder.onnx, or sam.encoder.onnx with"
            " sam.decoder.onnx: one with `encoder` in its name, one with `decoder`"
        )
    else:
        encoder = _only(folder, _plain(seeing))
    return encoder, _answering(folder, encoder, decoders)


def _answering(folder: Path, encoder: Path, decoders: list[Path]) -> Path:
    """The decoder that is called as the encoder is; else the one of its form, or the plain one."""
    form = _FORM.search(encoder.stem)
    of_form = [path for path in decoders if path.stem.endswith(form[0])] if form else []
    twin = [path for path in decoders if path.name == encoder.name.replace("encoder", "decoder")]
    for found in (twin, of_form, _plain(decoders)):
        if len(found) == 1:
            return found[0]
    raise ValueError(
        f"{folder} holds {_listed(folder, decoders) or 'no decoder'}: expected is one that is "
        f"called as {encoder.name} is, with `decoder` in place of `encoder`"
    )


def _plain(paths: list[Path]) -> list[Path]:
    """Those of no other form; all, where there is none."""
    return [path for path in paths if not _FORM.search(path.stem)] or paths


def graphs_of(folder: Path) -> list[Path]:
    """The graphs in a folder, and in `onnx` in it."""
    return [path for place in _PLACES for path in sorted((folder / place).glob("*.onnx"))]


def beside(main: Path, name: str) -> Path | None:
    """A graph that goes with the main one: in the same form, else in the plain one."""
    form = _FORM.search(main.stem)
    stem = name.removesuffix(".onnx")
    for found in (f"{stem}{form[0] if form else ''}", stem):
        if (path := main.with_name(f"{found}.onnx")).exists():
            return path
    return None


def opened_with(main: Path) -> Iterator[Path]:
    """The files that are read with a graph: itself, what goes with it, and their weights."""
    found = [main]
    if main.stem.startswith(("encoder_model", "decoder_model")):
        merged = beside(main, "decoder_model_merged")
        apart = [beside(main, name) for name in ("decoder_model", "decoder_with_past_model")]
        found += filter(None, [merged] if merged else apart)
    if main.stem.startswith("vision_model"):
        found += filter(None, [beside(main, "text_model")])
    if main.stem == "melspectrogram":
        found += main.parent.glob("*.onnx")
    for path in dict.fromkeys(found):
        yield from path.parent.glob(f"{path.name}*")


def _chosen(folder: Path, file: str) -> Path:
    if PurePath(file).is_absolute() or ".." in PurePath(file).parts:
        raise ValueError(f"file {file!r}: name a path within {folder}")
    if not (folder / file).is_file():
        known = _listed(folder, graphs_of(folder))
        raise ValueError(f"{folder} holds no {file}" + (f"; there are {known}" if known else ""))
    return folder / file


def _only(folder: Path, paths: list[Path]) -> Path:
    if len(paths) == 1:
        return paths[0]
    first = str(paths[0].relative_to(folder))
    raise ValueError(
        f"{folder} holds {_listed(folder, paths)}: name one as the model parameter `file`, such as "
        f"file = {first!r}"
    )


def _deeper(folder: Path) -> str:
    deeper = sorted(folder.glob("*/*.onnx"))
    return f"; {_listed(folder, deeper)} may be named as the parameter `file`" if deeper else ""


def _listed(folder: Path, paths: list[Path]) -> str:
    return ", ".join(str(path.relative_to(folder)) for path in paths)
