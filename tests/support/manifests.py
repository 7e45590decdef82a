"""What kustomize makes of an overlay, and what is meant by it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from .programs import run

SOURCE = Path(__file__).parents[2] / "ops" / "kubernetes"
SECRETS = {"REDIS_PASSWORD": "sesame", "WHERRY_S3_SECRET_ACCESS_KEY": "inside"}

Object = dict[str, Any]


def laid_down(folder: Path) -> Path:
    """A copy of the manifests with secrets, as an operator has them."""
    place = folder / "kubernetes"
    shutil.copytree(SOURCE, place, ignore=shutil.ignore_patterns("secrets.env"))
    for example in place.rglob("secrets.env.example"):
        lines = example.read_text().splitlines()
        given = [
            f"{name}={SECRETS.get(name, value)}"
            for name, mark, value in (line.partition("=") for line in lines)
            if mark and not name.startswith("#")
        ]
        example.with_suffix("").write_text("\n".join(given) + "\n")
    return place


def built(overlay: Path) -> list[Object]:
    """Every object of an overlay."""
    done = run("kubectl", "kustomize", overlay, cwd=overlay)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return list(yaml.safe_load_all(done.stdout))


def of_kind(objects: Sequence[Object], *kinds: str) -> dict[str, Object]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] in kinds}


def workloads(objects: Sequence[Object]) -> dict[str, Object]:
    return of_kind(objects, "Deployment", "StatefulSet")


def pod(workload: Object) -> Object:
    found: Object = workload["spec"]["template"]["spec"]
    return found


def labels(workload: Object) -> dict[str, str]:
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def containers(workload: Object) -> Iterator[Object]:
    yield from pod(workload)["containers"]
    yield from pod(workload).get("initContainers", ())


def ports(workload: Object) -> dict[str, int]:
    """What is listened on, by name."""
    every = [port for each in containers(workload) for port in each.get("ports", ())]
    return {port["name"]: port["containerPort"] for port in every}


def selects(selector: Mapping[str, Any], given: Mapping[str, str]) -> bool:
    """Whether a label selector means something with these labels."""
    wanted = selector.get("matchLabels", {}).items()
    every = selector.get("matchExpressions", ())
    assert all(each["operator"] == "In" for each in every), "no other is understood here"
    return wanted <= given.items() and all(given.get(e["key"]) in e["values"] for e in every)


class Network:
    """Who may open a connection to whom, by the network policies of one namespace."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self._policies = [each["spec"] for each in of_kind(objects, "NetworkPolicy").values()]
        self._pods = {name: labels(each) for name, each in workloads(objects).items()}
        self._ports = {name: ports(each) for name, each in workloads(objects).items()}

    def allows(self, source: str, target: str, port: int) -> bool:
        """Between two workloads; "" is a pod of any other namespace, "@name" of that one."""
        return self._leaves(source, target, port) and self._enters(source, target, port)

    def leaves_for(self, source: str, address_port: int) -> bool:
        """Whether a workload may speak to public addresses at a port."""
        return any(
            any("ipBlock" in peer and peer["ipBlock"]["cidr"] == "0.0.0.0/0" for peer in rule["to"])
            and any(each["port"] == address_port for each in rule["ports"])
            for rule in self._rules("Egress", "egress", source)
        )

    def _leaves(self, source: str, target: str, port: int) -> bool:
        return source not in self._pods or self._any(
            "Egress", "egress", "to", source, target, target, port
        )

    def _enters(self, source: str, target: str, port: int) -> bool:
        return not target or self._any("Ingress", "ingress", "from", target, source, target, port)

    def _rules(self, kind: str, key: str, of: str) -> list[Object]:
        ours = [
            each
            for each in self._policies
            if kind in each["policyTypes"] and selects(each["podSelector"], self._pods[of])
        ]
        assert ours, f"nothing is said of {of}: all is allowed"
        return [rule for each in ours for rule in each.get(key, ())]

    def _any(  # both directions are one question
        self, kind: str, key: str, peers: str, of: str, other: str, at: str, port: int
    ) -> bool:
        return any(
            any(self._is_peer(peer, other) for peer in rule[peers])
            and any(
                self._ports[at].get(each["port"], each["port"]) == port for each in rule["ports"]
            )
            for rule in self._rules(kind, key, of)
        )

    def _is_peer(self, peer: Object, name: str) -> bool:
        if "namespaceSelector" in peer:
            space = "wherry" if name in self._pods else name[1:]
            return selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": space})
        if name not in self._pods:
            return False
        return "podSelector" in peer and selects(peer["podSelector"], self._pods[name])
