"""ops/kubernetes as kustomize builds it: valid by the schemas, and meant as it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import redis
import yaml

from wherry.api.settings import ApiSettings
from wherry.jobs.settings import JobsSettings
from wherry.ops.ports import free_port
from wherry.ops.redis_server import find_binary
from wherry.runs.settings import RunSettings
from wherry.tasks.base import FAMILIES
from wherry.tasks.models_file import load_catalog
from wherry.telemetry.metrics_settings import MetricsSettings
from wherry.workers.settings import WorkerSettings

from ..house.test_commands_in_pages import unknown
from ..support import manifests
from ..support.manifests import Network, Object, containers, labels, of_kind, pod, workloads
from ..support.programs import run
from ..support.waiting import until

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
OVERLAYS = ("cpu", "gpu", "external")
WORKERS = {f"worker-{family}" for family in FAMILIES}
OURS = WORKERS | {"api", "runs"}

#: The oldest release that is still looked after, or nearly, and the newest that has schemas.
VERSIONS = ("1.31", "1.37")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifests.laid_down(tmp_path_factory.mktemp("manifests"))


@pytest.fixture(scope="module")
def built(place: Path) -> dict[str, list[Object]]:
    return {name: manifests.built(place / "overlays" / name) for name in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest, built: dict[str, list[Object]]) -> list[Object]:
    return built[request.param]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_of_its_schema(built: dict[str, list[Object]], version: str) -> None:
    different = {json.dumps(each, sort_keys=True) for objects in built.values() for each in objects}
    assert len(different) > len(built["cpu"])
    for each in different:
        kubernetes_validate.validate(json.loads(each), version, strict=True)


def test_the_schemas_would_refuse_a_mistake(built: dict[str, list[Object]]) -> None:
    (claim, *_) = of_kind(built["cpu"], "PersistentVolumeClaim").values()
    wrong = {**claim, "spec": {**claim["spec"], "acessModes": ["ReadWriteOnce"]}}
    with pytest.raises(kubernetes_validate.ValidationError, match="acessModes"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_the_fleet_is_whole(built: dict[str, list[Object]]) -> None:
    assert set(workloads(built["cpu"])) == set(workloads(built["gpu"])) == OURS | {"redis", "s3"}
    assert set(workloads(built["external"])) == OURS


def test_secrets_are_an_operators_own(place: Path, tmp_path: Path) -> None:
    bare = tmp_path / "kubernetes"
    shutil.copytree(manifests.SOURCE, bare, ignore=shutil.ignore_patterns("secrets.env"))
    for name in OVERLAYS:
        refused = run("kubectl", "kustomize", bare / "overlays" / name, cwd=bare)
        assert refused.returncode != 0
        assert "secrets.env" in refused.stderr
        ignored = ["git", "check-ignore", "-q", f"ops/kubernetes/overlays/{name}/secrets.env"]
        assert subprocess.run(ignored, cwd=ROOT, check=False).returncode == 0
        for line in (bare / "overlays" / name / "secrets.env.example").read_text().splitlines():
            value = line.partition("=")[2]
            assert line.startswith("#") or value in {"", "wherry"} or "PASSWORD@" in value, line


def test_what_is_named_is_there(objects: list[Object]) -> None:
    def names(kind: str) -> set[str]:
        return set(of_kind(objects, kind))

    for name, workload in workloads(objects).items():
        spec = pod(workload)
        assert spec["serviceAccountName"] in names("ServiceAccount")
        for volume in spec.get("volumes", ()):
            if "configMap" in volume:
                assert volume["configMap"]["name"] in names("ConfigMap"), name
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert claim in names("PersistentVolumeClaim"), name
        claims = workload["spec"].get("volumeClaimTemplates", ())
        mounted = {each["name"] for each in spec.get("volumes", ())}
        mounted |= {each["metadata"]["name"] for each in claims}
        for container in containers(workload):
            assert {each["name"] for each in container["volumeMounts"]} <= mounted
            for source in container.get("envFrom", ()):
                assert source.get("configMapRef", {"name": ""})["name"] in names("ConfigMap") | {""}
                assert source.get("secretRef", {"name": ""})["name"] in names("Secret") | {""}
            for variable in container.get("env", ()):
                wanted = variable.get("valueFrom", {}).get("secretKeyRef")
                if wanted:
                    secret = of_kind(objects, "Secret")[wanted["name"]]
                    assert wanted["key"] in secret["data"], (name, wanted)


def chooses(selector: Object, every: dict[str, Object]) -> list[str]:
    return [name for name, each in every.items() if manifests.selects(selector, labels(each))]


def test_selectors_mean_one_workload_each(objects: list[Object]) -> None:
    every = workloads(objects)
    for name, workload in every.items():
        assert chooses(workload["spec"]["selector"], every) == [name]
        for spread in pod(workload).get("topologySpreadConstraints", ()):
            assert chooses(spread["labelSelector"], every) == [name]
    budgets = of_kind(objects, "PodDisruptionBudget")
    assert set(budgets) == OURS
    for name, budget in budgets.items():
        assert manifests.selects(budget["spec"]["selector"], labels(every[name]))
        assert budget["spec"]["maxUnavailable"] == 1
    (scaler,) = of_kind(objects, "HorizontalPodAutoscaler").values()
    target = every[scaler["spec"]["scaleTargetRef"]["name"]]
    assert "replicas" not in target["spec"], "two would quarrel about it"
    assert scaler["spec"]["minReplicas"] >= 2


def test_services_lead_to_ports_that_are_open(objects: list[Object]) -> None:
    for name, service in of_kind(objects, "Service").items():
        workload = workloads(objects)[name]
        assert service["spec"]["selector"].items() <= labels(workload).items()
        ports = manifests.ports(workload)
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
        if workload["kind"] == "StatefulSet":
            assert workload["spec"]["serviceName"] == name


def test_every_pod_is_of_the_restricted_kind(objects: list[Object]) -> None:
    namespace = of_kind(objects, "Namespace")["wherry"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, workload in workloads(objects).items():
        spec = pod(workload)
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        for container in containers(workload):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name


def test_the_pod_that_copies_weights_may_run_beside_them(built: dict[str, list[Object]]) -> None:
    copier = yaml.safe_load((manifests.SOURCE / "tools" / "copy-models.yaml").read_text())
    kubernetes_validate.validate(copier, VERSIONS[-1], strict=True)
    worker = workloads(built["cpu"])["worker-text"]
    for name in ("serviceAccountName", "automountServiceAccountToken", "enableServiceLinks"):
        assert copier["spec"][name] == pod(worker)[name]
    assert copier["spec"]["securityContext"].items() <= pod(worker)["securityContext"].items()
    (container,), (other,) = copier["spec"]["containers"], pod(worker)["containers"]
    assert container["securityContext"] == other["securityContext"]
    assert copier["spec"]["volumes"][0] in pod(worker)["volumes"]
    assert container["image"] == pod(workloads(built["cpu"])["api"])["containers"][0]["image"]


def test_every_container_has_limits_and_an_image_of_one_version(objects: list[Object]) -> None:
    for name, workload in workloads(objects).items():
        for container in containers(workload):
            image, _, tag = container["image"].rpartition(":")
            assert image, name
            assert tag
            assert tag != "latest"
            limits, requests = (container["resources"][each] for each in ("limits", "requests"))
            assert {"cpu", "memory"} <= limits.keys()
            assert {"cpu", "memory"} <= requests.keys()


def test_our_images_are_those_that_compose_builds(built: dict[str, list[Object]]) -> None:
    version = (ROOT / "pyproject.toml").read_text().partition('\nversion = "')[2].partition('"')[0]
    known = {each["image"] for each in COMPOSE.values()}
    for objects in built.values():
        for name, workload in workloads(objects).items():
            image = next(containers(workload))["image"].rpartition("/")[2]
            if name in OURS:
                image, _, tag = image.partition(":")
                assert tag == version
            else:
                image = next(containers(workload))["image"]
            assert image in known, name


def test_every_container_that_stays_is_asked_three_things(objects: list[Object]) -> None:
    for name, workload in workloads(objects).items():
        for container in pod(workload)["containers"]:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), name


def test_a_worker_is_alive_while_it_consumes_and_ready_when_models_are_warm(
    objects: list[Object],
) -> None:
    alive = ["python", "-P", "-m", "wherry.workers.health"]
    for name in WORKERS | {"runs"}:
        (container,) = pod(workloads(objects)[name])["containers"]
        assert container["startupProbe"]["exec"]["command"] == alive
        assert container["livenessProbe"]["exec"]["command"] == alive
        assert container["readinessProbe"]["exec"]["command"] == [*alive, "--ready"]
        # Longer than a consumer that is deaf takes to be mended: two restarts, and the end.
        live = container["livenessProbe"]
        patience_s = WorkerSettings().ticket_patience_s
        assert live["periodSeconds"] * live["failureThreshold"] > 3 * patience_s


def test_a_pod_has_the_time_that_its_end_takes(objects: list[Object]) -> None:
    every = workloads(objects)
    for name in WORKERS:
        grace_s = pod(every[name])["terminationGracePeriodSeconds"]
        assert grace_s > 2 * WorkerSettings().drain_timeout_s
    (api,) = pod(every["api"])["containers"]
    sleep, seconds = api["lifecycle"]["preStop"]["exec"]["command"]
    assert sleep == "sleep"
    open_s = int(api["args"][api["args"].index("--timeout-graceful-shutdown") + 1])
    assert pod(every["api"])["terminationGracePeriodSeconds"] > int(seconds) + open_s
    # Sooner gone from the service than it stops.
    ready = api["readinessProbe"]
    assert int(seconds) >= ready["periodSeconds"]


def words(container: Object) -> list[str]:
    """Command and arguments as Kubernetes expands them."""
    env = {each["name"]: each.get("value", "") for each in container.get("env", ())}
    found = [*container["command"], *container["args"]]
    for name, value in env.items():
        found = [word.replace(f"$({name})", value) for word in found]
    return found


def test_commands_are_those_of_compose_which_are_run(objects: list[Object]) -> None:
    for name in OURS:
        (container,) = pod(workloads(objects)[name])["containers"]
        given = words(container)
        if name == "api":
            given[-1] = COMPOSE["api"]["command"][-1]  # its grace is the place's own
        assert given == COMPOSE["worker-runs" if name == "runs" else name]["command"]
        if name != "api":
            assert unknown(given[1:]) == ""


def test_what_a_variable_names_stands_before_it(objects: list[Object]) -> None:
    for workload in workloads(objects).values():
        for container in containers(workload):
            seen: set[str] = set()
            for each in container.get("env", ()):
                value = each.get("value", "")
                if "$(" in value:
                    assert value.partition("$(")[2].partition(")")[0] in seen
                seen.add(each["name"])


def test_every_setting_exists_and_says_where_redis_and_the_store_are(objects: list[Object]) -> None:
    known = {
        f"WHERRY_{field.upper()}"
        for settings in (ApiSettings, JobsSettings, MetricsSettings, RunSettings, WorkerSettings)
        for field in settings.model_fields
    }
    for name in OURS:
        (container,) = pod(workloads(objects)[name])["containers"]
        given = {each["name"] for each in container.get("env", ())}
        for source in container["envFrom"]:
            kind = "ConfigMap" if "configMapRef" in source else "Secret"
            (reference,) = source.values()
            given |= set(of_kind(objects, kind)[reference["name"]]["data"])
        ours = {each for each in given if each.startswith("WHERRY_")}
        assert ours <= known, name
        assert {"WHERRY_REDIS_URL", "WHERRY_MODELS", "WHERRY_STORE_URL", "WHERRY_API_URL"} <= ours


def test_redis_has_the_secrets_password_in_its_url(built: dict[str, list[Object]]) -> None:
    (container,) = pod(workloads(built["cpu"])["api"])["containers"]
    env = {each["name"]: each for each in container["env"]}
    assert env["WHERRY_REDIS_URL"]["value"] == "redis://:$(REDIS_PASSWORD)@redis:6379/0"
    (external,) = of_kind(built["external"], "Secret").values()
    assert "WHERRY_REDIS_URL" in external["data"]
    settings = next(
        m for n, m in of_kind(built["external"], "ConfigMap").items() if "settings" in n
    )
    assert "WHERRY_S3_ENDPOINT_URL" not in settings["data"]


def test_the_models_of_a_first_start_are_of_every_family(
    objects: list[Object], tmp_path: Path
) -> None:
    (text,) = (
        each["data"]["models.toml"]
        for name, each in of_kind(objects, "ConfigMap").items()
        if re.fullmatch(r"models-file-\w+", name)  # of its content: a change replaces pods
    )
    (tmp_path / "models.toml").write_text(text)
    assert set(load_catalog(tmp_path / "models.toml").families()) == set(FAMILIES)
    for name in OURS - {"runs"}:
        (container,) = pod(workloads(objects)[name])["containers"]
        (mount,) = [m for m in container["volumeMounts"] if m["name"] == "models-file"]
        assert mount["mountPath"] == "/etc/wherry"


def test_gpus_are_for_workers_alone(built: dict[str, list[Object]]) -> None:
    for name, workload in workloads(built["gpu"]).items():
        (container,) = pod(workload)["containers"]
        gpus = container["resources"]["limits"].get("nvidia.com/gpu")
        assert gpus == ("1" if name in WORKERS else None)
        if name not in WORKERS:
            continue
        env = {each["name"]: each.get("value") for each in container["env"]}
        assert env["WHERRY_DEVICE"] == "cuda:0"
        assert pod(workload)["runtimeClassName"] == "nvidia"
        assert [each["key"] for each in pod(workload)["tolerations"]] == ["nvidia.com/gpu"]
        assert workload["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0
    for workload in workloads(built["cpu"]).values():
        assert "runtimeClassName" not in pod(workload)


@pytest.mark.parametrize("overlay", ["cpu", "gpu"])
def test_nobody_speaks_with_anybody_but_whom_it_needs(
    built: dict[str, list[Object]], overlay: str
) -> None:
    network = Network(built[overlay])
    for name in OURS:
        assert network.allows(name, "redis", 6379), name
        assert network.allows(name, "s3", 7070), name
        assert not network.allows("redis", name, 8750)
        assert not network.leaves_for(name, 443), name
        for other in WORKERS | {"runs"}:
            assert not network.allows(name, other, 8750)
    assert network.allows("runs", "api", 8750)
    assert network.allows("", "api", 8750), "an Ingress's pod"
    assert not network.allows("worker-vision", "api", 8750)
    for name in WORKERS | {"runs"}:
        assert network.allows("@monitoring", name, 9750)
        assert not network.allows("", name, 9750)
    assert not network.allows("@monitoring", "redis", 6379)
    assert not network.allows("", "redis", 6379)
    assert not network.allows("", "s3", 7070)
    assert not network.allows("redis", "s3", 7070)


def test_outside_stores_are_reached_and_nothing_else_inside(built: dict[str, list[Object]]) -> None:
    network = Network(built["external"])
    for name in OURS:
        assert network.leaves_for(name, 443)
    assert network.allows("runs", "api", 8750)
    assert not network.allows("worker-text", "api", 8750)


def test_the_internet_is_a_component(place: Path, tmp_path: Path) -> None:
    overlay = place / "overlays" / "online"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["../cpu"], "components": ["../../components/internet"]})
    )
    network = Network(manifests.built(overlay))
    assert all(network.leaves_for(name, 443) for name in OURS)
    assert not network.leaves_for("redis", 443)


def test_an_overlay_of_ones_own_is_what_the_page_says(place: Path) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    overlay = place / "overlays" / "own"
    overlay.mkdir()
    given = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    (count,) = re.findall(r"`(replicas: .*?)`", page)
    # One worker for several families, as the page says of GPUs.
    (args,) = re.findall(r"`args: (\[.*?\])`", page)
    value = yaml.safe_load(args)
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": value}]
    target = {"kind": "Deployment", "name": "worker-vision"}
    patches = [{"target": target, "patch": json.dumps(patch)}]
    whole = {**given, **yaml.safe_load(count), "patches": patches}
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(whole))
    (overlay / "models.toml").write_text("# mine\n")
    objects = manifests.built(overlay)
    mine = {n: m["data"] for n, m in of_kind(objects, "ConfigMap").items() if "models" in n}
    assert list(mine.values()) == [{"models.toml": "# mine\n"}]
    assert workloads(objects)["worker-audio"]["spec"]["replicas"] == 0
    volumes = {each["name"]: each for each in pod(workloads(objects)["worker-text"])["volumes"]}
    assert volumes["models-file"]["configMap"]["name"] in mine
    command = words(pod(workloads(objects)["worker-vision"])["containers"][0])
    assert command[2:4] == ["vision", "text"]
    assert unknown(command[1:]) == ""


def test_redis_starts_by_its_own_line(built: dict[str, list[Object]], tmp_path: Path) -> None:
    (container,) = pod(workloads(built["cpu"])["redis"])["containers"]
    shell, option = container["command"]
    (script,) = container["args"]

    @contextmanager
    def started(data: Path) -> Iterator[int]:
        port = free_port()
        ours = script.replace("/data", shlex.quote(str(data)))
        ours = ours.replace("valkey-server", f"{find_binary()} --port {port} --bind 127.0.0.1")
        server = subprocess.Popen(
            [shell, option, ours],
            env={**os.environ, "REDISCLI_AUTH": "sesame"},
            stdout=subprocess.DEVNULL,
        )
        try:
            yield port
        finally:
            server.terminate()
            server.wait(timeout=30)

    with started(tmp_path) as port, redis.Redis(port=port, password="sesame") as client:
        until(lambda: pings(client))
        settings: Any = client.config_get("*")
        assert settings["maxmemory-policy"] == "noeviction"
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "everysec"
        assert int(settings["maxmemory"]) == 2 << 30
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        # docs/kubernetes.md, "Backup".
        client.set("kept", "all that was in it")
        client.config_set("auto-aof-rewrite-percentage", 0)
        copy = tmp_path / "copy"
        shutil.copytree(tmp_path / "appendonlydir", copy / "appendonlydir")
        client.set("later", "not in the copy")
    with started(copy) as port, redis.Redis(port=port, password="sesame") as client:
        until(lambda: pings(client))
        assert client.get("kept") == b"all that was in it"
        assert client.get("later") is None


def pings(client: Any) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
