"""Generated text piece by piece, as responses of OIP v2."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ....protocol import codec, v2
from ....tasks.catalog import ModelDeclaration
from ....tasks.tensors import column
from ....tasks.text.generation import TEXT
from ...core.new_job import PreparedJob
from ...core.run_and_wait import EndedJob, finished
from ...core.service import Service
from ...core.streams import Stream, store_streamed

#: Triton's word for the last answer to one request of a stream.
FINAL = "triton_final_response"

#: And for the wish that a model of several answers tells their end by an empty one.
EMPTY_FINAL = "triton_enable_empty_final_response"


async def pieces(
    service: Service, model: ModelDeclaration, prepared: PreparedJob
) -> AsyncGenerator[v2.InferenceResponse]:
    """Responses whose `text` is what each row has got since the one before; "" for no news.

    The last has what is left of the text, and every other output. All texts of a row in one are
    the row's text. Whoever leaves early cancels the job. Raises what the intake and the job raise.
    """
    wanted = {output.name for output in prepared.request.outputs or ()}
    stored = await store_streamed(service, prepared)
    stream = Stream(service, model, stored.id)
    seen = [""] * prepared.job.rows
    try:
        async for said in stream.tokens():
            if said and said[1].text and (not wanted or TEXT.name in wanted):
                row, text = said[0], said[1].text
                seen[row] += text
                yield _piece(model, ["" if at != row else text for at in range(len(seen))])
        record = await service.record(stored.id)
        whole = await finished(service, EndedJob(stored.id, record.status))
        yield _last(codec.decode_response(whole.body, whole.header_length), seen)
    finally:
        stream.leave()


def _piece(model: ModelDeclaration, texts: list[str]) -> v2.InferenceResponse:
    return v2.InferenceResponse(
        model_name=model.name,
        model_version=model.version,
        parameters={FINAL: False},
        outputs=[column(TEXT, texts)],
    )


def _last(response: v2.InferenceResponse, seen: list[str]) -> v2.InferenceResponse:
    """The whole answer, less what was told of its text."""
    outputs = [
        column(TEXT, [_rest(*both) for both in zip(tensor.texts(), seen, strict=True)])
        if tensor.name == TEXT.name
        else tensor
        for tensor in response.outputs
    ]
    parameters = {**response.parameters, FINAL: True}
    return response.model_copy(update={"outputs": outputs, "parameters": parameters})


def _rest(whole: str, seen: str) -> str:
    return whole[len(seen) :] if whole.startswith(seen) else ""
