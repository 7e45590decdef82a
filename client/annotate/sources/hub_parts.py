"""Which files of a Hub's data set its names stand for: `CONFIG`, `SPLIT`, `CONFIG/SPLIT`.

As `datasets` finds them: by `configs` in the header of README.md, else by the names of files. What
is left open there is not guessed: whoever names the data set is told what to name.
https://huggingface.co/docs/hub/datasets-manual-configuration
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ....protocol.errors import InvalidRequest
from .kinds import kind_of, suffix_of, suffixes
from .walking import Pattern, matching

#: What the names of files and folders say of their split.
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "dev", "val"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_WORDS = re.compile(r"[^a-z0-9]+")

#: `train-00000-of-00003.parquet`, with any split's name.
_NUMBERED = re.compile(r"(?P<split>\w+(?:\.\w+)*)-\d{5,}-of-\d{5,}(?:-[0-9a-f]+)?\.")

#: Tables that tell of files beside them, and are none of the data set's own.
_BESIDE = ("metadata.csv", "metadata.jsonl", "metadata.parquet")

_MEDIA = frozenset({*suffixes("image"), *suffixes("audio")})

#: Names that an error lists, at most.
_SHOWN = 12


def described(header: Mapping[str, Any], files: Sequence[str], path: str) -> list[str] | None:
    """The tables or tar shards that a name stands for, in order; None where it is no such name.

    `files` are all of the data set's, in order. Raises InvalidRequest where it is more than one.
    """
    configs = header.get("configs")
    if isinstance(configs, list) and configs and all(isinstance(c, dict) for c in configs):
        found = _of_configs(configs, files, path)
        if found is not None:
            return found
    return _by_names(files, path)


def _of_configs(
    configs: Sequence[Mapping[str, Any]], files: Sequence[str], path: str
) -> list[str] | None:
    by_name = {str(config.get("config_name", "default")): config for config in configs}
    usual = [name for name, config in by_name.items() if config.get("default")]
    if len(by_name) == 1 or "default" in by_name:
        usual = usual or ["default" if "default" in by_name else next(iter(by_name))]
    config, _, split = path.partition("/")
    if config in by_name:
        return _of_config(by_name[config], files, split, config)
    if usual and not path.count("/"):
        return _of_config(by_name[usual[0]], files, path, usual[0])
    if path:
        return None
    raise InvalidRequest(f"has several configurations: name one of {_listed(by_name)}")


def _of_config(
    config: Mapping[str, Any], files: Sequence[str], split: str, name: str
) -> list[str] | None:
    splits = _patterns(config)
    if splits is None:
        folder = str(config.get("data_dir", "")).strip("/")
        return _by_names(files, "/".join(part for part in (folder, split) if part))
    if not split and len(splits) > 1:
        raise InvalidRequest(f"has several splits: name one of {_listed(splits)}")
    if split and split not in splits:
        return None
    wanted = splits[split] if split else next(iter(splits.values()))
    found = _matched(files, wanted, str(config.get("data_dir", "")).strip("/"))
    if not all(kind_of(file) for file in found):
        return None  # pictures: their folder or a glob names them
    return _of_one_kind(found, name)


def _patterns(config: Mapping[str, Any]) -> dict[str, list[str]] | None:
    """Split -> patterns of its files; None where the file's names tell. Raises InvalidRequest."""
    given = config.get("data_files")
    if given is None:
        return None
    if isinstance(given, Mapping):
        given = [{"split": split, "path": paths} for split, paths in given.items()]
    splits: dict[str, list[str]] = {}
    for entry in [given] if isinstance(given, str) else list(given):
        told = entry if isinstance(entry, Mapping) else {"path": entry}
        paths = told.get("path", [])
        found = [paths] if isinstance(paths, str) else list(map(str, paths))
        splits.setdefault(str(told.get("split", "train")), []).extend(found)
    return splits


def _matched(files: Sequence[str], patterns: Iterable[str], folder: str) -> list[str]:
    """The files of patterns, in their order. Raises InvalidRequest for a pattern of none."""
    found: dict[str, None] = {}
    for pattern in patterns:
        if "://" in pattern:
            raise InvalidRequest(f"README.md names files elsewhere: {pattern!r}")
        whole = "/".join(part for part in (folder, pattern.removeprefix("./")) if part)
        whole = f"{whole}/*" if whole.endswith("**") else whole
        these = [file for file in files if matching(Pattern(whole), lambda _: True, file)]
        if not these:
            raise InvalidRequest(f"README.md names {pattern!r}, and no file is called so")
        found |= dict.fromkeys(these)
    return list(found)


def _by_names(files: Sequence[str], path: str) -> list[str] | None:
    """By what files are called, of a folder or of a split in one."""
    below = _tables(files, path)
    if below:
        splits = _by_split(below, path)
        if len(splits) > 1:
            raise InvalidRequest(f"has several splits: name one of {_listed(splits)}")
        return _of_one_kind(below, path)
    folder, _, split = path.rpartition("/")
    found = _by_split(_tables(files, folder), folder).get(split) if split else None
    return _of_one_kind(found, split) if found else None


def _tables(files: Sequence[str], folder: str) -> list[str]:
    """The tables below a folder. Raises InvalidRequest where other rows lie beside them."""
    start = f"{folder}/" if folder else ""
    inside = [f for f in files if f.startswith(start) and not _is_hidden(f[len(start) :])]
    tables = [file for file in inside if _is_table(file)]
    media = next((file for file in inside if suffix_of(file) in _MEDIA), "")
    if media and tables:
        raise InvalidRequest(
            f"has files ({media}) and tables ({tables[0]}): name a folder, a table or a glob of "
            "those that are meant"
        )
    return tables


def _by_split(tables: Iterable[str], folder: str) -> dict[str, list[str]]:
    """Split -> its tables; those whose names tell none are `train`, unless others' do.

    Raises InvalidRequest.
    """
    splits: dict[str, list[str]] = {}
    for file in tables:
        splits.setdefault(_split_of(file[len(folder) :]), []).append(file)
    if "" in splits:
        if len(splits) > 1:
            raise InvalidRequest(
                f"does not say which split {splits[''][0]} is of: name its files by a glob"
            )
        splits["train"] = splits.pop("")
    return splits


def _split_of(path: str) -> str:
    if numbered := _NUMBERED.match(path.rpartition("/")[2]):
        split = numbered["split"]
        return _SPLITS.get(split.lower(), split)
    for name in reversed(path.lower().split("/")):
        for word in _WORDS.split(name):
            if word in _SPLITS:
                return _SPLITS[word]
    return ""


def _of_one_kind(files: list[str], name: str) -> list[str]:
    """The files. Raises InvalidRequest where they are to be read in several ways."""
    kinds = Counter(kind_of(file) for file in files)
    if len(kinds) > 1:
        told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        raise InvalidRequest(f"{name!r} is of several kinds ({told}): name its files by a glob")
    return files


def _is_table(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return kind_of(path) not in (None, "paths", "text") and name not in _BESIDE


def _is_hidden(path: str) -> bool:
    return path.startswith(".") or "/." in path


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
