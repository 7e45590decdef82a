"""The form that a text must have, in the words of OpenAI, vLLM and text-generation-inference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError, field_validator
from pydantic_core import from_json

from ....protocol import v2
from ....protocol.errors import InvalidRequest, RowError, WherryError
from ....tasks.text.structured_outputs import Form
from .requests import OpenAIRequest

_FORM: TypeAdapter[Any] = TypeAdapter(Form)

#: vLLM's older fields -> what they are called in `structured_outputs`.
_GUIDED = {
    "guided_json": "json",
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
}


class StructuredRequest(OpenAIRequest):
    """What a text may be held to; one of these fields says it."""

    response_format: dict[str, Any] | None = None
    structured_outputs: dict[str, Any] | None = None
    guided_json: dict[str, Any] | str | None = None
    guided_regex: str | None = None
    guided_choice: list[str] | None = None
    guided_grammar: str | None = None
    #: Which library follows the form is not a client's to choose.
    guided_decoding_backend: Any = Field(default=None, repr=False)

    @field_validator("response_format")
    @classmethod
    def _known(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value and value.get("type") not in _FORMATS:
            raise ValueError(f"type is one of {', '.join(_FORMATS)}")
        return value

    def form(self) -> tuple[str, dict[str, Any]] | None:
        """The field that names a form, and the form as our tasks take it. Raises InvalidRequest."""
        found = [*self._forms()]
        if len(found) > 1:
            raise InvalidRequest(f"{found[1][0]}: {found[0][0]} says the form already")
        if not found:
            return None
        field, form = found[0]
        try:
            return field, _FORM.validate_python(form)
        except ValidationError as error:
            raise InvalidRequest(_under(field, v2.describe(error))) from None

    @contextmanager
    def named(self) -> Iterator[None]:
        """Let errors about our tasks' `structured_outputs` name the client's field."""
        try:
            yield
        except (InvalidRequest, RowError) as error:
            raise self.as_named(error) from None

    def as_named(self, error: WherryError) -> WherryError:
        """An error about our tasks' `structured_outputs` as one about the client's field."""
        own = "structured_outputs"
        if not error.message.startswith((f"{own}:", f"{own}.")):
            return error
        return type(error)((self.form() or [own])[0] + error.message[len(own) :])

    def _forms(self) -> list[tuple[str, dict[str, Any]]]:
        forms = [
            (field, {kind: _parsed(field, value) if kind == "json" else value})
            for field, kind in _GUIDED.items()
            if (value := getattr(self, field)) is not None
        ]
        if self.structured_outputs:
            given = {n: v for n, v in self.structured_outputs.items() if v is not None}
            if "json" in given:
                given["json"] = _parsed("structured_outputs.json", given["json"])
            forms.append(("structured_outputs", given))
        if self.response_format and (form := _of_format(self.response_format)):
            forms.append(("response_format", form))
        return forms


#: What `response_format` may say, and what stands beside it; the last two are
#: text-generation-inference's.
_FORMATS: dict[str, tuple[str, ...]] = {
    "text": (),
    "json_object": (),
    "json_schema": ("json_schema", "value"),
    "json": ("value",),
    "regex": ("value",),
}


def _of_format(format_: Mapping[str, Any]) -> dict[str, Any] | None:
    """The form that an object of a `type` names. Raises InvalidRequest."""
    field = "response_format"
    kind = str(format_.get("type"))
    known = _FORMATS[kind]
    for name, value in format_.items():
        if name != "type" and name not in known and value is not None:
            where = "; a schema stands in json_schema.schema, of type json_schema"
            hint = where if name in ("schema", "json_schema") else ""
            raise InvalidRequest(f"{field}.{name[:80]}: type {kind} takes none{hint}")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"json_object": True}
    if kind == "regex":
        return {"regex": format_.get("value")}
    if kind == "json":
        return {"json": _schema(format_, f"{field}.value")}
    inner = format_.get("json_schema") or format_.get("value")
    if not isinstance(inner, Mapping):
        raise InvalidRequest(f"{field}.json_schema: expected an object")
    return {"json": _schema(inner, f"{field}.json_schema.schema")}


def _schema(held: Mapping[str, Any], place: str) -> object:
    found = held.get(place.rpartition(".")[2])
    if found is None:
        raise InvalidRequest(f"{place}: missing")
    return _parsed(place, found)


def _parsed(field: str, schema: object) -> object:
    """A JSON schema; some clients send it as text."""
    if not isinstance(schema, str):
        return schema
    try:
        return from_json(schema)
    except ValueError:
        raise InvalidRequest(f"{field}: expected a JSON schema, as an object or its text") from None


def _under(field: str, fault: str) -> str:
    """A fault of a form as one of the field that names it."""
    return f"{field}: {fault.removeprefix('request: ')}"
