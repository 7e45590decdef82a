"""Read what `wherry annotate` wrote for speech, texts and LabelMe, as the tools of each kind do.

Argument: a folder with the folders `talks.vtt`, `talks.srt`, `labelme-TASK` and `photos`, and with
`out.conll` and `lines.jsonl`. Each printed line is what one reader says of one file.
"""

import html
import json
import pathlib
import shutil
import sys
from typing import Any
from unittest import mock

import numpy as np
import pysrt
import spacy
import srt
import webvtt
from seqeval.metrics.sequence_labeling import get_entities
from spacy.tokens import DocBin
from spacy.training.converters import conll_ner_to_docs

# LabelMe's files are read without its window: Qt is not here.
sys.modules["PyQt5"] = mock.MagicMock()
from labelme._label_file import read_label_file  # noqa: E402 # as said
from labelme.utils import shapes_to_label  # noqa: E402 # as said

FOLDER = pathlib.Path(sys.argv[1])


def say(call: str, **told: Any) -> None:
    print(json.dumps({"call": call, **told}))


def main() -> None:
    for file in sorted((FOLDER / "talks.vtt").rglob("*.vtt")):
        # It leaves a text's escapes to whoever shows it.
        cues = [(c.start, c.end, html.unescape(c.text)) for c in webvtt.read(str(file))]
        say("webvtt", file=file.stem, cues=cues)
    for file in sorted((FOLDER / "talks.srt").rglob("*.srt")):
        items = pysrt.open(str(file), encoding="utf-8")
        cues = [(i.start.ordinal, i.end.ordinal, i.text) for i in items]
        say("pysrt", file=file.stem, cues=cues)
        strict = srt.parse(file.read_text(encoding="utf-8"))
        cues = [
            (round(s.start.total_seconds() * 1000), round(s.end.total_seconds() * 1000), s.content)
            for s in strict
        ]
        say("srt", file=file.stem, cues=cues)
    conll()
    lines()
    for folder in sorted(FOLDER.glob("labelme-*")):
        shutil.copytree(FOLDER / "photos", folder, dirs_exist_ok=True)
        for file in sorted(folder.rglob("*.json")):
            labelme(folder, file)


def conll() -> None:
    text = (FOLDER / "out.conll").read_text(encoding="utf-8")
    for doc in conll_ner_to_docs(text, no_print=True):
        say(
            "spacy convert",
            words=[token.text for token in doc],
            ents=[(ent.text, ent.label_) for ent in doc.ents],
        )
    for block in text.split("-DOCSTART- -X- O O\n")[1:]:
        rows = [line.split("\t") for line in block.splitlines() if line]
        found = get_entities([tag for _, tag in rows])
        say(
            "seqeval",
            ents=[(" ".join(w for w, _ in rows[s : e + 1]), kind) for kind, s, e in found],
        )


def lines() -> None:
    """The recipe of docs/annotate.md."""
    nlp, docs = spacy.blank("en"), DocBin()
    with (FOLDER / "lines.jsonl").open(encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            doc = nlp.make_doc(row["text"])
            spans = [
                doc.char_span(e["start"], e["end"], e["label"], alignment_mode="expand")
                for e in row["ents"]
            ]
            doc.ents = spacy.util.filter_spans(spans)
            docs.add(doc)
            spacy.displacy.render(row, style="ent", manual=True)
    docs.to_disk(FOLDER / "train.spacy")
    for doc in DocBin().from_disk(FOLDER / "train.spacy").get_docs(nlp.vocab):
        say("spacy lines", ents=[(e.start_char, e.end_char, e.label_) for e in doc.ents])


def labelme(folder: pathlib.Path, file: pathlib.Path) -> None:
    data = read_label_file(str(file))
    masks = [shape for shape in data.shapes if shape["shape_type"] == "mask"]
    shapes = [
        (s["label"], s["shape_type"], s["points"], s["group_id"], s["other_data"]["score"])
        for s in data.shapes
    ]
    pixels = [
        np.flatnonzero(shapes_to_label(data_size(folder, file), [s], {s["label"]: 1})[0]).tolist()
        for s in masks
    ]
    say(
        folder.name,
        file=file.relative_to(folder).as_posix(),
        shapes=shapes,
        flags=data.flags,
        pixels=pixels,
    )


def data_size(folder: pathlib.Path, file: pathlib.Path) -> tuple[int, int]:
    told = json.loads(file.read_text(encoding="utf-8"))
    return told["imageHeight"], told["imageWidth"]


main()
