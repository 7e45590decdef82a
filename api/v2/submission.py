"""What `infer` and `jobs` read alike: a model's path, headers and an OIP body."""

from __future__ import annotations

from fastapi import Request

from ..core.envelope import Envelope
from ..core.new_job import PreparedJob
from ..core.service import Service
from ..http.body import header_length, read_body


async def read_job(request: Request, *, use_id: bool) -> PreparedJob:
    """Make a job of a request. `use_id` takes its body's id for the job's, where it has one.

    Raises what `Intake.read` raises.
    """
    service, path = Service.of(request), request.path_params
    return await service.intake.read(
        await read_body(request, service.settings.max_body_bytes),
        header_length(request),
        path["model"],
        path.get("version"),
        Envelope.of(request, repeatable=True),
        use_id=use_id,
    )
