"""Where runs read: in places that are allowed, and in uploads."""

from __future__ import annotations

from typing import Any

from ..client.annotate.sources.archives import archive_in, open_archive
from ..client.annotate.sources.choose import PlaceOf
from ..client.annotate.sources.confined import place_among, web_among
from ..client.annotate.sources.files import FileStore
from ..client.annotate.sources.packed import PackedFiles
from ..client.annotate.sources.remote import is_url
from ..client.annotate.sources.uploaded import uploaded_archive, uploaded_files
from ..jobs.call import Queue
from ..jobs.run_records import Step
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store
from ..jobs.uploads import SCHEME, Upload, UploadReader, get_upload, read_manifest
from ..protocol.errors import InvalidRequest
from ..protocol.places import AllowedPlaces


def places_of(step: Step, jobs: JobsSettings) -> AllowedPlaces:
    """Where a step's run may read and write: nowhere at large where the API wants keys.

    A table that lies in a place would else name any file of this machine.
    """
    places = AllowedPlaces.of(jobs.run_places)
    return places.without_local() if step.token else places


def run_place(places: AllowedPlaces, queue: Queue, store: Store, jobs: JobsSettings) -> PlaceOf:
    """What finds a run's source, `upload:ID` and what is in one among them.

    It raises InvalidRequest, Unavailable.
    """
    in_places = place_among(places)

    def place(spec: str) -> tuple[FileStore, str]:
        if not spec.startswith(SCHEME):
            return in_places(spec)
        upload_id, _, path = spec.removeprefix(SCHEME).partition("/")
        upload = queue.run(get_upload(upload_id, jobs))
        if upload is None:
            raise InvalidRequest(f"source: the upload {upload_id[:100]!r} is gone")
        files, path = _opened(upload, store, path)
        files.web = web_among(places)
        found = archive_in(files, path)
        return (files, path) if found is None else (open_archive(files, found[0]), found[1])

    return place


def _opened(upload: Upload, store: Store, path: str) -> tuple[PackedFiles[Any], str]:
    """An upload's files, and the path among them: of a lone file, that file."""
    shown = f"{SCHEME}{upload.id}"
    reader = UploadReader(upload.parts, store)
    if upload.archive:
        return uploaded_archive(shown, upload.archive, upload.bytes, reader), path
    files = list(read_manifest(store.get(upload.manifest)))
    if not path and len(files) == 1:
        path = files[0].name
    return uploaded_files(shown, files, reader), path


def check_out(step: Step, jobs: JobsSettings) -> None:
    """Raise InvalidRequest for an output in no place, wherever links lead."""
    spec, places = step.spec, places_of(step, jobs)
    if not spec.out:
        return
    allowed = places.allow(spec.out) and (is_url(spec.out) or places.allow_file(spec.out))
    if not allowed:
        raise InvalidRequest(
            f"out {spec.out!r} is in no place of runs (WHERRY_RUN_PLACES: {places})"
        )
