from __future__ import annotations

from pathlib import Path

import pytest

import wherry.samples
from wherry.protocol.errors import ModelNotFound
from wherry.tasks.catalog import Catalog, CatalogError
from wherry.tasks.locate import locate
from wherry.tasks.models_file import load_catalog

ONE = '[[models]]\nname = "a"\ntask = "embedding"\nbackend = "stub"\n'


def load(folder: Path, text: str) -> Catalog:
    path = folder / "models.toml"
    path.write_text(text)
    return load_catalog(path)


def test_defaults(tmp_path: Path) -> None:
    model = load(tmp_path, ONE).get("a")
    assert (model.version, model.max_batch_size, model.max_queue_delay_microseconds) == ("1", 32, 0)
    assert (model.preferred_batch_size, model.parameters, model.source) == ([], {}, None)
    assert model.family == "text"


def test_a_backend_may_be_left_out(tmp_path: Path) -> None:
    said = ONE.replace('backend = "stub"\n', "")
    assert load(tmp_path, said).get("a").backend == "auto"
    assert load(tmp_path, said).get("a").most_apart == 1e-3
    fast = load(tmp_path, said + 'precision = "fast"').get("a")
    assert (fast.precision, fast.most_apart) == ("fast", 0.1)
    assert load(tmp_path, said + "tolerance = 0.01").get("a").most_apart == 0.01


def test_a_declaration_can_be_written_down_and_read_again(tmp_path: Path) -> None:
    for text in (ONE, ONE.replace('backend = "stub"', 'precision = "fast"')):
        declared = load(tmp_path, text).get("a")
        for written in (
            declared.model_dump_json(),
            declared.model_dump_json(exclude_defaults=True),
        ):
            assert type(declared).model_validate_json(written) == declared


def test_everything_given(tmp_path: Path) -> None:
    text = ONE + (
        'version = "2"\nmax_batch_size = 8\nmax_queue_delay_microseconds = 500\n'
        "preferred_batch_size = [4, 8]\nparameters = { delay_s = 0.5 }\n"
    )
    model = load(tmp_path, text).get("a", "2")
    assert (model.max_batch_size, model.preferred_batch_size) == (8, [4, 8])
    assert model.parameters == {"delay_s": 0.5}


def test_the_last_declared_version_is_the_default(tmp_path: Path) -> None:
    catalog = load(tmp_path, ONE + 'version = "9"\n' + ONE + 'version = "10"\n')
    assert catalog.get("a").version == "10"
    assert catalog.versions("a") == ("9", "10")
    assert catalog.names() == ("a",)


def test_families_are_those_of_the_models(tmp_path: Path) -> None:
    other = ONE.replace('"a"', '"b"').replace("embedding", "object-detection")
    assert load(tmp_path, ONE + other).families() == ("text", "vision")


def test_unknown_model_and_version(tmp_path: Path) -> None:
    catalog = load(tmp_path, ONE)
    with pytest.raises(ModelNotFound, match="unknown model 'b'; there are a"):
        catalog.get("b")
    with pytest.raises(ModelNotFound, match="no version '7'; there are 1"):
        catalog.get("a", "7")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models = 3", r"\[\[models\]\]"),
        ("", r"\[\[models\]\]"),
        ("[[models", "not TOML"),
        ("models = [1]", r"\[\[models\]\]"),
        (ONE.replace('task = "embedding"\n', ""), "model 'a': task"),
        (ONE.replace("embedding", "origami"), "model 'a': task: unknown task 'origami'"),
        (ONE + "max_batch_size = 0", "model 'a': max_batch_size"),
        (ONE + "max_batchsize = 4", "model 'a': max_batchsize: .* mean 'max_batch_size'"),
        (ONE + 'source = ""', "model 'a': source: is empty; name a folder or a hub id"),
        (ONE + 'source = "  "', "model 'a': source: is empty"),
        (ONE + 'sorce = "x"', "model 'a': sorce: no such field; did you mean 'source'"),
        (ONE + 'dtyp = "x"', "dtyp: no such field; a backend's stand in parameters = {"),
        (ONE + 'decode = "scaled"', "decode: no such field; a backend's stand in parameters = {"),
        (ONE.replace('backend = "stub"', "tolerance = inf"), "tolerance: .* finite number"),
        (ONE.replace("embedding", "embeding"), "task 'embeding'; did you mean 'embedding'"),
        (ONE + 'precision = "fast"', "precision: backend 'stub' does not heed it: leave backend"),
        (ONE + "tolerance = 0.1", "tolerance: backend 'stub' does not heed it"),
        (ONE.replace('backend = "stub"', 'precision = "quick"'), "model 'a': precision"),
        ('name = "a"\n' + ONE, "unknown table 'name'"),
        (ONE.replace('"a"', '"a b"'), "model 'a b': name"),
        (ONE + ONE, "model 'a' version '1' is given twice"),
    ],
)
def test_errors_name_the_file_the_model_and_the_field(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CatalogError, match=said) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "models.toml"))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no such file"):
        load_catalog(tmp_path / "none.toml")


