"""The last step: what all shards came to in one ledger, written as `wherry annotate` does."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from io import BytesIO
from itertools import chain, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from ..client.annotate import Options, Summary
from ..client.annotate.annotate import AnsweringTimes, layout_of, sum_up, write_half
from ..client.annotate.beside import NOTHING_BESIDE, Beside
from ..client.annotate.formats.joining import CannotJoin
from ..client.annotate.ledger import HASH, Ledger
from ..client.annotate.packing import Packer, image_of
from ..client.annotate.pictures import Pictures
from ..client.annotate.pieces import join_pieces
from ..client.annotate.places import ERRORS, beside, ledger_path
from ..client.annotate.placing import Placing
from ..client.annotate.prepared import PreparedRun
from ..client.annotate.report import SAMPLED
from ..client.annotate.rows import SourceRow
from ..client.annotate.segments import forget_all, take_in_part
from ..client.annotate.sources.remote import is_url
from ..client.annotate.sources.walking import FoundFile
from ..client.annotate.written import files_below
from ..jobs.call import Queue
from ..jobs.run_blobs import output_key, put_output, shard_key
from ..jobs.run_records import Run, RunFile, RunOutput, Shard
from ..jobs.run_spec import RunSpec
from ..jobs.run_steps import segments_of
from ..jobs.runs import get_run, shards_of
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store
from ..protocol.errors import InvalidRequest
from .asked import asked_of, is_local, joins, options_of
from .disk_place import put_on_disk
from .earlier import origin_text
from .fleet import RunClient
from .hold import StepHold, StepLost
from .quality import beside_of
from .remote_place import upload
from .shard_files import shard_files
from .sources import places_of, run_place
from .stored_pieces import ShardPiece, own_files, write_files

#: Files of an output in a place that its record names.
_LISTED = 100


class Merge:
    """One run's output in the making, or an export of a finished one."""

    def __init__(
        self, hold: StepHold, client: RunClient, queue: Queue, jobs: JobsSettings, store: Store
    ) -> None:
        self._hold, self._client, self._queue, self._jobs = hold, client, queue, jobs
        self._store = store

    def run(self, folder: Path, export: str = "") -> tuple[RunOutput, Summary]:
        """Write the output and put it in its place; an export's is the fleet's store.

        Raises StepEnded, InvalidRequest, Unavailable.
        """
        step = self._hold.step
        spec, plan = step.spec, step.plan
        assert plan is not None
        self._is_local, self._is_export = is_local(spec) and not export, bool(export)
        if export:
            spec, plan = _exported(spec, export), plan.model_copy(update={"format": export})
        options = options_of(spec, folder, plan)
        allowed = places_of(step, self._jobs)
        place = run_place(allowed, self._queue, self._store, self._jobs)
        asked = asked_of(self._client, spec, options, plan, place, heed=self._hold.check)
        shards = self._queue.run(shards_of(step.run_id, self._jobs))
        if spec.follow:  # its rows are not in the order in which their files lie there
            asked = replace(asked, source=asked.source.listed(lambda: self._files_of(shards)))
        pieces = [ShardPiece(self._hold, self._store, shard) for shard in shards]
        is_joined = not export and joins(asked) and _are_in_pieces(shards)
        if is_joined and not self._is_local:
            with suppress(CannotJoin):
                return self._apart(spec, options, asked, pieces)
        with asked.placing as places:
            self._gather(places.ledger, shards, texts=asked.writer.writes_text)
            summary = self._write(options, asked, places, pieces if is_joined else [])
            places.ledger.finish()
        return self._placed(spec, options, export), summary

    def _apart(
        self, spec: RunSpec, options: Options, asked: PreparedRun, pieces: Sequence[ShardPiece]
    ) -> tuple[RunOutput, Summary]:
        """Join the shards' pieces, with a ledger of the report's rows. Raises CannotJoin."""
        with TemporaryDirectory(dir=options.out.parent) as folder:
            apart = replace(options, out=Path(folder) / options.out.name)
            with Ledger(ledger_path(apart.out)) as ledger:
                summary, own = self._join(_named(apart), asked, ledger, Path(folder), pieces)
            return self._placed(spec, apart, "", own), summary

    def _join(
        self,
        options: Options,
        asked: PreparedRun,
        ledger: Ledger,
        folder: Path,
        pieces: Sequence[ShardPiece],
    ) -> tuple[Summary, Iterator[tuple[str, bytes]]]:
        """Join the shards' pieces in a folder; the output's own files are to come there, too.

        Raises CannotJoin.
        """
        out, errors = folder / options.out.name, folder / beside(options.out, ERRORS).name
        findings, moved = join_pieces(
            pieces,
            None if self._is_local else ledger,  # it has all
            asked.origin,
            asked.writer,
            out,
            errors,
            layout_of(options, asked, folder),
        )
        summary = sum_up(options, asked.origin, ledger, folder, findings, self._answered())
        return summary, own_files(pieces, moved, out.name)

    def _gather(self, ledger: Ledger, shards: Sequence[Shard], *, texts: bool) -> None:
        """Take in what every shard has come to, in the order of the rows."""
        run_id = self._hold.step.run_id
        segments = self._queue.run(segments_of(run_id, self._jobs))
        ledger.begin(reuse=True)
        forget_all(ledger)  # of an earlier try, or an earlier run
        base = 0
        for shard in shards:
            answers = self._segments(shard, segments.get(shard.number, ()))
            rows = self._get(shard_key(run_id, shard.number, "rows", shard.rows_blob))
            base += take_in_part(ledger, answers, rows, base, SAMPLED, texts=texts)

    def _segments(self, shard: Shard, names: Sequence[str]) -> Iterator[bytes]:
        for name in names:
            yield self._get(shard_key(self._hold.step.run_id, shard.number, "segment", name))

    def _get(self, key: str) -> bytes:
        self._hold.check()
        return self._store.get(self._store.ref(key))

    def _write(
        self, options: Options, asked: PreparedRun, places: Placing, pieces: Sequence[ShardPiece]
    ) -> Summary:
        """Write the output of all that was gathered: of the pieces, if there are some."""
        if pieces and self._is_local:
            with suppress(CannotJoin), places.half() as half:
                summary, own = self._join(options, asked, places.ledger, half, pieces)
                write_files(half, own)
                self._hold.save()
                places.place(half)
                return summary
        with places.half() as half:
            layout = layout_of(options, asked, half)
            if layout.pictures:
                self._keep_pictures(asked, layout.pictures, places.ledger)
            self._hold.check()
            told = options if self._is_local else _named(options)
            summary = write_half(told, asked, places.ledger, half, layout, self._answered())
            self._hold.save()  # whoever lost the step places nothing
            places.place(half)
        return summary

    def _keep_pictures(self, asked: PreparedRun, pictures: Pictures, ledger: Ledger) -> None:
        """Read the source once more: shards keep no pictures.

        A row whose picture is another now has none, which its writer tells. Raises InvalidRequest
        where there are other rows.
        """
        plan = self._hold.step.plan
        # A format that asks for other parameters has other keys; those of before are not noted.
        is_told = plan is not None and plan.origin == origin_text(asked.origin)
        packer = Packer(asked.origin, HASH) if is_told else None
        for position, (known, row) in enumerate(zip_longest(ledger.placed_keys(), asked.source)):
            self._hold.check()
            if known is None or row is None or row.id != known[0]:
                found = None if row is None else row.id
                raise _other_rows(asked.origin.source, known and known[0], found)
            image = image_of(asked.origin.task, row) if isinstance(row, SourceRow) else None
            if image and isinstance(row, SourceRow) and _is_same(row, known[1], packer):
                pictures.keep(position, image, row.file)

    def _files_of(self, shards: Sequence[Shard]) -> Iterator[FoundFile]:
        for shard in shards:
            yield from shard_files(self._store, self._hold.step.run_id, shard)

    def _answered(self) -> AnsweringTimes:
        """What the shards took, as this process's clock would have told it."""
        found = self._queue.run(get_run(self._hold.step.run_id, self._jobs))
        if found is None:
            raise StepLost
        now = time.monotonic()
        took_s = _took_s(found)
        progress = found.progress
        return AnsweringTimes(
            started_at=now - took_s,
            ended_at=now,
            reused=progress.reused + progress.duplicates,
            rows_per_s=progress.done / max(1e-9, took_s),
            compute_s=progress.device_seconds,
            left_out=found.plan.left_out if found.plan else {},
            # An export is of the same rows, and nobody reads its report.
            beside=NOTHING_BESIDE if self._is_export else self._beside(found),
        )

    def _beside(self, run: Run) -> Beside:
        shards = self._queue.run(shards_of(run.spec.id, self._jobs))
        return beside_of(self._hold, run, shards, self._queue, self._jobs, self._store)

    def _placed(
        self, spec: RunSpec, options: Options, export: str, own: Iterable[tuple[str, bytes]] = ()
    ) -> RunOutput:
        """Put what was written in its place, and files that are read as they are put."""
        files = dict(_files(options))
        if is_local(spec):
            return _told(spec.out, _sizes(files))
        if spec.out:
            self._hold.save()
            if is_url(spec.out):
                sizes = upload(spec.out, files, self._hold.check, own)
            else:  # of a run that follows its source: lines, and no files of a row
                sizes = {}
                put_on_disk(spec.out, files, self._hold.check)
            return _told(spec.out, {**_sizes(files), **sizes})
        key = output_key(self._hold.step.run_id, self._hold.attempt, export)
        opened = ((name, BytesIO(content)) for name, content in own)
        return put_output(self._store, key, chain(self._opened(files), opened))

    def _opened(self, files: dict[str, Path]) -> Iterator[tuple[str, BinaryIO]]:
        for name, path in files.items():
            with ExitStack() as stack:
                self._hold.check()
                yield name, stack.enter_context(path.open("rb"))


