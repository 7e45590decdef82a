"""compose.yaml against the specification's schema, our settings, and the local stack's commands."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from wherry.api.settings import ApiSettings
from wherry.jobs.settings import JobsSettings
from wherry.ops.services import api_command, flower_command, runs_command, worker_command
from wherry.runs.settings import RunSettings
from wherry.tasks.catalog import load_catalog
from wherry.workers.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name in SERVICES if name not in {"redis", "s3"}]


def test_it_follows_the_compose_specification() -> None:
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(COMPOSE)


def test_the_schema_would_refuse_a_mistake() -> None:
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    wrong = {"services": {"api": {"image": "x", "comand": ["x"]}}}
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.validate(wrong, json.loads(vendored.read_text()))


def test_the_fleet_is_whole() -> None:
    assert set(SERVICES) == {
        "redis",
        "s3",
        "api",
        "worker-vision",
        "worker-text",
        "worker-vision-gpu",
        "worker-runs",
        "flower",
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_published_ports_are_on_loopback(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", OURS)
def test_every_setting_exists(name: str) -> None:
    known = {
        f"WHERRY_{field.upper()}"
        for settings in (ApiSettings, JobsSettings, RunSettings, WorkerSettings)
        for field in settings.model_fields
    }
    given = {key for key in SERVICES[name]["environment"] if key.startswith("WHERRY_")}
    assert given <= known
    assert {"WHERRY_REDIS_URL", "WHERRY_MODELS", "WHERRY_STORE_URL"} <= given


def test_there_is_a_worker_for_every_family_of_the_models() -> None:
    models = ROOT / "ops" / "compose" / "models.toml"
    queues = {options(name)["-Q"] for name in OURS if name.startswith("worker")}
    assert set(load_catalog(models).families()) <= queues
    assert COMPOSE["configs"]["models"]["file"].endswith(":-./ops/compose/models.toml}")


def test_the_gpu_worker_waits_for_its_profile_and_has_a_device() -> None:
    gpu = SERVICES["worker-vision-gpu"]
    assert gpu["profiles"] == ["gpu"]
    assert gpu["environment"]["WHERRY_DEVICE"] == "cuda:0"
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert not any("profiles" in service for name, service in SERVICES.items() if "gpu" not in name)


def test_run_workers_reach_the_api_by_its_service() -> None:
    port = SERVICES["api"]["environment"]["UVICORN_PORT"]
    assert SERVICES["worker-runs"]["environment"]["WHERRY_API_URL"] == f"http://api:{port}"


def test_flower_asks_for_a_password() -> None:
    assert SERVICES["flower"]["environment"]["FLOWER_BASIC_AUTH"].startswith("${WHERRY_FLOWER_AUTH")


def test_redis_keeps_jobs_as_the_embedded_server_does() -> None:
    given = options("redis")
    assert given["--appendonly"] == "yes"
    assert given["--appendfsync"] == "everysec"
    assert given["--maxmemory-policy"] == "noeviction"


def options(name: str) -> dict[str, str]:
    """A command's options: `-Q vision`, `--address=x`, or a flag alone."""
    return parse(SERVICES[name]["command"])


def parse(command: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word, following in zip(command, [*command[1:], "-"], strict=True):
        if word.startswith("-"):
            option, _, value = word.partition("=")
            found[option] = value or ("" if following.startswith("-") else following)
    return found


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("api", api_command(8750)),
        ("worker-vision", worker_command("vision", 0)),
        ("worker-text", worker_command("text", 0)),
        ("worker-vision-gpu", worker_command("vision", 0)),
        ("worker-runs", runs_command(0)),
        ("flower", flower_command(5555)),
    ],
)
def test_a_command_is_the_local_stacks_own(name: str, local: list[str]) -> None:
    # Where it listens, its name and how much it says are the place's own.
    own = {"--host", "--port", "--address", "-n", "--loglevel", "--log-level", "--logging"}
    places = own | {"-m", "--quiet"}
    given, expected = options(name), parse(local)
    assert {k: v for k, v in given.items() if k not in places} == {
        k: v for k, v in expected.items() if k not in places
    }


def test_a_worker_is_pinged_under_the_name_it_has() -> None:
    for name in OURS:
        if name.startswith("worker"):
            (_, check), node = SERVICES[name]["healthcheck"]["test"], options(name)["-n"]
            assert check.endswith(f"-d {node.replace('%h', '$$HOSTNAME')}")


def test_the_image_installs_extras_that_exist() -> None:
    dockerfile = (ROOT / "ops" / "Dockerfile").read_text()
    pyproject = (ROOT / "pyproject.toml").read_text()
    asked = {e for name in OURS for e in SERVICES[name]["build"]["args"]["EXTRAS"].split(",")}
    default = re.search(r"^ARG EXTRAS=(\S+)$", dockerfile, re.MULTILINE)
    assert default is not None
    for extra in asked | set(default[1].split(",")):
        assert re.search(rf"^{extra} = \[", pyproject, re.MULTILINE), extra
