"""What ops/kubernetes/keda/ applies: read as KEDA's definitions and Kubernetes' schemas have it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from wherry.api.core.scaling import policy_of
from wherry.api.settings import ApiSettings
from wherry.api.surfaces.keda.metadata import read_trigger
from wherry.tasks.base import FAMILIES
from wherry.telemetry.metric_specs import FLEET

from ..support import manifests
from ..support.later import Later
from ..support.manifests import Object, labels, pod, selects

cloudcoil = Later("cloudcoil.models.keda.v1alpha1")

KEDA = Path(__file__).parents[2] / "ops" / "kubernetes" / "keda"
WAYS = ("grpc", "prometheus")
OVERLAYS = (
    "cpu",
    pytest.param("gpu", marks=pytest.mark.slow),
    pytest.param("external", marks=pytest.mark.slow),
)

Build = Callable[..., dict[tuple[str, str], Object]]


def documents(path: Path) -> list[Any]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def scaled_objects(way: str) -> list[Any]:
    return documents(KEDA / way / "scaled-objects.yaml")


@pytest.mark.parametrize("way", WAYS)
def test_scaled_objects_are_what_kedas_definitions_have(way: str) -> None:
    for each in scaled_objects(way):
        read = cloudcoil.ScaledObject.model_validate(each)
        # A field that KEDA has not would be gone.
        assert read.model_dump(by_alias=True, exclude_none=True, mode="json") == each


@pytest.mark.parametrize("way", WAYS)
def test_each_family_has_one_that_scales_its_deployment(way: str) -> None:
    found = {each["spec"]["scaleTargetRef"]["name"] for each in scaled_objects(way)}
    assert found == {f"worker-{family}" for family in FAMILIES}


@pytest.mark.parametrize("way", WAYS)
def test_the_number_told_is_the_number_wanted(way: str) -> None:
    """An average value of one a worker; what is held is held by Wherry, once."""
    for each in scaled_objects(way):
        spec = each["spec"]
        [trigger] = spec["triggers"]
        assert trigger["metricType"] == "AverageValue"
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 0
        assert spec["minReplicaCount"] == 0
        # While the scaler does not answer, all stay as they are.
        assert "fallback" not in spec


def test_the_api_takes_what_the_triggers_say() -> None:
    for each in scaled_objects("grpc"):
        [trigger] = each["spec"]["triggers"]
        assert trigger["type"] == "external-push"
        read = read_trigger(trigger["metadata"], policy_of(ApiSettings()))
        assert f"worker-{read.family}" == each["metadata"]["name"]
        assert read.policy == policy_of(ApiSettings())


def test_prometheus_is_asked_for_a_metric_that_there_is() -> None:
    for each in scaled_objects("prometheus"):
        [trigger] = each["spec"]["triggers"]
        family = each["metadata"]["name"].removeprefix("worker-")
        metadata = trigger["metadata"]
        assert metadata["query"] == f'max(wherry_desired_workers{{family="{family}"}})'
        assert metadata["threshold"] == "1"
    [spec] = [spec for spec in FLEET if spec.name == "wherry_desired_workers"]
    assert spec.labels == ("family",)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """What kustomize makes of an overlay and some components, by kind and name."""
    place = manifests.laid_down(tmp_path_factory.mktemp("manifests"))

    @functools.cache
    def make(overlay: str, *components: str) -> dict[tuple[str, str], Object]:
        file = place / "overlays" / overlay / "kustomization.yaml"
        said, before = yaml.safe_load(file.read_text()), file.read_text()
        said["components"] = [
            *said.get("components", ()),
            *(f"../../keda/{each}" for each in components),
        ]
        file.write_text(yaml.safe_dump(said))
        found = manifests.built(file.parent)
        file.write_text(before)
        return {(each["kind"], each["metadata"]["name"]): each for each in found}

    return make


def env_of(deployment: Any) -> dict[str, Any]:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each for each in container["env"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_with_keda_the_api_serves_its_calls_and_no_family_needs_a_worker(
    build: Build, overlay: str
) -> None:
    found = build(overlay, "grpc", "pod-cost")
    api = found["Deployment", "api"]
    assert env_of(api)["WHERRY_GRPC_PORT"]["value"] == "9000"
    assert env_of(api)["WHERRY_SCALE_TO_ZERO"]["value"] == "*"
    ports = {port["name"]: port["port"] for port in found["Service", "api"]["spec"]["ports"]}
    for family in FAMILIES:
        scaled = found["ScaledObject", f"worker-{family}"]
        [trigger] = scaled["spec"]["triggers"]
        service, _, port = trigger["metadata"]["scalerAddress"].partition(":")
        assert service.split(".")[:2] == ["api", scaled["metadata"]["namespace"]]
        assert ports["grpc"] == int(port)
        worker = found["Deployment", scaled["spec"]["scaleTargetRef"]["name"]]
        assert "replicas" not in worker["spec"]  # the autoscaler's
        key = env_of(worker)[trigger["metadata"]["apiKeyFromEnv"]]
        assert key["valueFrom"]["secretKeyRef"]["name"] == "scaler"


def test_keda_alone_reaches_the_port(build: Build) -> None:
    found = build("cpu", "grpc", "pod-cost")
    [rule] = found["NetworkPolicy", "keda-to-api"]["spec"]["ingress"]
    [peer] = rule["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "keda"}
    policies = [each for (kind, _), each in found.items() if kind == "NetworkPolicy"]
    to_grpc = [
        each["metadata"]["name"]
        for each in policies
        for rule in each["spec"].get("ingress") or ()
        if {"port": "grpc"} in rule.get("ports", ())
    ]
    assert to_grpc == ["keda-to-api"]
    [spec] = [p["spec"] for p in policies if p["metadata"]["name"] == "keda-to-api"]
    assert selects(spec["podSelector"], labels(found["Deployment", "api"]))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_with_prometheus_the_api_is_ready_without_workers(build: Build, overlay: str) -> None:
    found = build(overlay, "prometheus")
    assert env_of(found["Deployment", "api"])["WHERRY_SCALE_TO_ZERO"]["value"] == "*"
    for family in FAMILIES:
        assert "replicas" not in found["Deployment", f"worker-{family}"]["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_may_say_what_ending_them_costs_and_no_more(build: Build, overlay: str) -> None:
    found = build(overlay, "grpc", "pod-cost")
    [rule] = found["Role", "pod-cost"]["rules"]
    assert rule == {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}
    [subject] = found["RoleBinding", "pod-cost"]["subjects"]
    assert subject["namespace"] == found["ServiceAccount", subject["name"]]["metadata"]["namespace"]
    for family in FAMILIES:
        worker = found["Deployment", f"worker-{family}"]
        assert pod(worker)["serviceAccountName"] == subject["name"]
        assert pod(worker)["automountServiceAccountToken"] is True
        name = env_of(worker)["WHERRY_POD_NAME"]
        assert name["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert "WHERRY_POD_NAME" not in env_of(found["Deployment", "api"])


def test_what_components_add_and_change_is_valid_by_kubernetes_schemas(build: Build) -> None:
    plain = build("cpu")
    for components in (("grpc", "pod-cost"), ("prometheus",)):
        for key, each in build("cpu", *components).items():
            kind, name = key
            alike = kind == "Deployment" and name.startswith("worker-") and name != "worker-vision"
            if kind != "ScaledObject" and each != plain.get(key) and not alike:
                kubernetes_validate.validate(each, "1.31", strict=True)


def test_every_component_is_in_the_page() -> None:
    page = (KEDA.parents[2] / "docs" / "scaling.md").read_text()
    for folder in KEDA.iterdir():
        assert f"| `{folder.name}` |" in page
