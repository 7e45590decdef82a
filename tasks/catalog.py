"""Which models a fleet serves, as they are declared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from ..protocol.errors import ModelNotFound
from ..protocol.nearest import meant
from .base import Family, Task
from .locate import PACKAGE
from .registry import get_task
from .versions import VersionPolicy

#: Stands for the backend that serves a model's source fastest where it is loaded.
AUTO = "auto"

#: Names that a task goes by as well.
_OTHER_NAMES = {"raw": "tensor"}

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