def _are_in_pieces(shards: Sequence[Shard]) -> bool:
    """Whether each shard has written its part, of rows in their places."""
    base = 0
    for shard in shards:
        if shard.piece is None or shard.first != base:
            return False
        base += shard.rows
    return True


def _is_same(row: SourceRow, key: bytes, packer: Packer | None) -> bool:
    """Whether a row is what was answered: frames and pages are drawn anew, which tells nothing."""
    return packer is None or row.frame is not None or key.startswith(packer.key(row.values))


def _other_rows(source: str, known: str | None, found: str | None) -> InvalidRequest:
    was = "no row" if known is None else f"row {known!r}"
    return InvalidRequest(
        f"the source has changed: where {was} was answered, "
        f"{'no row' if found is None else repr(found)} is now: pictures are read from"
        f" {source} once all is answered; put back what was there, or take --images none"
    )


def _named(options: Options) -> Options:
    """The same, where nobody is to hear of the folder that the output is made in."""
    return replace(options, out=Path(options.out.name))


def _exported(spec: RunSpec, export: str) -> RunSpec:
    """What an export is asked: the same rows, without what is of the output's own format."""
    own = {"out": "", "format": export, "images": "", "split": {}, "media_prefix": ""}
    return spec.model_copy(update=own)


def _took_s(run: Run) -> float:
    started = run.progress.started_at_ms or run.spec.created_at_ms
    return max(0.0, time.time() - started / 1000)


def _files(options: Options) -> Iterator[tuple[str, Path]]:
    """What was written, by its name beside OUT."""
    for path in options.writes:
        if path.is_dir():
            for file in sorted(files_below(path)):
                yield file.relative_to(options.out.parent).as_posix(), file
        elif path.is_file():
            yield path.name, path


def _sizes(files: Mapping[str, Path]) -> dict[str, int]:
    return {name: path.stat().st_size for name, path in files.items()}


def _told(place: str, sizes: Mapping[str, int]) -> RunOutput:
    return RunOutput(
        place=place,
        files=len(sizes),
        bytes=sum(sizes.values()),
        listed=[RunFile(name=name, bytes=sizes[name]) for name in list(sizes)[:_LISTED]],
    )
