"""What ops/kubernetes/keda/ applies: read as KEDA's definitions and Kubernetes' schemas have it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject

from wherry.api.core.scaling import policy_of
from wherry.api.settings import ApiSettings
from wherry.api.surfaces.keda.metadata import read_trigger
from wherry.tasks.base import FAMILIES
from wherry.telemetry.metric_specs import FLEET

KEDA = Path(__file__).parents[2] / "ops" / "kubernetes" / "keda"
WAYS = ("grpc", "prometheus")

#: The least that the components patch: an API, its service, and a worker.
BASE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, labels: {app.kubernetes.io/component: api}}
spec:
  selector: {matchLabels: {app.kubernetes.io/component: api}}
  template:
    metadata: {labels: {app.kubernetes.io/component: api}}
    spec:
      containers:
        - name: wherry
          image: wherry-api
          env: [{name: UVICORN_PORT, value: "8750"}]
          ports: [{name: http, containerPort: 8750}]
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec:
  selector: {app.kubernetes.io/component: api}
  ports: [{name: http, port: 8750, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker-vision, labels: {app.kubernetes.io/component: worker}}
spec:
  replicas: 1
  selector: {matchLabels: {app.kubernetes.io/component: worker}}
  template:
    metadata: {labels: {app.kubernetes.io/component: worker}}
    spec:
      serviceAccountName: wherry
      automountServiceAccountToken: false
      containers:
        - name: wherry
          image: wherry-worker
          env: [{name: FAMILY, value: vision}]
"""


def documents(path: Path) -> list[Any]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def scaled_objects(way: str) -> list[Any]:
    return documents(KEDA / way / "scaled-objects.yaml")


@pytest.mark.parametrize("way", WAYS)
def test_scaled_objects_are_what_kedas_definitions_have(way: str) -> None:
    for each in scaled_objects(way):
        read = ScaledObject.model_validate(each)
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


def built(folder: Path, *components: str) -> dict[tuple[str, str], Any]:
    """What kustomize makes of the base and some components, by kind and name."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is missing: apt-get install kubernetes-client")
    shutil.copytree(KEDA, folder / "keda")
    (folder / "base.yaml").write_text(BASE)
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "wherry",
        "resources": ["base.yaml"],
        "components": [f"keda/{each}" for each in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    done = subprocess.run(
        [kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = [each for each in yaml.safe_load_all(done.stdout) if each]
    for each in found:
        if each["kind"] != "ScaledObject":
            kubernetes_validate.validate(each, "1.31", strict=True)
        assert each["metadata"]["namespace"] == "wherry"
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def env_of(deployment: Any) -> dict[str, Any]:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each for each in container["env"]}


def test_with_keda_the_api_serves_its_calls_and_no_family_needs_a_worker(tmp_path: Path) -> None:
    found = built(tmp_path, "grpc")
    api, worker = found["Deployment", "api"], found["Deployment", "worker-vision"]
    assert env_of(api)["WHERRY_GRPC_PORT"]["value"] == "9000"
    assert env_of(api)["WHERRY_SCALE_TO_ZERO"]["value"] == "*"
    ports = {port["name"]: port["port"] for port in found["Service", "api"]["spec"]["ports"]}
    [trigger] = found["ScaledObject", "worker-vision"]["spec"]["triggers"]
    service, _, port = trigger["metadata"]["scalerAddress"].partition(":")
    assert service.split(".")[:2] == ["api", "wherry"]
    assert ports["grpc"] == int(port)
    assert "replicas" not in worker["spec"]  # the autoscaler's
    key = trigger["metadata"]["apiKeyFromEnv"]
    assert env_of(worker)[key]["valueFrom"]["secretKeyRef"]["name"] == "scaler"
    [rule] = found["NetworkPolicy", "keda-to-api"]["spec"]["ingress"]
    assert rule["ports"] == [{"port": "grpc"}]


def test_with_prometheus_the_api_is_ready_without_workers(tmp_path: Path) -> None:
    found = built(tmp_path, "prometheus")
    assert env_of(found["Deployment", "api"])["WHERRY_SCALE_TO_ZERO"]["value"] == "*"
    assert "replicas" not in found["Deployment", "worker-vision"]["spec"]


def test_pods_may_say_what_ending_them_costs_and_no_more(tmp_path: Path) -> None:
    found = built(tmp_path, "grpc", "pod-cost")
    [rule] = found["Role", "pod-cost"]["rules"]
    assert rule == {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}
    [subject] = found["RoleBinding", "pod-cost"]["subjects"]
    spec = found["Deployment", "worker-vision"]["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == subject["name"]
    assert spec["automountServiceAccountToken"] is True
    name = env_of(found["Deployment", "worker-vision"])["WHERRY_POD_NAME"]
    assert name["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
