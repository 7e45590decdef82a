"""What a check says of a model, and that it needs no model runtime to say so."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from wherry.samples import tiny
from wherry.tasks import entry_points
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.device import Device
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.check import check_model, hub, weigh


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build("text-classification", tmp_path_factory.mktemp("whole"))


@pytest.fixture
def folder(classifier: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(classifier, tmp_path / "model"))


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hub that refuses at once, and an empty cache."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def declared(source: object, task: str = "text-classification", **more: Any) -> ModelDeclaration:
    fields = {"backend": "transformers", **more}
    return ModelDeclaration(name="m", task=task, source=source and str(source), **fields)


def errors(source: object, task: str = "text-classification", **more: Any) -> list[str]:
    return [fault.text for fault in check_model(declared(source, task, **more)) if fault.is_error]


@pytest.mark.parametrize(
    "name",
    [
        *("automatic-speech-recognition", "document-question-answering", "image-segmentation"),
        *("image-text-to-text", "mask-generation", "table-question-answering", "text-to-image"),
        *("text-to-speech", "translation", "zero-shot-object-detection"),
    ],
)
def test_a_whole_model_has_no_faults(name: str, tmp_path: Path) -> None:
    assert check_model(declared(tiny.build(name, tmp_path), name)) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"backend": "transformer"}, "unknown backend 'transformer'; did you mean 'transformers'?"),
        ({"backend": "tensorrt"}, "unknown backend 'tensorrt'; there are "),
        ({"backend": "handler"}, "'handler' cannot do text-classification; stub and transformers"),
        ({"parameters": {"dtyp": "bfloat16"}}, "takes no 'dtyp'; did you mean 'dtype'?"),
        ({"parameters": {"colour": 1}}, "takes no 'colour'; there are attention, batching, "),
        (
            {"parameters": {"dtype": "bfloat61"}},
            "dtype 'bfloat61' is none; did you mean 'bfloat16'",
        ),
        ({"parameters": {"batching": "paded"}}, "did you mean 'padded'"),
        ({"parameters": {"max_batch_size": 4}}, "takes no 'max_batch_size': it is a field of the"),
        ({"parameters": {"threads": "two"}}, "threads 'two': use a whole number"),
        ({"backend": "onnxruntime"}, "nor does its folder onnx: `wherry export "),
    ],
)
def test_a_declaration_at_fault(classifier: Path, more: dict[str, Any], said: str) -> None:
    (fault,) = errors(classifier, **more)
    assert said in fault


@pytest.mark.parametrize(
    ("task", "backend", "parameters", "said"),
    [
        ("object-detection", "onnxruntime", {"iou": "x"}, "iou 'x': use a number"),
        ("object-detection", "onnxruntime", {"agnostic": 1}, "agnostic 1: use true or false"),
        ("embedding", "onnxruntime", {"file": 7}, "file 7: use a string"),
        ("image-anonymization", "onnxruntime", {"iou": [1]}, "iou [1]: use a number"),
        ("embedding", "transformers", {"pooling": 3}, "pooling 3: use a string"),
        ("embedding", "transformers", {"revision": True}, "revision True: use a string"),
        ("text-generation", "transformers", {"continuous": "yes"}, "use true or false"),
        ("text-generation", "transformers", {"step_tokens": 2.5}, "2.5: use a whole number"),
        ("automatic-speech-recognition", "transformers", {"chunk_length_s": "9"}, "use a number"),
    ],
)
def test_a_value_of_another_type_is_told(
    task: str, backend: str, parameters: dict[str, Any], said: str
) -> None:
    given = errors("package:no_such/model", task, backend=backend, parameters=parameters)
    assert [fault for fault in given if fault.startswith("parameters:") and said in fault]


def test_a_word_that_decode_does_not_have_is_told() -> None:
    given = errors(
        "package:no_such/model",
        "image-classification",
        backend="transformers",
        parameters={"decode": "scald"},
    )
    assert "parameters: decode 'scald' is none; did you mean 'scaled'?" in given


def test_several_graphs_without_a_choice_are_a_fault_as_they_are_when_loading(
    tmp_path: Path,
) -> None:
    (tmp_path / "tokenizer.json").touch()
    (tmp_path / "onnx").mkdir()
    for name in ("model_fp16", "model_quantized"):
        (tmp_path / "onnx" / f"{name}.onnx").write_bytes(b"graph")

    def faults(**parameters: Any) -> list[str]:
        return errors(tmp_path, "embedding", backend="onnxruntime", parameters=parameters)

    (several,) = faults()
    assert "holds onnx/model_fp16.onnx, onnx/model_quantized.onnx: name one as" in several
    assert faults(file="onnx/model_fp16.onnx") == []
    (absent,) = faults(file="onnx/model_q4.onnx")
    assert "holds no onnx/model_q4.onnx; there are onnx/model_fp16.onnx" in absent
    (beyond,) = faults(file="../model.onnx")
    assert "name a path within" in beyond


def test_a_model_in_two_graphs_is_whole_with_both(tmp_path: Path) -> None:
    (tmp_path / "sam.decoder.onnx").write_bytes(b"graph")
    (fault,) = errors(tmp_path, "mask-generation", backend="onnxruntime")
    assert "holds sam.decoder.onnx: expected are two, such as vision_encoder.onnx with" in fault
    (tmp_path / "sam.encoder.onnx").write_bytes(b"a larger graph")
    (tmp_path / "sam.encoder.onnx_data").write_bytes(b"and its weights")
    assert errors(tmp_path, "mask-generation", backend="onnxruntime") == []
    declared = ModelDeclaration(
        name="sam", task="mask-generation", backend="onnxruntime", source=str(tmp_path)
    )
    assert weigh(declared) == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_values_of_the_right_types_are_no_faults() -> None:
    right: dict[str, Any] = {"iou": 1, "agnostic": False, "dialect": "yolov8", "max_pixels": 9}
    (fault,) = errors(
        "package:no_such/model", "object-detection", backend="onnxruntime", parameters=right
    )
    assert "not installed" in fault


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "is not JSON"),
        ('{"type": "a"}', "is no list of modules"),
        ('[{"idx": 0}]', "is no list of modules"),
        ("[1]", "is no list of modules"),
        (
            '[{"type": "sentence_transformers.models.Transformer", "path": ""},'
            ' {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]',
            "names a Pooling, and there is no ",
        ),
    ],
)
@pytest.mark.parametrize("task", ["embedding", "sentence-similarity"])
def test_broken_modules_of_sentence_transformers(
    task: str, content: str, said: str, tmp_path: Path
) -> None:
    folder = tiny.build("embedding", tmp_path)
    (folder / "modules.json").write_text(content)
    (fault,) = errors(folder, task)
    assert fault.startswith(f"source: {folder}/modules.json")
    assert said in fault
    with pytest.raises(ModelRefused, match=r"modules\.json"):
        create_backend("transformers", task, str(folder), device=Device()).load()


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (["Transformer", "Attention"], "has a module sentence_transformers.models.Attention, "),
        (["Transformer", "Normalize"], "has the modules Transformer, Normalize; an embedding "),
        (["Pooling"], "has the modules Pooling; an embedding begins with Transformer, "),
        (["Pooling", "Transformer"], "has the modules Pooling, Transformer; "),
        (["Transformer", "Pooling", "Pooling"], "has the modules Transformer, Pooling, Pooling; "),
        ([], "names no modules: copy the whole folder again"),
    ],
)
@pytest.mark.parametrize("task", ["embedding", "sentence-similarity"])
def test_modules_that_loading_refuses_are_faults_in_its_words(
    task: str, kinds: list[str], said: str, tmp_path: Path
) -> None:
    folder = tiny.build("embedding", tmp_path)
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    paths = {"Transformer": "", "Pooling": "1_Pooling"}
    modules = [
        {"type": f"sentence_transformers.models.{kind}", "path": paths.get(kind, f"2_{kind}")}
        for kind in kinds
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (fault,) = errors(folder, task)
    assert fault.startswith(f"source: {folder}/modules.json {said}")
    with pytest.raises(ModelRefused) as refused:
        create_backend("transformers", task, str(folder), device=Device()).load()
    assert str(refused.value).endswith(fault.partition("modules.json ")[2])


def test_a_module_outside_of_the_folder_is_a_fault(tmp_path: Path) -> None:
    folder = tiny.build("embedding", tmp_path)
    entry = {"type": "sentence_transformers.models.Transformer", "path": "../elsewhere"}
    (folder / "modules.json").write_text(json.dumps([entry]))
    (fault,) = errors(folder, "embedding")
    assert fault == f"source: {folder}/modules.json leads out of the folder: ../elsewhere"


@pytest.mark.parametrize(
    ("task", "kind", "name"),
    [
        ("image-to-text", "bert", "BertModel"),
        ("optical-character-recognition", "git", "GitForCausalLM"),
        ("video-mask-generation", "edgetam_video", "EdgeTamVideoModel"),
        ("video-mask-generation", "sam3_video", "Sam3VideoModel"),
    ],
)
def test_a_model_of_another_kind_than_the_one_that_is_served(
    task: str, kind: str, name: str, tmp_path: Path
) -> None:
    served = "image-to-text" if task != "video-mask-generation" else task
    folder = tiny.build(served, tmp_path)
    assert errors(folder, served) == []
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "architectures": [name]}))
    (fault,) = errors(folder, task)
    assert fault.startswith(f"a model of type {kind!r} cannot do {task}")


GOOD_HANDLER = "class EndpointHandler:\n    def __init__(self, path=''):\n        1 / 0\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("good", ""),
        ("brought", ""),
        ("absent", "there is no folder 'absent' in the handlers' directory"),
        ("good/handler.py", "is a file: name the folder"),
        ("empty", "'empty' has no handler.py"),
        ("nameless", "handler.py has no class EndpointHandler"),
        ("broken", "handler.py, line 2: "),
        ("../outside", "leads out of the handlers' directory"),
        (None, "needs a source: its folder"),
    ],
)
def test_a_handlers_folder_is_read_and_not_run(
    source: str | None, said: str, tmp_path: Path
) -> None:
    texts = {
        "trusted/good": GOOD_HANDLER,
        "trusted/brought": "if True:\n    from mine import EndpointHandler\n",
        "trusted/nameless": f"open({str(tmp_path / 'ran')!r}, 'w')\n",
        "trusted/broken": "class EndpointHandler:\n    def __init__(self:\n",
        "outside": GOOD_HANDLER,
    }
    (tmp_path / "trusted" / "empty").mkdir(parents=True)
    for name, text in texts.items():
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "handler.py").write_text(text)
    model = declared(source, "custom", backend="handler")
    faults = check_model(model, handler_dir=str(tmp_path / "trusted"))
    assert [said in fault.text for fault in faults] == ([True] if said else [])
    assert not (tmp_path / "ran").exists()


def test_handlers_that_are_off_say_what_turns_them_on() -> None:
    model = declared("mine", "custom", backend="handler")
    (fault,) = check_model(model, handler_dir="")
    assert "custom handlers are off; WHERRY_HANDLER_DIR names where" in fault.text
    assert check_model(model) == [], "whoever does not know where they lie says nothing"


ONNX = "'onnxruntime'"


@pytest.mark.parametrize(
    ("task", "backend", "parameters", "said"),
    [
        ("object-detection", "onnxruntime", {"bogus": 2}, f"{ONNX} takes no 'bogus'; there are "),
        ("object-detection", "onnxruntime", {"thread": 2}, "did you mean 'threads'?"),
        ("object-detection", "onnxruntime", {"model": "a"}, f"{ONNX} takes no 'model'"),
        ("embedding", "onnxruntime", {"iou": 0.5}, f"{ONNX} takes no 'iou'; there are adapter, "),
        ("embedding", "onnxruntime", {"poolin": "cls"}, "did you mean 'pooling'?"),
        (
            "embedding",
            "onnxruntime",
            {"dialect": "sentence-embedding", "pooling": "cls"},
            f"{ONNX} with dialect 'sentence-embedding' takes no 'pooling'; there are ",
        ),
        (
            "text-classification",
            "onnxruntime",
            {"dialect": "nonesuch"},
            "no dialect 'nonesuch' does text-classification; there are text-logits",
        ),
        (
            "object-detection",
            "onnxruntime",
            {"dialect": "yolo8"},
            "yolov8, yolov5, yolo-end2end, ultralytics-rtdetr, yolo-segment, yolo-pose; "
            "did you mean 'yolov8'?",
        ),
        (
            "image-anonymization",
            "onnxruntime",
            {"dialect": "text-logits"},
            "no dialect 'text-logits' does image-anonymization; there are transformers-detr, ",
        ),
        ("image-anonymization", "onnxruntime", {"ioo": 0.5}, f"{ONNX} takes no 'ioo'"),
        ("image-anonymization", "transformers", {"dtyp": "float16"}, "did you mean 'dtype'?"),
    ],
)
def test_a_parameter_that_is_handed_on_to_nobody(
    task: str, backend: str, parameters: dict[str, Any], said: str
) -> None:
    given = errors("package:no_such/model", task, backend=backend, parameters=parameters)
    (fault,) = [text for text in given if text.startswith("parameters: ")]
    assert said in fault


@pytest.mark.parametrize(
    ("task", "backend", "parameters"),
    [
        ("object-detection", "onnxruntime", {"iou": 0.5, "agnostic": True, "threads": 1}),
        ("object-detection", "onnxruntime", {"dialect": "yolov5", "iou": 0.5, "file": "a.onnx"}),
        ("image-anonymization", "onnxruntime", {"dialect": "yolov8", "iou": 0.5, "max_pixels": 9}),
        ("image-anonymization", "transformers", {"dtype": "float16", "max_pixels": 9}),
        ("embedding", "onnxruntime", {"pooling": "cls", "prompt": "a", "batching": "padded"}),
        ("automatic-speech-recognition", "onnxruntime", {"chunk_length_s": 20.0}),
    ],
)
def test_a_parameter_that_is_handed_on_is_no_fault(
    task: str, backend: str, parameters: dict[str, Any]
) -> None:
    given = errors("package:no_such/model", task, backend=backend, parameters=parameters)
    assert not [text for text in given if text.startswith("parameters: ")]


@pytest.mark.parametrize("parameters", [{"whatever": 1}, {"whatever": 1, "dialect": "theirs"}])
def test_the_parameters_of_another_packages_adapter_are_its_own_to_judge(
    parameters: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.onnx").touch()
    (tmp_path / "tokenizer.json").touch()
    point = EntryPoint("theirs", "no_such:Adapter", "wherry.onnx_adapters")
    monkeypatch.setattr(entry_points, "installed", lambda _: {"theirs": point})
    assert errors(tmp_path, backend="onnxruntime", parameters=parameters) == []


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_that_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (fault,) = errors(folder)
    assert fault.startswith(f"source: {folder} holds no ")
    assert name in fault


def test_a_folder_without_a_tokenizer(folder: Path) -> None:
    for file in folder.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            file.unlink()
    (fault,) = errors(folder)
    assert "holds no tokenizer: copy tokenizer.json" in fault


def test_a_folder_without_a_processor(tmp_path: Path) -> None:
    tiny.build("image-classification", tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    (fault,) = errors(tmp_path, "image-classification")
    assert "holds no processor: copy preprocessor_config.json" in fault


def test_pickled_weights_are_named_with_the_way_out(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (fault,) = errors(folder)
    assert "holds pytorch_model.bin and no safetensors" in fault
    assert "save_pretrained" in fault


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer: `git lfs pull`"),
        (b"", "cut short or no safetensors file"),
        (struct.pack("<Q", 1 << 40) + b"{}", "cut short or no safetensors file"),
        (struct.pack("<Q", 2) + b"[]", "no safetensors file"),
        (
            struct.pack("<Q", 80)
            + json.dumps({"w": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}})
            .ljust(80)
            .encode(),
            "is cut short: copy or download it again",
        ),
    ],
)
def test_weights_that_are_not_whole(folder: Path, content: bytes, said: str) -> None:
    (folder / "model.safetensors").write_bytes(content)
    (fault,) = errors(folder)
    assert said in fault
    assert weigh(declared(folder)) == 0


def test_a_missing_shard_is_named(folder: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (fault,) = errors(folder)
    assert "lacks 1 of 2 weight files: model-2.safetensors" in fault


def test_a_model_of_another_kind_says_what_it_does(folder: Path) -> None:
    config = {"model_type": "vit", "architectures": ["ViTForImageClassification"]}
    (folder / "config.json").write_text(json.dumps(config))
    (fault,) = errors(folder)
    assert fault == (
        "a model of type 'vit' cannot do text-classification; as ViTForImageClassification it does"
        " image-classification"
    )


def test_a_type_that_transformers_does_not_know(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "brt", "auto_map": {"a": "b"}}))
    (fault,) = errors(folder)
    assert "does not know the model type 'brt' and a model's own code is never run" in fault
    assert "; did you mean '" in fault


def test_a_model_saved_without_its_head_is_a_warning(folder: Path) -> None:
    config = {"model_type": "bert", "architectures": ["BertModel"]}
    (folder / "config.json").write_text(json.dumps(config))
    (fault,) = check_model(declared(folder))
    assert not fault.is_error
    assert "saved as BertModel, and text-classification wants BertForSequence" in fault.text


def test_a_language_model_that_ranks_says_how_it_is_asked(tmp_path: Path) -> None:
    source = tiny.build("ranking-qwen3", tmp_path)
    assert check_model(declared(source, "ranking")) == []
    config = json.loads((source / "config.json").read_text())
    del config["classifier_from_token"]
    (source / "config.json").write_text(json.dumps(config))
    (fault,) = errors(source, "ranking")
    assert "nothing says how it is asked" in fault
    assert check_model(declared(source, "ranking", parameters={"template": "mxbai-rerank"})) == []


def test_a_package_that_is_not_installed(classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.tasks.check.model._is_installed", lambda name: name != "torch")
    (fault,) = errors(classifier)
    assert fault == "backend 'transformers' needs torch: pip install 'wherry[transformers]'"
    (fault,) = errors("package:no_such/model", backend="onnxruntime")
    assert fault == "source: package 'no_such' is not installed: install what brings it"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert errors(tmp_path / "no") == [f"source: there is no folder {tmp_path}/no"]
    (fault,) = errors("owner/name", backend="onnxruntime")
    assert fault == "source: there is no folder 'owner/name' beside models.toml"


def test_a_hub_that_cannot_be_reached_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (fault,) = errors("owner/name")
    assert "the hub's cache has no such model, and http://127.0.0.1:9 cannot be reached" in fault
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (fault,) = errors("owner/name")
    assert fault.endswith("HF_HUB_OFFLINE is set")


def test_a_model_in_the_hubs_cache_is_checked_as_a_folder(classifier: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "cache" / "models--owner--name" / "snapshots" / "abc"
    shutil.copytree(classifier, snapshot)
    assert errors("owner/name") == []
    assert weigh(declared("owner/name")) == weigh(declared(classifier)) > 0
    (snapshot / "model.safetensors").unlink()
    assert "holds no weights" in errors("owner/name")[0]
    assert hub.cached("owner/other") is None


def test_weights_are_weighed_as_they_are_loaded(classifier: Path) -> None:
    full = weigh(declared(classifier))
    assert 0 < full <= (classifier / "model.safetensors").stat().st_size
    half = weigh(declared(classifier, parameters={"dtype": "bfloat16"}))
    assert half < 0.6 * full


def test_all_faults_are_told_at_once(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "config.json").write_text(json.dumps({"model_type": "vit"}))
    assert len(errors(folder, parameters={"dtyp": 1, "thread": 2})) == 4


def test_no_model_runtime_is_imported(classifier: Path) -> None:
    code = (
        "import sys; from wherry.tasks.catalog import ModelDeclaration as D;"
        "from wherry.tasks.check import check_model;"
        "d = D(name='m', task='text-classification', backend='transformers', source=sys.argv[1]);"
        "assert check_model(d) == [];"
        "loaded = {'torch', 'transformers', 'onnxruntime', 'numpy'} & set(sys.modules);"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code, str(classifier)], check=True)


def test_an_estimator_that_is_not_loaded_is_told_of(tmp_path: Path) -> None:
    folder = tiny.build("tabular-classification", tmp_path / "model")
    words = {"backend": "sklearn", "task": "tabular-classification"}
    assert errors(folder, **words) == []
    config = folder / "config.json"
    whole = json.loads(config.read_text())
    pickle = {**whole["sklearn"], "model": {"file": "model.pkl"}, "model_format": "pickle"}
    (folder / "model.pkl").write_bytes(b"of somebody's")
    config.write_text(json.dumps({"sklearn": pickle}))
    assert errors(folder, **words) == []  # whoever asks cannot know what is trusted
    model = declared(folder, **words)
    [fault] = check_model(model, handler_dir="")
    assert fault.text.startswith("source: model.pkl: a pickle runs code as it is loaded")
    assert check_model(model, handler_dir=str(tmp_path)) == []
    config.write_text(json.dumps({"sklearn": {**whole["sklearn"], "task": "tabular-regression"}}))
    assert errors(folder, **words) == [
        "source: config.json says sklearn.task 'tabular-regression': declare it as that"
    ]


def test_a_graph_served_as_it_is_is_checked(tmp_path: Path) -> None:
    graph = {"backend": "onnxruntime", "task": "raw"}
    (tmp_path / "model.onnx").write_bytes(b"")
    assert errors(tmp_path, **graph) == []
    assert errors(tmp_path, **{**graph, "backend": "auto"}) == []
    assert errors(tmp_path, **graph, parameters={"batched": True}) == []
    (fault,) = errors(tmp_path, **graph, parameters={"batched": "yes"})
    assert fault.startswith("parameters: batched")
    (fault,) = errors(tmp_path, **graph, parameters={"dialect": "yolov8"})
    assert "'onnxruntime' takes no 'dialect'" in fault
    (tmp_path / "model.onnx").rename(tmp_path / "a.onnx")
    (tmp_path / "b.onnx").write_bytes(b"")
    (fault,) = errors(tmp_path, **graph)
    assert "name one as the model parameter `file`" in fault
