"""From a request to a job that can be stored: the one way in, for every surface."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ...protocol import codec, v2
from ...protocol.errors import (
    InvalidRequest,
    ModelNotFound,
    ModelNotReady,
    PayloadTooLarge,
    WherryError,
)
from ...protocol.parameters import (
    WEBHOOK,
    odd_of_inputs,
    odd_of_outputs,
    row_errors,
)
from ...protocol.request_check import check_inputs
from ...tasks.base import Task, TaskInput
from ...tasks.catalog import Catalog, ModelDeclaration
from ..egress.named_files import NamedFiles
from ..egress.outbound import Outbound
from ..http.body import OFF_LOOP_BYTES, off_loop, parsed
from ..http.media import read_url
from ..settings import ApiSettings
from . import good_rows, plain_texts, server_parameters
from .envelope import Envelope
from .forms import are_formed, check_forms
from .new_job import PreparedJob, new_job
from .plain_texts import Written


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request as its model's task reads it, with the files that it names."""

    declared: ModelDeclaration
    inputs: TaskInput
    #: What the client asked, less its tensors.
    request: v2.InferenceRequest
    #: What its tensors say that nobody reads, by their names.
    odd: Mapping[str, Mapping[str, Any]]
    #: Rows that cannot be taken and are not among the inputs, by their places in the request.
    refused: Mapping[int, WherryError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Intake:
    """Checks requests and makes jobs of them; `submitter` stores these."""

    catalog: Catalog
    settings: ApiSettings
    outbound: Outbound
    #: Whether jobs of a model may share a batch that have each their own parameters.
    mixes: Callable[[ModelDeclaration], bool] = lambda _: False
    #: Whether an API of the version before may live, which knows its own fingerprints alone.
    earlier_hash: Callable[[], bool] = lambda: False
    #: A model's task, with its own tensors where these are the model's and known.
    task_of: Callable[[ModelDeclaration], Task] = lambda declared: declared.definition
    #: A model's parameters that some worker which serves it would leave out.
    unheeded: Callable[[ModelDeclaration], frozenset[str]] = lambda _: frozenset()

    async def read(
        self,
        body: bytes,
        header_length: int | None,
        model: str,
        version: str | None,
        envelope: Envelope,
        *,
        use_id: bool = True,
    ) -> PreparedJob:
        """Make a job of a body. `use_id` takes the request's id for the job's, where it has one.

        Raises what `make` raises, and InvalidRequest for a body that is none.
        """
        if header_length is None and len(body) < OFF_LOOP_BYTES:
            document, large = codec.split(body, None)[0], False
            short = self._short(document, model, version, envelope, use_id=use_id)
            if short is not None:
                return short
            request = codec.request_of(document)
        else:
            reading = parsed(body, lambda raw: codec.decode_request(raw, header_length))
            del body
            request, large = await reading
        making = self.make(request, model, version, envelope, large=large, use_id=use_id)
        del request
        return await making

    def _short(
        self,
        document: Any,
        model: str,
        version: str | None,
        envelope: Envelope,
        *,
        use_id: bool,
    ) -> PreparedJob | None:
        """Make a job of texts and nothing else; None for what is to go the usual way."""
        try:
            declared = self.catalog.get(model, version)
        except ModelNotFound:
            return None  # what is wrong with the body is said first
        task = declared.definition
        written = plain_texts.write(document, task, self.settings.max_rows_per_job)
        if written is None:
            return None
        request = v2.InferenceRequest.made(
            id=document.get("id"),
            parameters=document.get("parameters") or {},
            inputs=[],
            outputs=None,
        )
        return self._job(declared, request, envelope, written, use_id=use_id)

    async def make(
        self,
        request: v2.InferenceRequest,
        model: str,
        version: str | None,
        envelope: Envelope,
        *,
        large: bool,
        use_id: bool,
    ) -> PreparedJob:
        """Make a job of a request that the caller does not hold; in a thread if it is large.

        Raises what `check` and `prepare` raise.
        """
        reading = partial(self.check, request, model, version)
        del request
        checked = await self.outbound.files.read(reading, in_thread=large)
        # The data is in the inputs, then in the job: here too, it would be in memory thrice.
        del reading
        large = large or are_formed(checked.inputs)
        return await off_loop(partial(self.prepare, checked, envelope, use_id=use_id), large=large)

    def check(
        self,
        request: v2.InferenceRequest,
        model: str,
        version: str | None,
        files: NamedFiles,
    ) -> CheckedRequest:
        """Read a request as its model's task does, but for rows that may be skipped and must be.

        Raises ModelNotFound, InvalidRequest.
        """
        declared = self.catalog.get(model, version)
        read = partial(self._read, declared, files=files)
        try:
            return read(request)
        except PayloadTooLarge:
            raise
        except InvalidRequest:
            if not server_parameters.skips(request):
                raise
            most = self.settings.max_rows_per_job
            rows, refused = good_rows.read_rows(request, declared.definition, most, read)
            if not rows:
                raise
        inputs = good_rows.joined([row.inputs for row in rows])
        return replace(rows[0], inputs=inputs, refused=refused)

    def _read(
        self, declared: ModelDeclaration, request: v2.InferenceRequest, *, files: NamedFiles
    ) -> CheckedRequest:
        task = self.task_of(declared)
        request = task.input.as_declared(_with_files(request, task, files))
        form = _form(task, request, declared)
        check_inputs(request, *_metadata(form), optional=_optional(form))
        server_parameters.check_switches(request)
        if self.settings.strict_parameters:
            server_parameters.check_names(request, task)
        return CheckedRequest(
            declared,
            task.input.from_inference_request(request),
            v2.InferenceRequest.made(
                id=request.id, parameters=request.parameters, inputs=[], outputs=request.outputs
            ),
            odd_of_inputs(request.inputs),
        )

    def prepare_input(
        self,
        given: TaskInput,
        model: ModelDeclaration,
        envelope: Envelope,
        *,
        parameters: Mapping[str, Any] | None = None,
        job_id: str | None = None,
    ) -> PreparedJob:
        """Make a job of what a surface has read already. Raises what `prepare` raises.

        `parameters` are the server's, not the task's.
        """
        asked = v2.InferenceRequest.model_construct(
            id=job_id, parameters=dict(parameters or {}), inputs=[]
        )
        return self.prepare(CheckedRequest(model, given, asked, {}), envelope)

    def prepare(
        self, checked: CheckedRequest, envelope: Envelope, *, use_id: bool = True
    ) -> PreparedJob:
        """Make a job; `use_id` takes the request's id for the job's. Stores nothing.

        Raises InvalidRequest, PayloadTooLarge.
        """
        self._check_rows(checked.inputs.row_count)
        check_forms(checked.inputs)
        declared, request = checked.declared, checked.request
        task = declared.definition
        inputs, refused = good_rows.affordable(
            checked.inputs, task, checked.refused, skips=server_parameters.skips(request)
        )
        plain = _normal(inputs.to_inference_request(), request)
        plain.parameters |= row_errors(refused)
        for tensor in plain.inputs:
            if tensor.name in checked.odd:  # for the worker to remark on
                tensor.parameters = {**tensor.parameters, **checked.odd[tensor.name]}
        payload, header_length = codec.encode_request(plain, binary=True)
        written = Written(
            payload, header_length or len(payload), inputs.row_count, plain.parameters
        )
        return self._job(declared, request, envelope, written, use_id=use_id)

    def _job(
        self,
        declared: ModelDeclaration,
        request: v2.InferenceRequest,
        envelope: Envelope,
        written: Written,
        *,
        use_id: bool,
    ) -> PreparedJob:
        """Raises InvalidRequest, ModelNotReady."""
        task = declared.definition
        if unheeded := sorted(written.parameters.keys() & self.unheeded(declared)):
            raise ModelNotReady(
                f"{unheeded[0]}: a worker of an older version serves model {declared.name!r} and "
                "would leave it out; retry once all its workers are of this version"
            )
        return new_job(
            declared,
            request,
            written,
            envelope,
            webhook=self.outbound.webhook(request.parameters.get(WEBHOOK) or envelope.webhook),
            mixed=bool(task.own) and self.mixes(declared),
            earlier_hash=self.earlier_hash(),
            use_id=use_id,
        )

    def _check_rows(self, rows: int) -> None:
        if rows > (most := self.settings.max_rows_per_job):
            raise PayloadTooLarge(f"{rows} rows; a request may have {most}: send several")


def _names_urls(request: v2.InferenceRequest) -> bool:
    return any(tensor.parameters.get(v2.CONTENT_TYPE) == v2.URL for tensor in request.inputs)


def _with_files(request: v2.InferenceRequest, task: Task, files: NamedFiles) -> v2.InferenceRequest:
    """A request whose tensors hold the files that they name by URL, where any does."""
    if not _names_urls(request):
        return request
    names = {spec.name for spec in task.inputs if spec.is_file}
    tensors = [
        _fetched(tensor, files, may_be_empty=bool(task.input.ONE_OF))
        if tensor.parameters.get(v2.CONTENT_TYPE) == v2.URL and tensor.name in names
        else tensor
        for tensor in request.inputs
    ]
    return request.model_copy(update={"inputs": tensors})


def _fetched(tensor: v2.RequestInput, files: NamedFiles, *, may_be_empty: bool) -> v2.RequestInput:
    found = [
        b""
        if may_be_empty and not url
        else read_url(url, f"tensor {tensor.name!r}, URL {i}", files)
        for i, url in enumerate(tensor.texts())
    ]
    parameters = {k: v for k, v in tensor.parameters.items() if k != v2.CONTENT_TYPE}
    return tensor.model_copy(update={"data": found, "parameters": parameters})


def _form(task: Task, request: v2.InferenceRequest, declared: ModelDeclaration) -> Task:
    """The task whose tensors a request has: of two forms, that whose inputs it names.

    Raises ModelNotReady where those are a model's own that no worker has told of yet.
    """
    given = {tensor.name for tensor in request.inputs}
    if task.of_any_model is not None:
        other = task.of_any_model
        own = {spec.name for spec in task.inputs}
        return other if given == {spec.name for spec in other.inputs} and given != own else task
    if task.of_model is not None and given.isdisjoint(spec.name for spec in task.inputs):
        raise ModelNotReady(
            f"model {declared.name!r}: the tensors of its graph are known once a worker has loaded "
            "it; try again"
        )
    return task


Metadata = Sequence[v2.TensorMetadata]


@functools.cache
def _metadata(task: Task) -> tuple[Metadata, Metadata]:
    return [spec.metadata() for spec in task.inputs], [spec.metadata() for spec in task.outputs]


@functools.cache
def _optional(task: Task) -> frozenset[str]:
    return frozenset(spec.name for spec in task.inputs if spec.optional)


def _normal(plain: v2.InferenceRequest, request: v2.InferenceRequest) -> v2.InferenceRequest:
    """The task's own view of a request, so that two ways to say the same are the same bytes.

    Without the id: the fingerprint tells requests apart, not ids.
    """
    plain.parameters = server_parameters.kept({**request.parameters, **plain.parameters})
    if request.outputs:
        odd = odd_of_outputs(request.outputs)
        plain.outputs = [
            v2.RequestOutput(name=output.name, parameters=odd.get(output.name, {}))
            for output in request.outputs
        ]
    return plain
