"""Rows in jobs, and what tells one row from another."""

from __future__ import annotations

from typing import Any

from wherry.client.annotate.packing import (
    Pack,
    Packer,
    joined,
    pack_answer,
    present_fields,
    read_answer,
)
from wherry.client.annotate.rows import Origin, SourceRow
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.samples import PNG

CLASSIFY = get_task("text-classification")


def packer(**parameters: Any) -> Packer:
    return Packer(Origin(CLASSIFY, "m", "1", parameters, "here"))


def row(**values: Any) -> SourceRow:
    return SourceRow("id", values)


def test_a_row_is_known_by_content_model_and_parameters() -> None:
    key = packer().key({"texts": "a"})
    assert key == packer().key({"texts": "a"})
    others = [
        packer().key({"texts": "b"}),
        packer(top_k=1).key({"texts": "a"}),
        packer().key({"texts": "a", "text_pairs": ""}),
        Packer(Origin(CLASSIFY, "m", "2", {}, "here")).key({"texts": "a"}),
        Packer(Origin(CLASSIFY, "n", "1", {}, "here")).key({"texts": "a"}),
    ]
    assert len({key, *others}) == 6


def test_a_list_of_files_is_known_by_their_content_and_weighs_as_much() -> None:
    track = Packer(Origin(get_task("video-classification"), "m", "1", {}, "here"))
    key = track.key({"videos": [b"\xff\x00", b"\xfe"]})
    assert key == track.key({"videos": [b"\xff\x00", b"\xfe"]})
    others = [[b"\xff", b"\x00\xfe"], [b"\xff\x00"], [b"\xfe", b"\xff\x00"]]
    assert len({key, *(track.key({"videos": files}) for files in others)}) == 4
    heavy = track.pack(row(videos=[b"\xff" * 5_000_000]))
    assert not Pack([heavy]).fits(heavy, 8)


def test_a_film_of_a_folder_is_a_row_whose_prompts_all_share() -> None:
    follow = Packer(Origin(get_task("video-mask-generation"), "m", "1", {}, "here"))
    prompts = {"objects_ids": [1], "frame_indexes": [0], "boxes": [[1, 1, 9, 9]]}
    packed = follow.pack(row(videos=PNG, **prompts))
    assert packed.given.model_dump()["videos"] == [[PNG]]


def test_fields_cannot_run_into_each_other() -> None:
    one = packer().key({"texts": "ab", "text_pairs": "c"})
    assert one != packer().key({"texts": "a", "text_pairs": "bc"})


def test_rows_with_other_inputs_go_apart() -> None:
    plain, paired = (
        packer().pack(row(texts="a")),
        packer().pack(row(texts="a", text_pairs="b")),
    )
    assert Pack([plain]).fits(plain, 8)
    assert not Pack([plain]).fits(paired, 8)
    assert not Pack([paired]).fits(plain, 8)
    assert Pack([paired]).fits(paired, 8)


def test_a_pack_has_room_for_a_batch_and_no_more() -> None:
    packed = packer().pack(row(texts="a"))
    assert not Pack([packed] * 8).fits(packed, 8)
    heavy = packer().pack(row(texts="a" * 5_000_000))
    assert not Pack([heavy]).fits(heavy, 8)
    assert Pack().fits(heavy, 8), "a row goes alone, however large"


def test_a_row_of_several_files_has_a_key_and_weighs_all_of_them() -> None:
    pages = Packer(Origin(get_task("visual-document-retrieval"), "m", "1", {}, "here"))
    one, other = ([b"\x89PNG", bytes([last])] for last in (1, 2))
    first = pages.pack(row(queries="who", pages=one))
    assert first.bytes == len("who") + 5
    assert first.key == pages.key({"queries": "who", "pages": list(one)})
    assert first.key != pages.key({"queries": "who", "pages": other})


def test_halves_end_at_single_rows() -> None:
    packed = [packer().pack(row(texts=str(n))) for n in range(5)]
    left, right = Pack(packed).halves()
    assert left.rows + right.rows == packed
    assert len(Pack(packed[:1]).halves()) == 1
    assert Pack(packed).job_id != Pack(packed).job_id


def test_inputs_of_one_row_join_to_the_batch_they_came_from() -> None:
    for name in task_names():
        rows = get_task(name).example.input.rows()
        # Rows that are something else, as images and texts, go apart.
        alike = [row for row in rows if present_fields(row) == present_fields(rows[0])]
        assert joined(alike).rows() == alike, name
        if alike == rows:
            assert joined(rows) == get_task(name).example.input, name


def test_answers_of_every_task_are_kept_whole() -> None:
    for name in task_names():
        task = get_task(name)
        for output in task.example.output.rows():
            again = read_answer(task, pack_answer(output, "m"))
            assert again == output or again.model_dump() == output.model_dump(), name
