from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ....protocol.errors import OutOfMemory, RowError
from ...base import Task, TaskInput, TaskOutput
from ...vision.images import MAX_PIXELS
from ..base import Backend, ModelRefused
from ..company import Probe, chosen
from ..device import Device
from ..facts import ModelFacts, class_names
from ..sources import opened_folder
from .adapter import Adapter, GraphInfo
from .dialects import resolve
from .graph import Graph
from .images import ImageAdapter
from .model import OnnxModel
from .on_onnxruntime import OnOnnxRuntime
from .own_adapter import own_adapter
from .runtime import Runtime
from .wiring import Wiring, read_labels

#: Tasks that answer with no names of a model's classes, and decide nothing by them.
_UNLABELLED = frozenset(
    {
        *("automatic-speech-recognition", "depth-estimation", "embedding", "feature-extraction"),
        *("fill-mask", "image-feature-extraction", "multimodal-embedding"),
        *("optical-character-recognition", "question-answering", "ranking"),
        *("sentence-similarity", "zero-shot-image-classification", "zero-shot-object-detection"),
    }
)


class GraphBackend(Backend):
    """A folder's graph, fed and read by whichever adapter speaks its dialect.

    `dialect` names one where several would do; empty takes the first that the graph fits. `adapter`
    names a file of the folder that makes the adapter, where the operator trusts it (`handler_dir`).
    `file` names the graph where the folder holds several.
    `threads` bounds each graph's threads, 0 takes every core of the process; `max_pixels` bounds a
    row's image before it is decoded. `scaled_decoding` decodes a JPEG that is much larger than
    what the model sees to less than its size: in a third of the time, to nearly the same pixels.
    `batching` says which rows share a run (padded, equal-length,
    one-by-one), where the graph takes rows of any length; empty finds it out.
    `input`, a name or a list, and `outputs` are the graph's own names for what the dialect
    reads; `layout` (NCHW, NHWC), `channels` (RGB, BGR), `mean`, `std`, `rescale_factor` and
    `resample` say how its images are made, where that differs; `labels` are its classes, or a file
    of the folder that names them. What else is given
    goes to the adapter.
    """

    #: Makes what runs the graph. Raises ModelRefused for settings that it has not.
    make_runtime: Callable[[], Runtime]

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        threads: int = 0,
        max_pixels: int = MAX_PIXELS,
        scaled_decoding: bool = False,
        dialect: str = "",
        adapter: str = "",
        handler_dir: str | Path = "",
        file: str = "",
        batching: str = "",
        input: Sequence[str] | str = "",  # noqa: A002 # what docs/onnx-adapters.md calls it
        outputs: Sequence[str] = (),
        layout: str = "",
        channels: str = "",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        rescale_factor: float | None = None,
        resample: str = "",
        labels: Sequence[str] | str = (),
        **options: Any,  # the adapter's own
    ) -> None:
        super().__init__(task, source, device=device)
        self._declared, self._scaled = chosen(batching), scaled_decoding
        self._open = functools.partial(
            OnnxModel,
            opened_folder(source, "model.onnx"),
            device,
            threads=threads,
            max_pixels=min(max_pixels, task.max_row_cost),  # of use for images alone
            file=file,
            task=task.name,
        )
        self._wiring = Wiring(
            input=input,
            outputs=outputs,
            layout=layout,
            channels=channels,
            mean=mean,
            std=std,
            rescale_factor=rescale_factor,
            resample=resample,
        )
        self._labels, self._bounded = labels, max_pixels != MAX_PIXELS
        self._dialect, self._options = dialect, options
        self._own, self._trusted = adapter, handler_dir
        self._runtime: Any = None  # a Runtime once loaded
        self.adapter: Any = None  # an Adapter between load and close

    def load(self) -> None:
        """Open the graph on the device, find its adapter, and let it answer the task's example.

        Raises ModelRefused that names the graph's inputs and outputs and what the dialects want;
        or what the adapter does not take, or what is wrong with the answer.
        """
        try:
            adapter = self._adapter()
        except ValueError as error:
            raise ModelRefused(str(error)) from error
        try:
            adapter.run([self.example()])
        except (ModelRefused, OutOfMemory):
            raise
        except Exception as error:  # whatever it is, no other row would fare better
            said = " ".join(str(error).split()) or type(error).__name__
            raise ModelRefused(
                f"{self.source}: as dialect {adapter.dialect!r} the graph does not answer the "
                f"task's example as it should: {said}; the model parameter `dialect` names another"
            ) from error
        self.adapter = adapter

    def _adapter(self) -> Adapter:
        self._runtime = self.make_runtime()
        model = self._open(runtime=self._runtime)
        graph, wiring = model.graph, self._wiring
        if self._labels:
            model.config = {**model.config, "id2label": read_labels(model.folder, self._labels)}
        told = GraphInfo(graph.inputs, graph.outputs, model.config, graph.metadata)
        found = self._found(model, told)
        self._check_heard(told, found)
        graph.rewire(wiring.names(told, found), wiring.outputs, wiring.channels_last(told))
        model.wiring, model.scaled_decoding = wiring, self._scaled
        try:
            inspect.signature(found).bind(self.task, model, **self._options)
        except TypeError as error:
            raise ModelRefused(f"dialect {found.dialect!r}: {error}") from None
        if self._declared and found.probe is Adapter.probe:
            raise ModelRefused(f"batching: dialect {found.dialect!r} pads no rows")
        adapter = found(self.task, model, **self._options)
        if self._scaled and not (isinstance(adapter, ImageAdapter) and adapter.only_resizes):
            raise ModelRefused(
                f"scaled_decoding: dialect {found.dialect!r} does more with an image than to "
                "resize it; leave the parameter out"
            )
        return adapter

    def _check_heard(self, told: GraphInfo, found: type[Adapter]) -> None:
        """Raise ModelRefused for parameters that nothing would come of."""
        self._wiring.check_read(told, found)
        named = [*self._wiring.of_images, *(["max_pixels"] if self._bounded else [])]
        if named and not issubclass(found, ImageAdapter):
            raise ModelRefused(f"{', '.join(named)}: dialect {found.dialect!r} looks at no images")
        if self._labels and (self.task.name in _UNLABELLED or not found.labelled):
            raise ModelRefused(
                f"labels: {self.task.name} by dialect {found.dialect!r} does not answer with them"
            )

    def _found(self, model: OnnxModel, told: GraphInfo) -> type[Adapter]:
        if self._own:
            return own_adapter(
                model.folder, self._own, self._trusted, self.task.name, told, self._wiring
            )
        return resolve(self.task.name, told, dialect=self._dialect, wiring=self._wiring)

    def probe(self) -> Probe[Any] | None:
        """As the adapter is tried."""
        probe: Probe[Any] | None = self.adapter.probe()
        return probe

    def find_company(self) -> None:
        """Try whether rows answer the same in company as alone, unless the declaration says."""
        self.company = self._declared or self.adapter.company
        super().find_company()
        self.adapter.keep(self.company)

    @property
    def graph(self) -> Graph:
        """The folder's graph."""
        graph: Graph = self.adapter.graph
        return graph

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """As the adapter answers."""
        answers: list[TaskOutput | RowError] = self.adapter.run(batch)
        return answers

    def facts(self) -> ModelFacts:
        """What the folder says; what the runtime holds must be measured."""
        told = self.adapter.names if hasattr(self.adapter, "names") else self.adapter.model.labels
        return ModelFacts(
            labels=class_names(self.task, told()),
            runtime=self._runtime.told,
        )

    def close(self) -> None:
        """Drop the graphs."""
        self.adapter = None


class DialectBackend(OnOnnxRuntime, GraphBackend):
    """A folder's graph on ONNX Runtime."""
