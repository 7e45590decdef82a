"""What a load may say otherwise than models.toml: how a model is run, never what it is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .catalog import Catalog, ModelDeclaration


class LoadConfig(BaseModel):
    """Fields of a declaration; `parameters` are laid over those that are declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_batch_size: int | None = Field(default=None, ge=1)
    max_queue_delay_microseconds: int | None = Field(default=None, ge=0)
    preferred_batch_size: list[int] | None = None
    pinned: bool | None = None
    parameters: dict[str, Any] | None = None

    @classmethod
    def read(cls, text: str) -> LoadConfig:
        """Read it as JSON. Raises ValueError that names each fault in one line."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            faults = [
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".removeprefix(": ")
                for fault in error.errors(include_url=False, include_input=False)
            ]
            raise ValueError("; ".join(faults)) from None

    def over(self, declared: ModelDeclaration) -> ModelDeclaration:
        """A declaration as the load has it."""
        given: dict[str, Any] = self.model_dump(exclude_none=True)
        if self.parameters is not None:
            given["parameters"] = {**declared.parameters, **self.parameters}
        return declared.model_copy(update=given)


def with_configs(catalog: Catalog, configs: Mapping[str, str]) -> Catalog:
    """A catalog as loads have its models, by their names; "" is as declared."""
    read: dict[str, LoadConfig] = {}
    for name, text in configs.items():
        with contextlib.suppress(ValueError):  # a newer version's: this one cannot keep it
            read[name] = LoadConfig.read(text or "{}")
    return Catalog([read[m.name].over(m) if m.name in read else m for m in catalog.models])
