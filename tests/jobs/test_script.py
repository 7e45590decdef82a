"""What stands on top of a script is what it reads, and what its callers give it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import wherry.jobs
from wherry.jobs.call import call_script
from wherry.jobs.script import HeaderError, Reads, reads, script
from wherry.jobs.settings import JobsSettings

ROOM = Path(wherry.jobs.__file__).parent
NAMES = sorted(path.stem for path in (ROOM / "lua").glob("*.lua") if "prelude" not in path.stem)


def both(name: str) -> Iterator[tuple[str, Reads, int]]:
    """What a script says of its KEYS and its ARGV, and how many have a place before the many."""
    verb = script(name)
    yield "KEYS", verb.keys, len(verb.keys.names)
    yield "ARGV", verb.args, len(verb.args.names) + 1  # the prefix, which the prelude reads


@pytest.mark.parametrize("name", NAMES)
def test_a_script_reads_what_it_says_and_no_more(name: str) -> None:
    lua = re.sub(r"--.*", "", (ROOM / "lua" / f"{name}.lua").read_text())
    for kind, said, count in both(name):
        places = {int(place) for place in re.findall(rf"{kind}\[(\d+)\]", lua)}
        unread = set(range(1, count + 1)) - places - {1 if kind == "ARGV" else 0}
        assert not unread - set(loop_starts(kind, lua)), f"{kind} that nobody reads"
        assert max(places, default=0) <= count, f"{kind} that are not on top"
        assert bool(said.many) == bool(
            re.search(rf"#{kind}\b(?!\[)|unpack\({kind}|{kind}\[\(", lua)
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_scripts_rows_have_the_columns_it_says(name: str) -> None:
    lua = re.sub(r"--.*", "", (ROOM / "lua" / f"{name}.lua").read_text())
    for kind, said, count in both(name):
        for start, step in loop_starts(kind, lua).items():
            assert step == max(1, len(said.columns))
            assert start == count + 1 or start <= count  # a loop may take the last ones along
        if said.columns:
            ahead = [int(at or 0) for at in re.findall(rf"{kind}\[i(?: \+ (\d+))?\]", lua)]
            assert max(ahead) == len(said.columns) - 1


def loop_starts(kind: str, lua: str) -> dict[int, int]:
    """Where the loops over the many begin, and by how many values each goes on."""
    found = re.findall(rf"for i = (\d+), #{kind}(?:, (\d+))? do", lua)
    found += re.findall(rf"for i = #{kind} - \d+, (\d+), -(\d+) do", lua)
    found += re.findall(rf"unpack\({kind}, (\d+)()\)", lua)
    return {int(start): int(step or 1) for start, step in found}


def callers() -> Iterator[tuple[str, str, dict[str, ast.expr]]]:
    """Each call of a script in this room: where it is, of which, and what is given by keyword."""
    for path in sorted(ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name("call_script"), args=[ast.Constant(str(name)), *_]):
                    given = {each.arg or "": each.value for each in node.keywords}
                    yield f"{path.name}:{node.lineno}", name, given


def test_every_script_is_given_what_it_reads_by_whoever_calls_it() -> None:
    """Of all of them at once: whether or not a test comes by a call."""
    called = set()
    for where, name, given in callers():
        called.add(name)
        for keyword, said in (("keys", script(name).keys), ("args", script(name).args)):
            found = given.get(keyword, ast.Dict([], []))
            assert isinstance(found, ast.Dict), f"{where}: {keyword} is not written out"
            names = {key.value for key in found.keys if isinstance(key, ast.Constant)}
            assert names == {*said.names, *filter(None, [said.many])}, where
    assert called == set(NAMES)


def test_values_go_in_the_order_of_the_script_whatever_theirs() -> None:
    settings = JobsSettings(key_prefix="p")
    call = call_script(
        "tell",
        settings,
        args={"chunks": [{"chunk": b"c", "attempt": 2, "id": "a"}], "ttl_s": 9, "worker": "w"},
        parse=bool,
    )
    assert call.commands == (("EVALSHA", script("tell").sha, 0, "p", "w", 9, "a", 2, b"c"),)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"worker": "w", "chunks": []}, "script tell: it reads worker, ttl_s, chunks.. id attempt"),
        (
            {"worker": "w", "ttl_s": 9, "chunks": [], "more": 1},
            "and not worker, ttl_s, chunks, mor",
        ),
        ({"worker": "w", "ttl_s": 9, "chunks": [{"id": "a"}]}, "'attempt' is not given"),
        (
            {"worker": "w", "ttl_s": 9, "chunks": [{"id": 1, "attempt": 1, "chunk": 1, "at": 1}]},
            "and not id, attempt, chunk, at",
        ),
    ],
)
def test_what_is_missing_or_unknown_is_refused_before_anything_is_sent(args, said) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        call_script("tell", JobsSettings(), args=args, parse=bool)


@pytest.mark.parametrize(
    ("lua", "said"),
    [
        ("-- KEYS none\n-- ARGV 1 prefix", Reads(())),
        ("-- KEYS 1 job, 2 dead (all, of them)\n-- ARGV 1 prefix", Reads(("job", "dead"))),
        ("-- KEYS 1 job,\n--      2.. indexes\n", Reads(("job",), "indexes")),
        ("-- KEYS 1.. groups: group queue (Celery's)", Reads((), "groups", ("group", "queue"))),
    ],
)
def test_what_a_script_says_of_its_keys(lua: str, said: Reads) -> None:
    assert reads("KEYS", lua) == said


@pytest.mark.parametrize(
    "lua",
    [
        "return 1",
        "-- KEYS job",
        "-- KEYS 2 job",
        "-- KEYS 1 job, 3 dead",
        "-- KEYS 1 the job",
        "-- KEYS 1 job: a b",
        "-- KEYS 1.. jobs, 2 dead",
    ],
)
def test_a_script_that_says_it_wrongly_is_not_loaded(lua: str) -> None:
    with pytest.raises(HeaderError, match="KEYS"):
        reads("KEYS", lua)
