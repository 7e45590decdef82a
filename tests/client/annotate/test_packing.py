"""Rows in jobs, and what tells one row from another."""

from __future__ import annotations

from typing import Any

from wherry.client.annotate.packing import Pack, Packed, Packer
from wherry.client.annotate.rows import Origin, SourceRow
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.samples import PNG

CLASSIFY = get_task("text-classification")


def packer(**parameters: Any) -> Packer:
    return Packer(Origin(CLASSIFY, "m", "1", parameters, "here"))


def row(**values: Any) -> SourceRow:
    return SourceRow("id", values)


def packed(by: Packer, *rows: SourceRow) -> list[Packed]:
    found = by.pack([(by.key(row.values), row) for row in rows])
    assert not [odd for odd in found if not isinstance(odd, Packed)]
    return [row for row in found if isinstance(row, Packed)]


def pack(*rows: Packed) -> Pack:
    return Pack.of(rows, 0)


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
    [heavy] = packed(track, row(videos=[b"\xff" * 5_000_000]))
    assert not pack(heavy).fits(heavy, 8)


def test_a_film_of_a_folder_is_a_row_whose_prompts_all_share() -> None:
    follow = Packer(Origin(get_task("video-mask-generation"), "m", "1", {}, "here"))
    prompts = {"objects_ids": [1], "frame_indexes": [0], "boxes": [[1, 1, 9, 9]]}
    [only] = packed(follow, row(videos=PNG, **prompts))
    assert only.given.model_dump()["videos"] == [[PNG]]


def test_fields_cannot_run_into_each_other() -> None:
    one = packer().key({"texts": "ab", "text_pairs": "c"})
    assert one != packer().key({"texts": "a", "text_pairs": "bc"})


def test_rows_with_other_inputs_go_apart() -> None:
    plain, paired = packed(packer(), row(texts="a"), row(texts="a", text_pairs="b"))
    assert pack(plain).fits(plain, 8)
    assert not pack(plain).fits(paired, 8)
    assert not pack(paired).fits(plain, 8)
    assert pack(paired).fits(paired, 8)


def test_a_pack_has_room_for_a_batch_and_no_more() -> None:
    light, heavy = packed(packer(), row(texts="a"), row(texts="a" * 5_000_000))
    assert not pack(*[light] * 8).fits(light, 8)
    assert not pack(heavy).fits(heavy, 8)
    assert Pack().fits(heavy, 8), "a row goes alone, however large"


def test_a_row_of_several_files_has_a_key_and_weighs_all_of_them() -> None:
    pages = Packer(Origin(get_task("visual-document-retrieval"), "m", "1", {}, "here"))
    one, other = ([b"\x89PNG", bytes([last])] for last in (1, 2))
    [first] = packed(pages, row(queries="who", pages=one))
    assert first.bytes == len("who") + 5
    assert first.key == pages.key({"queries": "who", "pages": list(one)})
    assert first.key != pages.key({"queries": "who", "pages": other})


def test_halves_end_at_single_rows() -> None:
    rows = packed(packer(), *(row(texts=str(n)) for n in range(5)))
    left, right = pack(*rows).halves()
    assert left.rows + right.rows == rows
    assert left.bytes + right.bytes == pack(*rows).bytes
    assert pack(*rows).job_id != pack(*rows).job_id
    assert left.request(9).input("text").texts() == ["0", "1", "2"]


def test_rows_join_to_the_batch_they_came_from() -> None:
    for name in task_names():
        task = get_task(name)
        whole = task.example.input
        shared = {name: value for name, value in whole if name not in whole.ROWS}
        by = Packer(Origin(task, "m", "1", shared, "here"))
        rows = [
            row(**{n: v[0] for n in part.ROWS if (v := getattr(part, n))}) for part in whole.rows()
        ]
        made = packed(by, *rows)
        # Rows that are something else, as images and texts, go apart.
        alike = [one for one in made if one.fields == made[0].fields]
        request = pack(*alike).request(9)
        assert task.input.from_inference_request(request).rows() == whole.rows()[: len(alike)], name


def test_a_row_that_no_input_takes_is_refused_alone() -> None:
    by = packer()
    rows = [row(texts="a"), row(texts=b"b"), row(texts="c"), row(texts="half \udcff")]
    first, odd, third, half = by.pack(
        [(by.key(one.values), one) for one in rows[:3]] + [(b"", rows[3])]
    )
    assert isinstance(first, Packed)
    assert isinstance(third, Packed)
    assert pack(first, third).request(9).input("text").texts() == ["a", "c"]
    assert isinstance(odd, InvalidRequest)
    assert isinstance(half, InvalidRequest)
    assert "texts" in odd.message
