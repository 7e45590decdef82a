"""models.toml, or a folder of models: what it declares, and every fault in it by its field."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..protocol.nearest import meant
from .catalog import AUTO, Catalog, CatalogError, ModelDeclaration
from .locate import PACKAGE, locate
from .models_folder import tables_in

#: Backends whose source is a folder or a hub id.
_FROM_FOLDERS = frozenset({"transformers", "onnxruntime", "openvino"})


#: Parameters of backends that are easily taken for fields of a declaration.
_PARAMETERS = ("decode", "dialect", "dtype", "pooling", "revision", "threads")


def load_catalog(path: Path, *, families: Collection[str] | None = None) -> Catalog:
    """Read models.toml, or a folder of models. Raises CatalogError that names the file, the models
    and the fields.

    Only sources of the `families` are looked up, all when it is None: an API needs no weights, and
    a worker none of other families. The rest stay as written, installed here or not.
    """
    try:
        found = tables_in(path) if path.is_dir() else None
    except OSError as error:  # a mounted folder that is another user's, above all
        raise CatalogError(f"{path}: cannot be read: {error.strerror}") from None
    if found:
        tables, faults = found
        if not tables and not faults:
            raise CatalogError(f"{path}: holds no folders of models")
        beside = path
    else:
        tables, faults = _tables(path)
        beside = path.parent
    models: list[ModelDeclaration] = []
    rests: list[ModelDeclaration] = []
    for table in tables:
        try:
            models += _each_version(ModelDeclaration.model_validate(table), beside)
        except NoVersionsError as error:
            faults.append(f"{path}: model {table.get('name', '?')!r}: version_policy: {error}")
        except ValidationError as error:
            told = f"{path}: model {table.get('name', '?')!r}: "
            faults += [told + fault for fault in _faults(error)]
            rests += _rest(table, error)
    try:
        Catalog(models)
    except CatalogError as error:
        faults.append(f"{path}: {error}")
    models, rests = (
        [
            _located(model, beside) if families is None or model.family in families else model
            for model in some
        ]
        for some in (models, rests)
    )
    if faults:
        raise CatalogError("\n".join(faults), models, rests)
    return Catalog(models)


def _tables(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The tables of models.toml, and its faults beside. Raises CatalogError where it has none."""
    try:
        document = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise CatalogError(f"{path}: no such file; WHERRY_MODELS names another") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CatalogError(f"{path}: cannot be read: {why}") from None
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"{path}: not TOML: {error}") from None
    tables = document.get("models")
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise CatalogError(f"{path}: expected [[models]] tables, one a model")
    others = sorted(document.keys() - {"models"})
    faults = [f"{path}: unknown table {name!r}; expected [[models]] alone" for name in others]
    return tables, faults


class NoVersionsError(ValueError):
    """The versions that a policy means are not there."""


def _each_version(declared: ModelDeclaration, beside: Path) -> list[ModelDeclaration]:
    """A declaration for each version that its policy serves. Raises NoVersionsError."""
    if declared.version_policy is None:
        return [declared]
    folder = (beside / Path(str(declared.source)).expanduser()).resolve()
    try:
        versions = declared.version_policy.versions(folder)
    except ValueError as error:
        raise NoVersionsError(str(error)) from None
    return [
        declared.model_copy(
            update={
                "version": version,
                "source": f"{declared.source}/{version}",
                "version_policy": None,
            }
        )
        for version in versions
    ]


def _rest(table: dict[str, Any], error: ValidationError) -> list[ModelDeclaration]:
    """A declaration without the fields at fault; none where it says too little without them."""
    wrong = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
    sound = {field: value for field, value in table.items() if field not in wrong}
    try:
        rest = ModelDeclaration.model_validate({"name": "unnamed", **sound})
    except ValidationError:
        return []
    return [rest.model_copy(update={"name": str(table.get("name", "?"))})]


def _place_of(field: str) -> str:
    """What was meant by a field that there is not, or where a backend's parameter belongs."""
    if hint := meant(field, ModelDeclaration.model_fields):
        return hint
    is_parameter = meant(field, _PARAMETERS)
    return (
        "; a backend's stand in parameters = { dtype = ..., threads = ... }" if is_parameter else ""
    )


def _faults(error: ValidationError) -> list[str]:
    """Each fault of a declaration as a line."""
    lines = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        field = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            lines.append(f"{field}: no such field{_place_of(field)}")
        elif fault["type"] == "missing":
            lines.append(f"{field}: is missing")
        else:
            said = fault["msg"].removeprefix("Value error, ")
            lines.append(f"{field}: {said}" if field else said)
    return lines


def _located(declared: ModelDeclaration, beside: Path) -> ModelDeclaration:
    if declared.source is None:
        return declared
    there = (beside / Path(declared.source).expanduser()).exists()
    from_folder = declared.backend in _FROM_FOLDERS or (
        declared.backend == AUTO and declared.task != "custom"
    )
    if not (there or declared.source.startswith(PACKAGE) or from_folder):
        return declared  # a handler's is relative to its own folder, another package's its own
    try:
        located = locate(declared.source, beside)
    except ValueError:
        return declared  # whoever loads it says so: the other models can be served
    return declared.model_copy(update={"source": located})
