"""models.toml: which models a fleet serves."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path, PurePath
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ..protocol.errors import ModelNotFound
from ..protocol.nearest import meant
from .base import Family, Task
from .locate import PACKAGE, locate
from .models_folder import tables_in
from .registry import get_task
from .versions import VersionPolicy

#: Stands for the backend that serves a model's source fastest where it is loaded.
AUTO = "auto"

#: Names that a task goes by as well.
_OTHER_NAMES = {"raw": "tensor"}

#: Backends whose source is a folder or a hub id.
_FROM_FOLDERS = frozenset({"transformers", "onnxruntime", "openvino"})

#: Backends whose folders hold ONNX graphs.
OF_GRAPHS = frozenset({"onnxruntime", "openvino"})

#: How far answers may be from those of torch in float32, where nothing is declared; `fast` computes
#: in numbers of 8 or 11 bits.
TOLERANCES = {"exact": 1e-3, "fast": 0.1}


class CatalogError(ValueError):
    """models.toml cannot be used; a line for each fault names the file, the model and the field."""

    def __init__(
        self,
        text: str,
        models: Sequence[ModelDeclaration] = (),
        rests: Sequence[ModelDeclaration] = (),
    ) -> None:
        super().__init__(text)
        #: Those that are not at fault.
        self.models = tuple(models)
        #: Of the others, the fields that are not at fault: to be looked at, never served.
        self.rests = tuple(rests)


#: Parameters of backends that are easily taken for fields of a declaration.
_PARAMETERS = ("decode", "dialect", "dtype", "pooling", "revision", "threads")


class ModelDeclaration(BaseModel):
    """One model: a task, a backend, where its files are, how large its batches may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._\-]*$",
        max_length=200,
        description="What requests call it: letters, digits, `.`, `_` and `-`. Several declarations"
        " of one name are its versions.",
    )
    task: str = Field(description="What it does: see docs/tasks.")
    description: str = Field(
        default="",
        max_length=1000,
        description="What it is for and what it does not know, in a sentence or two: the console"
        " and `GET /v2/models/{model}` say it.",
    )
    backend: str = Field(
        default=AUTO,
        description="What runs it: transformers, onnxruntime, openvino, sklearn, handler, endpoint"
        " or stub; left out, the fastest that serves the source here ([tuning.md](tuning.md)).",
    )
    source: str | None = Field(
        default=None,
        description="Where its files are: a folder beside models.toml or by its path, a hub id, or"
        " package:<module>/<path>; of an endpoint, the server's URL; left out, the task's default"
        " model.",
    )
    version: str = Field(
        default="1",
        pattern=r"^[A-Za-z0-9._\-]+$",
        description="The last one declared is meant where a request names none.",
    )
    version_policy: VersionPolicy | None = Field(
        default=None,
        description="Which of the version folders in `source` to serve, in the place of `version`:"
        " latest = { num_versions = 1 }, all = {} or specific = { versions = [1, 3] }.",
    )
    max_batch_size: int = Field(default=32, ge=1, description="Rows in one forward, at most.")
    max_queue_delay_microseconds: int = Field(
        default=0, ge=0, description="How long a first row may wait for company."
    )
    preferred_batch_size: list[int] = Field(
        default_factory=list, description="Sizes worth waiting for; the largest counts."
    )
    pinned: bool = Field(default=False, description="Never put away to make room for other models.")
    precision: Literal["exact", "fast"] = Field(
        default="exact",
        description="Where no backend is named: float32 throughout, or what is fastest within"
        " `tolerance`: bfloat16, float16, an int8 graph of the folder.",
    )
    tolerance: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Where no backend is named: how far numbers of an answer may be from torch's in"
        " float32; left out, 0.001, and 0.1 where precision is fast.",
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Passed to the backend as they are: see below."
    )

    @field_validator("task")
    @classmethod
    def _known_task(cls, name: str) -> str:
        if name in _OTHER_NAMES:
            return _OTHER_NAMES[name]
        get_task(name)
        return name

    @field_validator("source")
    @classmethod
    def _names_something(cls, source: str | None) -> str | None:
        if source is not None and not source.strip():  # as a path, it would be the current folder
            raise ValueError("is empty; name a folder or a hub id, or leave it out for the default")
        return source

    @model_validator(mode="after")
    def _versions_have_a_folder(self) -> ModelDeclaration:
        if self.version_policy is None:
            return self
        if "version" in self.model_fields_set:
            raise ValueError("version_policy finds the versions: leave out version")
        if self.source is None or self.source.startswith(PACKAGE):
            raise ValueError("version_policy needs source, the folder that holds the versions'")
        return self

    @model_validator(mode="after")
    def _auto_alone_is_precise(self) -> ModelDeclaration:
        said = ["precision"] if self.precision != "exact" else []
        said += ["tolerance"] if self.tolerance is not None else []
        if said and self.backend != AUTO:
            raise ValueError(
                f"{' and '.join(said)}: backend {self.backend!r} does not heed it: leave"
                " backend out, or say it in the backend's own parameters"
            )
        return self

    @property
    def most_apart(self) -> float:
        """How far numbers of an answer may be from torch's in float32."""
        return TOLERANCES[self.precision] if self.tolerance is None else self.tolerance

    @property
    def digest(self) -> str:
        """Tells it from one that is declared otherwise. Machines may have a source's folder in
        different places, describe it as they like, and know fields that others do not.
        """
        said = self.model_dump(
            mode="json", exclude_defaults=True, exclude={"source", "description"}
        )
        said["source"] = PurePath(self.source).name if self.source else ""
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def definition(self) -> Task:
        """The model's task."""
        return get_task(self.task)

    @property
    def family(self) -> Family:
        """The family whose workers serve it."""
        return self.definition.family


