"""JSONL, CSV and TSV: columns, cells, and what is wrong with single rows."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import tracemalloc

import pytest

from wherry.client.annotate.rows import SourceRow, UnreadableRow
from wherry.client.annotate.sources import Columns
from wherry.client.annotate.sources.local_files import LocalFiles
from wherry.client.annotate.sources.text_files import lines
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG

from .opened import open_source

IMAGES = get_task("image-classification")
TEXTS = get_task("text-classification")
PAIRS = get_task("question-answering")
EITHER = get_task("multimodal-embedding")
PNG_64 = base64.b64encode(PNG).decode()


def write(path, *rows, ends="\n"):
    """JSON Lines."""
    text = "".join(json.dumps(row, ensure_ascii=False) + ends for row in rows)
    path.write_bytes(text.encode())
    return str(path)


def one(path, cell, task=IMAGES, name="image"):
    """What becomes of one cell."""
    (row,) = open_source(write(path / "one.jsonl", {name: cell}), task)
    return row


def test_json_lines_with_mark_windows_ends_and_blanks(tmp_path):
    body = '\ufeff{"text": "one é"}\r\n\r\n  \r\n{"text": "two\\r\\nlines"}\r\n{"text":""}'
    (tmp_path / "a.jsonl").write_bytes(body.encode())
    assert list(open_source(str(tmp_path / "a.jsonl"), TEXTS)) == [
        SourceRow("0", {"texts": "one é"}),
        SourceRow("1", {"texts": "two\r\nlines"}),
        SourceRow("2", {"texts": ""}),
    ]


def test_each_row_has_an_image_or_a_text_where_a_task_takes_either(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    rows = [{"file_name": "a.png"}, {"caption": None, "text": "a cat"}, {"other": 1}]
    first, second, third = open_source(write(tmp_path / "a.jsonl", *rows), EITHER)
    assert (first.values, second.values) == ({"images": PNG}, {"texts": "a cat"})
    assert third.reason.startswith("multimodal-embedding needs 'image' or 'text' of every row")
    (tmp_path / "a.csv").write_text("image,text\na.png,\n,a cat\n")
    first, second = open_source(str(tmp_path / "a.csv"), EITHER)
    assert (first.values, second.values) == ({"images": PNG}, {"texts": "a cat"})


def test_rows_at_fault_are_told_by_line_and_the_rest_follows(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(
        b'nonsense\n\n[1]\n{}\n{"text": null}\n{"text": 3}\n{"other": "x"}\n{"text": "\xff"}\n'
        b'{"text": "\\ud800"}\n{"text": "good"}\n'
    )
    rows = list(open_source(str(path), TEXTS))
    assert [getattr(row, "reason", "") for row in rows] == [
        "line 1 is not JSON",
        "line 3 is not a JSON object",
        "line 4 is an empty object",
        "column 'text': it is empty",
        "column 'text': expected text, found a number",
        "text-classification needs 'text' of every row, and no column is called so: name the one "
        "for 'texts'; the columns are other",
        "line 8 is not JSON",
        "line 9 is not JSON",
        "",
    ]
    assert [row.id for row in rows] == [str(number) for number in range(9)]


def test_packed_lines_and_a_file_that_breaks_off(tmp_path):
    whole = gzip.compress(b"".join(b'{"text": "%d"}\n' % n for n in range(5000)))
    (tmp_path / "a.jsonl.gz").write_bytes(whole)
    rows = list(open_source(str(tmp_path / "a.jsonl.gz"), TEXTS))
    assert [row.values["texts"] for row in rows] == [str(n) for n in range(5000)]
    (tmp_path / "b.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    *rows, last = open_source(str(tmp_path / "b.jsonl.gz"), TEXTS)
    assert 0 < len(rows) < 5000
    assert isinstance(last, UnreadableRow)
    assert last.reason.startswith("the rest of this file cannot be read: Compressed file ended")
    assert last.path == str(tmp_path / "b.jsonl.gz")


def test_line_that_is_too_long_is_skipped_unread(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000 + b"\nshort\n" + b"y" * 100)
    found = list(lines(LocalFiles(), str(tmp_path / "a"), most=50))
    assert found == [None, b"short\n", None]


def test_many_tables_count_on(tmp_path):
    for name in ("b", "a"):
        write(tmp_path / f"{name}.jsonl", {"text": f"{name}0"}, {"text": f"{name}1"})
    (tmp_path / "c.jsonl").write_bytes(b"")
    rows = list(open_source(f"{tmp_path}/*.jsonl", TEXTS))
    assert [(row.id, row.values["texts"]) for row in rows] == [
        *(("0", "a0"), ("1", "a1"), ("2", "b0"), ("3", "b1"))
    ]
    rows = list(open_source(f"{tmp_path}/{{b,a,gone}}.jsonl", TEXTS))
    assert [row.id for row in rows[:4]] == ["0", "1", "2", "3"]
    assert rows[0].values == {"texts": "b0"}
    assert rows[4:] == [
        UnreadableRow(
            f"{tmp_path}/gone.jsonl#4",
            "the rest of this file cannot be read: there is no such file",
            f"{tmp_path}/gone.jsonl",
        )
    ]


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.txt", "a.csv.gz"])
def test_lines_end_in_any_way(tmp_path, name, ends):
    json_lines = [b'{"text": "one"}', b'{"text": "two"}']
    given = json_lines if name == "a.jsonl" else [b"text", b"one", b"two"]
    body = b"\xef\xbb\xbf" + ends.join(given[1:] if name == "a.txt" else given) + ends
    (tmp_path / name).write_bytes(gzip.compress(body) if name.endswith(".gz") else body)
    rows = list(open_source(str(tmp_path / name), TEXTS))
    assert [(row.id, row.values["texts"]) for row in rows] == [("0", "one"), ("1", "two")]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv"])
def test_utf_16_is_told_at_once(tmp_path, name):
    (tmp_path / name).write_text('{"text": "a"}\n', encoding="utf-16")
    with pytest.raises(InvalidRequest, match="it is UTF-16 text: save it as UTF-8"):
        open_source(str(tmp_path / name), TEXTS)


def test_a_row_at_fault_is_told_under_its_id_where_it_has_one(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"id": 7, "text": "good"}\n{"id": 8}\nbroken\n'
        '{"id": 9, "text": 3}\n{"id": 2, "text": "x"}\n'
    )
    rows = list(open_source(str(tmp_path / "a.jsonl"), TEXTS))
    assert [row.id for row in rows] == ["7", "8", "(row 2)", "9", "2"]
    (tmp_path / "a.csv").write_text(
        "id,text\n5\n6,a,b\n,empty\n\udcff,x\n", errors="surrogateescape"
    )
    rows = list(open_source(str(tmp_path / "a.csv"), TEXTS))
    assert [row.id for row in rows] == ["5", "6", "(row 2)", "(row 3)"]
    assert [isinstance(row, UnreadableRow) for row in rows] == [True, True, False, True]


def test_no_id_looks_like_a_made_up_name(tmp_path):
    path = write(tmp_path / "a.jsonl", {"id": "(row 1)", "text": "a"}, {"text": "b"})
    first, second = open_source(path, TEXTS)
    assert (first.id, first.reason) == (
        "(row 0)",
        "the id '(row 1)' looks like the name of a row without one",
    )
    assert second.id == "(row 1)"


def test_the_first_table_decides_whether_rows_have_ids(tmp_path):
    write(tmp_path / "a.jsonl", {"text": "a"})
    write(tmp_path / "b.jsonl", {"id": 0, "text": "b"})
    assert [row.id for row in open_source(f"{tmp_path}/*.jsonl", TEXTS)] == ["0", "1"]
    assert [row.id for row in open_source(f"{tmp_path}/{{b,a}}.jsonl", TEXTS)] == ["0", "(row 1)"]


# --- cells ---


def test_cell_is_a_path_from_the_tables_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/é 1.png").write_bytes(PNG)
    assert one(tmp_path, "in/é 1.png") == SourceRow(
        "0", {"images": PNG}, str(tmp_path / "in/é 1.png")
    )
    assert one(tmp_path, f"file://{tmp_path}/in/é 1.png").values == {"images": PNG}
    assert one(tmp_path, str(tmp_path / "in/é 1.png")).path == str(tmp_path / "in/é 1.png")


@pytest.mark.parametrize(
    "cell",
    [
        f"data:image/png;base64,{PNG_64}",
        {"bytes": f"data:;base64,{PNG_64}", "path": None},
        PNG_64,
        PNG_64[:40] + "\r\n" + PNG_64[40:],
    ],
)
def test_cell_is_base64(tmp_path, cell):
    assert one(tmp_path, cell) == SourceRow("0", {"images": PNG})


def test_long_base64_needs_no_known_beginning(tmp_path):
    assert one(tmp_path, base64.b64encode(b"\0" * 5000).decode()).values == {"images": b"\0" * 5000}


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (None, "column 'image': it is empty"),
        ("", "column 'image': it is empty"),
        (3, "column 'image': expected a file, found a number"),
        ([1], "column 'image': expected a file, found a list"),
        ({"x": 1}, "column 'image': expected a file, found an object"),
        ({"bytes": None, "path": None}, "column 'image': it is empty"),
        ("gone.png", "there is no such file"),
        ("nul\0.png", "embedded null byte"),
        ("empty.png", "the file is empty"),
        (".", "is a directory"),
        ("data:image/png;base64,", "column 'image': the file is empty"),
        ("data:image/png;base64,###", "column 'image': it is not base64"),
        ("data:image/png,abc", "column 'image': a data: URI must be of base64"),
        ("iVBORw0KGgo###", "column 'image': it is not base64"),
        ("HTTPS://x.org/a.png", "URLs are not fetched (WHERRY_URL_HOSTS is empty)"),
        ("foo://x/a.png", "column 'image': foo://x/a.png: Protocol not known: foo"),
    ],
)
def test_cell_that_cannot_be_read(tmp_path, cell, reason):
    (tmp_path / "empty.png").touch()
    row = one(tmp_path, cell)
    assert isinstance(row, UnreadableRow)
    assert row.id == "0"
    assert row.reason.startswith(reason)


def test_unread_file_is_told_with_its_path(tmp_path):
    assert one(tmp_path, {"path": "gone.png"}).path == str(tmp_path / "gone.png")


def test_json_cells_are_values_or_text(tmp_path):
    chat, said = get_task("chat"), [{"role": "user", "content": "hi"}]
    assert one(tmp_path, said, chat, "messages").values == {"messages": said}
    assert one(tmp_path, json.dumps(said), chat, "messages").values == {"messages": said}
    row = one(tmp_path, "{hi", chat, "messages")
    assert isinstance(row, UnreadableRow)
    assert row.reason == "column 'messages': it is not JSON"


def test_video_is_a_list_of_files(tmp_path):
    (tmp_path / "f.png").write_bytes(PNG)
    task = get_task("video-mask-generation")
    row = {"video": ["f.png", PNG_64], "objects_ids": [1], "frame_indexes": "[0]", "points": None}
    (made,) = open_source(write(tmp_path / "a.jsonl", row), task)
    assert made.values == {"videos": [PNG, PNG], "objects_ids": [1], "frame_indexes": [0]}


def test_a_moving_picture_is_a_video_in_a_table_and_in_a_folder(tmp_path):
    (tmp_path / "f.gif").write_bytes(PNG)
    task = get_task("video-classification")
    (listed,) = open_source(write(tmp_path / "a.jsonl", {"video": "f.gif"}), task)
    (found,) = open_source(str(tmp_path / "*.gif"), task)
    assert listed.values == {"videos": [PNG]}
    read = task.input.validated({"videos": [found.values["videos"]]})
    assert read.model_dump()["videos"] == [[PNG]]


def test_films_of_a_folder_are_rows_where_a_row_is_a_video(tmp_path):
    for name in ("a.mp4", "b.webm", "c.gif", "d.txt"):
        (tmp_path / name).write_bytes(PNG)
    source = open_source(str(tmp_path), get_task("video-classification"))
    assert [row.id for row in source] == ["a.mp4", "b.webm", "c.gif"]
    pictures = open_source(str(tmp_path), get_task("image-classification"))
    assert [row.id for row in pictures] == ["c.gif"]


# --- columns ---


@pytest.mark.parametrize(
    ("task", "row", "values"),
    [
        ("text-classification", {"label": "x", "Sentence": "s"}, {"texts": "s"}),
        ("text-classification", {"question": "q", "text": "t"}, {"texts": "t"}),
        (
            "text-classification",
            {"premise": "p", "hypothesis": "h"},
            {"texts": "p", "text_pairs": "h"},
        ),
        ("text-classification", {"text": "t", "text_pair": None}, {"texts": "t"}),
        ("question-answering", {"query": "q", "text": "c"}, {"questions": "q", "contexts": "c"}),
        ("ranking", {"query": "q", "passages": ["a"]}, {"queries": "q", "texts": ["a"]}),
        ("text-to-image", {"caption": "c"}, {"prompts": "c"}),
        ("zero-shot-classification", {"text": "t", "candidate_labels": "a"}, {"texts": "t"}),
    ],
)
def test_usual_names_are_found(tmp_path, task, row, values):
    (made,) = open_source(write(tmp_path / "a.jsonl", row), get_task(task))
    assert made.values == values


@pytest.mark.parametrize("name", ["image", "Images", "img", "file_name", "image_path", "path"])
def test_usual_names_of_images_are_found(tmp_path, name):
    assert one(tmp_path, PNG_64, name=name).values == {"images": PNG}


def test_named_columns_and_none(tmp_path):
    row = {"text": "no", "body of it": "yes", "text_pair": "no", "key": 7}
    path = write(tmp_path / "a.jsonl", row)
    columns = Columns(id="key", fields={"texts": "body of it", "text_pair": ""})
    assert list(open_source(path, TEXTS, columns)) == [SourceRow("7", {"texts": "yes"})]


def test_column_that_is_named_for_one_input_is_no_other(tmp_path):
    path = write(tmp_path / "a.jsonl", {"question": "c", "query": "q"})
    (row,) = open_source(path, PAIRS, Columns(fields={"contexts": "question"}))
    assert row.values == {"questions": "q", "contexts": "c"}


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (Columns(fields={"images": "x"}), "columns: text-classification has no rows of 'images'"),
        (Columns(fields={"texts": "x"}), "a.jsonl: there is no column 'x': the columns are text"),
        (Columns(id="x"), "a.jsonl: there is no column 'x': the columns are text"),
    ],
)
def test_column_that_is_not_there_is_told_at_once(tmp_path, columns, told):
    path = write(tmp_path / "a.jsonl", {"text": "t"})
    with pytest.raises(InvalidRequest) as raised:
        open_source(path, TEXTS, columns)
    assert told in raised.value.message


def test_missing_and_linked_columns_are_told_at_once(tmp_path):
    path = write(tmp_path / "a.jsonl", {"label": 1})
    with pytest.raises(InvalidRequest, match="needs 'image' of every row, and no column"):
        open_source(path, IMAGES)
    path = write(tmp_path / "a.jsonl", {"URL": "https://x"})
    with pytest.raises(InvalidRequest, match="column 'URL': URLs are not fetched"):
        open_source(path, IMAGES)


def test_a_column_that_is_there_twice_is_told_where_it_is_needed(tmp_path):
    (tmp_path / "a.csv").write_text("id,text,x,x\n1,a,,\n")
    assert len(list(open_source(str(tmp_path / "a.csv"), TEXTS))) == 1
    (tmp_path / "a.csv").write_text("id,text,text\n1,a,b\n")
    with pytest.raises(InvalidRequest, match="two columns are called 'text'"):
        open_source(str(tmp_path / "a.csv"), TEXTS)


def test_first_rows_decide_together_whether_columns_are_there(tmp_path):
    path = write(tmp_path / "a.jsonl", {"error": "x"}, {"text": "t"})
    rows = list(open_source(path, TEXTS))
    assert isinstance(rows[0], UnreadableRow)
    assert rows[1] == SourceRow("1", {"texts": "t"})


def test_ids(tmp_path):
    given = (5, "a/b é", None, "", [1], True)
    written = [*({"text": "t", "id": id_} for id_ in given), {"text": "t"}]
    path = write(tmp_path / "a.jsonl", *written)
    rows = list(open_source(path, TEXTS))
    assert [row.id for row in rows] == [
        *("5", "a/b é", "(row 2)", "(row 3)", "(row 4)", "(row 5)", "(row 6)")
    ]
    assert isinstance(rows[4], UnreadableRow)
    assert rows[4].reason == "an id is text or a number, not a list"
    numbered = open_source(path, TEXTS, Columns(id="#"))
    assert [row.id for row in numbered] == ["0", "1", "2", "3", "4", "5", "6"]


# --- CSV ---


def write_csv(path, *rows, **options):
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, **options).writerows(rows)
    return str(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_with_any_delimiter(tmp_path, delimiter):
    cells = ["id", "question", "context"], ["x", "a, b; c\td", 'two\r\n"lines"'], ["y", "é", "z"]
    path = write_csv(tmp_path / "a.csv", *cells, delimiter=delimiter)
    assert list(open_source(path, PAIRS)) == [
        SourceRow("x", {"questions": "a, b; c\td", "contexts": 'two\r\n"lines"'}),
        SourceRow("y", {"questions": "é", "contexts": "z"}),
    ]


def test_tsv_and_packed_csv(tmp_path):
    path = write_csv(tmp_path / "a.tsv", ["text"], ["a,b"], delimiter="\t")
    assert [row.values["texts"] for row in open_source(path, TEXTS)] == ["a,b"]
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"n,text\n1,one\n"))
    assert list(open_source(f"{tmp_path}/a.csv.gz", TEXTS)) == [SourceRow("0", {"texts": "one"})]


def test_csv_rows_at_fault(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"n,text\r\n1\r\n\r\n2,a,b\r\n3,\xff\r\n4,\r\n5,good\r\n")
    rows = list(open_source(str(tmp_path / "a.csv"), TEXTS))
    assert [getattr(row, "reason", "") for row in rows] == [
        "it has 1 cells, and the header 2",
        "it has 3 cells, and the header 2",
        "column 'text': it is not UTF-8 text",
        "",
        "",
    ]
    assert [row.id for row in rows] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (['1,"open', "2,b", "3,c"], ["1!", "2", "3"]),
        (['1,"open', '2,"b"', "3,c"], ["1!", "2", "3"]),
        (['1,"open', '2,",x', "3,c"], ["1!", "2!", "3"]),
        (['1,"open', '2,""', "3,c"], ["1!", "2", "3"]),
        (["1,a", "2,b", '3,"open'], ["1", "2", "3!"]),
        (['1,"a"b', "2,b"], ["1!", "2"]),
        (['1,"two', 'lines"', "2,b"], ["1", "2"]),
        (['"1', "2,b", "3,c"], ["(row 0)!", "2", "3"]),
        (['1,"open'] * 3, ["1!", "1!", "1!"]),
    ],
)
def test_a_quote_that_never_closes_takes_no_other_row_along(tmp_path, lines, found):
    (tmp_path / "a.csv").write_text("\n".join(["id,text", *lines, ""]))
    rows = list(open_source(str(tmp_path / "a.csv"), TEXTS))
    assert [row.id + "!" * isinstance(row, UnreadableRow) for row in rows] == found


def test_a_header_that_cannot_be_read_is_told_at_once(tmp_path):
    (tmp_path / "a.csv").write_text('id,"text\n1,a\n')
    with pytest.raises(InvalidRequest, match="its header cannot be read: line 1"):
        open_source(str(tmp_path / "a.csv"), TEXTS)


def test_many_quotes_that_never_close_take_no_long_time(tmp_path):
    with (tmp_path / "a.csv").open("w") as file:
        file.write("id,text\n")
        file.writelines(f'{n},"open\n' for n in range(20_000))
    rows = list(open_source(str(tmp_path / "a.csv"), TEXTS))
    assert len(rows) == 20_000


def test_csv_cells_may_be_large(tmp_path):
    image = base64.b64encode(bytes(300_000)).decode()
    path = write_csv(tmp_path / "a.csv", ["image"], [image])
    (row,) = open_source(path, IMAGES)
    assert row.values == {"images": bytes(300_000)}


@pytest.mark.parametrize("rows", [20_000, pytest.param(200_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_long_table_takes_no_memory(tmp_path, name, rows):
    with (tmp_path / name).open("w") as file:
        if name == "a.csv":
            file.write("id,text\n")
        for n in range(rows):
            file.write(f"{n},words\n" if name == "a.csv" else f'{{"id": "{n}", "text": "words"}}\n')
    held = []
    tracemalloc.start()
    try:
        for number, _ in enumerate(open_source(str(tmp_path / name), TEXTS)):
            if number % 2000 == 1999:
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert len(held) == rows // 2000
    # A JSON reader keeps up to 16,384 short strings; 200,000 rows would take 100 MB.
    assert max(held) - held[0] < 1_000_000


def test_a_record_is_a_row_of_a_table_task(tmp_path):
    table = get_task("tabular-regression")
    (tmp_path / "a.csv").write_text("id,length_m,rig\nmaud,12.5,gaff\nida,,\n")
    assert list(open_source(str(tmp_path / "a.csv"), table)) == [
        SourceRow("maud", {"records": {"id": "maud", "length_m": "12.5", "rig": "gaff"}}),
        SourceRow("ida", {"records": {"id": "ida", "length_m": None, "rig": None}}),
    ]
    path = write(tmp_path / "a.jsonl", {"length_m": 12.5, "decked": True, "at": []}, {"row": [1]})
    assert list(open_source(path, table)) == [
        SourceRow("0", {"records": {"length_m": 12.5, "decked": True}}),
        SourceRow("1", {"records": [1]}),
    ]


def test_a_series_is_a_list_of_numbers_in_a_cell(tmp_path):
    series = get_task("time-series-forecasting")
    (tmp_path / "a.csv").write_text('past_values,freq\n"[1, 2.5]",1\n"[1, ""a""]",\n')
    good, bad = open_source(str(tmp_path / "a.csv"), series)
    assert good == SourceRow("0", {"past_values": [1, 2.5], "frequencies": 1})
    assert bad.reason == "column 'past_values': expected a number, found text"
    path = write(tmp_path / "a.jsonl", {"past_values": [1, 2.5]})
    assert list(open_source(path, series)) == [SourceRow("0", {"past_values": [1, 2.5]})]