def test_source_is_a_folder_beside_the_file_or_a_hub_id(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    beside = load(tmp_path, ONE + 'source = "weights"').get("a").source
    hub = load(tmp_path, ONE + 'source = "google/vit-base-patch16-224"').get("a").source
    assert beside == str(tmp_path / "weights")
    assert hub == "google/vit-base-patch16-224"


@pytest.mark.parametrize("source", ["package:no_such_package/x", "package:wherry.tasks/no/such"])
def test_a_package_that_is_not_there_is_told_by_who_needs_it(tmp_path: Path, source: str) -> None:
    assert load(tmp_path, ONE + f'source = "{source}"').get("a").source == source
    with pytest.raises(ValueError, match="package '[a-z_.]+' (is not installed|has no 'no/such')"):
        locate(source, tmp_path)


def test_all_faults_are_told_at_once_and_the_rest_can_be_looked_at(tmp_path: Path) -> None:
    other = ONE.replace('"a"', '"b"')
    with pytest.raises(CatalogError) as caught:
        load(tmp_path, ONE + "sorce = 1\nversoin = 2\n" + other + ONE.replace("embedding", "x"))
    assert len(str(caught.value).splitlines()) == 3
    assert [model.name for model in caught.value.models] == ["b"]


@pytest.mark.parametrize(
    ("source", "is_path"),
    [
        ("./weights", True),
        ("../weights", True),
        ("/weights", True),
        ("~/weights", True),
        ("weights/", True),
        ("there/weights", True),
        ("a/b/c", True),
        ("model.onnx", True),
        ("with space/model", True),
        ("google/vit-base-patch16-224", False),
        ("gpt2", False),
        ("microsoft/table-transformer.v1.1", False),
    ],
)
def test_what_looks_like_a_path_is_no_hub_id(tmp_path: Path, source: str, *, is_path: bool) -> None:
    (tmp_path / "there").mkdir()
    for backend in ("transformers", "onnxruntime"):
        text = ONE.replace("stub", backend) + f'source = "{source}"'
        found = str(load(tmp_path, text).get("a").source)
        assert Path(found).is_absolute() == is_path
        assert is_path or found == source


def test_a_handlers_source_is_relative_to_its_own_folder(tmp_path: Path) -> None:
    text = '[[models]]\nname = "a"\ntask = "custom"\nbackend = "handler"\nsource = "./mine"'
    assert load(tmp_path, text).get("a").source == "./mine"


def test_source_in_a_package(tmp_path: Path) -> None:
    source = (
        load(tmp_path, ONE + 'source = "package:wherry.samples/weights/digits"').get("a").source
    )
    assert source is not None
    assert Path(source) == Path(next(iter(wherry.samples.__path__))) / "weights" / "digits"


def versioned(folder: Path, policy: str, more: str = "", source: str = "vit") -> Catalog:
    return load(
        folder,
        f"""
        [[models]]
        name = "a"
        task = "embedding"
        backend = "transformers"
        source = "{source}"
        version_policy = {policy}
        {more}
        """,
    )


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("{ latest = {} }", ["10"]),
        ("{ latest = { num_versions = 2 } }", ["9", "10"]),
        ("{ latest = { num_versions = 5 } }", ["2", "9", "10"]),
        ("{ all = {} }", ["2", "9", "10"]),
        ("{ specific = { versions = [9, 2] } }", ["2", "9"]),
    ],
)
def test_a_policy_says_which_version_folders_are_served(
    tmp_path: Path, policy: str, versions: list[str]
) -> None:
    for name in ("2", "9", "10", "01", "0", "notes", "3.old"):
        (tmp_path / "vit" / name).mkdir(parents=True)
    (tmp_path / "vit" / "11").write_text("a file is no version")
    catalog = versioned(tmp_path, policy)
    assert [model.version for model in catalog.models] == versions
    assert catalog.get("a").version == versions[-1]  # the greatest is meant
    assert [model.source for model in catalog.models] == [
        str(tmp_path / "vit" / version) for version in versions
    ]


@pytest.mark.parametrize(
    ("policy", "more", "said"),
    [
        ("{ latest = {}, all = {} }", "", "name one of latest, all and specific"),
        ("{ latest = { versions = 1 } }", "", "version_policy.latest.versions: no such field"),
        ("{ latest = { num_versions = 0 } }", "", "greater than or equal to 1"),
        ("{ all = {} }", 'version = "1"', "version_policy finds the versions: leave out version"),
        ("{ all = {} }", "", "version_policy: there is no folder"),
    ],
)
def test_a_policy_that_cannot_be_kept_says_why(
    tmp_path: Path, policy: str, more: str, said: str
) -> None:
    with pytest.raises(CatalogError, match=said):
        versioned(tmp_path, policy, more)


def test_a_policy_needs_version_folders(tmp_path: Path) -> None:
    (tmp_path / "vit").mkdir()
    with pytest.raises(CatalogError, match="vit holds no folder of a version, such as 1"):
        versioned(tmp_path, "{ all = {} }")
    with pytest.raises(CatalogError, match="version_policy needs source"):
        versioned(tmp_path, "{ all = {} }", source="package:x/y")