class Catalog:
    """The declared models, by name and version."""

    def __init__(self, models: Sequence[ModelDeclaration]) -> None:
        self.hold(models)

    def hold(self, models: Sequence[ModelDeclaration]) -> None:
        """Be the catalog of these models from now on, for all who have it. Raises CatalogError."""
        by_name: dict[str, dict[str, ModelDeclaration]] = {}
        for model in models:
            versions = by_name.setdefault(model.name, {})
            if model.version in versions:
                raise CatalogError(f"model {model.name!r} version {model.version!r} is given twice")
            versions[model.version] = model
        self.models, self._by_name = tuple(models), by_name

    def get(self, name: str, version: str | None = None) -> ModelDeclaration:
        """A model; its last declared version when none is asked for. Raises ModelNotFound."""
        versions = self._by_name.get(name)
        if versions is None:
            hint = meant(name[:200], self._by_name)
            raise ModelNotFound(
                f"unknown model {name[:200]!r}; there are {', '.join(self.names())}{hint}"
            )
        if version is None:
            return next(reversed(versions.values()))
        if version not in versions:
            raise ModelNotFound(
                f"model {name!r} has no version {version[:200]!r}; there are {', '.join(versions)}"
            )
        return versions[version]

    def find(self, name: str) -> ModelDeclaration:
        """A model by its name, or by the hub id that is its source: what other systems call it.

        Raises ModelNotFound.
        """
        if name not in self._by_name:
            for model in self.models:
                if name == (model.source or model.definition.default_model):
                    return model
        return self.get(name)

    def names(self) -> tuple[str, ...]:
        """Model names in the order of their declaration."""
        return tuple(self._by_name)

    def versions(self, name: str) -> tuple[str, ...]:
        """Versions of a model in the order of their declaration. Raises ModelNotFound."""
        self.get(name)
        return tuple(self._by_name[name])

    def families(self) -> tuple[Family, ...]:
        """The families that some model belongs to, sorted."""
        return tuple(sorted({model.family for model in self.models}))


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
