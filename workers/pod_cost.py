"""Which of a family's pods Kubernetes ends first when fewer are wanted: those that run nothing.

A ReplicaSet ends the pods of the least `controller.kubernetes.io/pod-deletion-cost` first. Each
worker keeps that of its own pod. It is a hint: who is ended and runs something finishes it.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from .settings import WorkerSettings
from .threads import Every

log = logging.getLogger(__name__)

ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"

#: Seconds between two looks. Each change is a write to the cluster's store, so there are few.
_LOOK_EVERY_S = 10.0

#: Seconds until another try after one that failed.
_RETRY_S = 60.0

#: Seconds that Kubernetes may take to answer.
_TIMEOUT_S = 10.0

#: What a pod costs that runs something, over one that does not.
_RUNNING = 100


class PodCost:
    """Tells Kubernetes what ending this worker's pod costs."""

    def __init__(
        self,
        pod: str,
        credentials: Path,
        *,
        held: Callable[[], int],
        busy_share: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`credentials` is the folder of the service account: token, ca.crt, namespace."""
        self._pod, self._credentials = pod, credentials
        self._held, self._busy_share, self._clock = held, busy_share, clock
        self._told: int | None = None
        self._ran = False
        self._fault, self._again_at_s = "", 0.0
        self._thread = Every("wherry-pod-cost", _LOOK_EVERY_S, self.look)

    def start(self) -> None:
        """Look now and then."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._thread.stop()

    def look(self) -> None:
        """Tell of the cost, if it is another than was told last."""
        runs = self._held() > 0
        # Between two quick batches a worker that is busy holds nothing: it is asked twice.
        cost = round(10 * self._busy_share()) + _RUNNING * (runs or self._ran)
        self._ran = runs
        if cost == self._told or self._clock() < self._again_at_s:
            return
        fault = self._patch(cost)
        if fault:
            self._again_at_s = self._clock() + _RETRY_S
            if fault != self._fault:
                log.warning("Kubernetes is not told what ending this pod costs: %s", fault)
        elif self._fault:
            log.warning("Kubernetes is told again what ending this pod costs")
        self._fault = fault
        self._told = None if fault else cost

    def _patch(self, cost: int) -> str:
        """Set the pod's annotation. Answers what is wrong; "" where nothing is."""
        try:
            token, namespace = self._secret("token"), self._secret("namespace")
            context = ssl.create_default_context(cafile=self._credentials / "ca.crt")
            address = _api_address()
        except (OSError, ValueError) as error:
            return f"{error}: is it a pod, with a service account?"
        # A merge patch leaves the other annotations as they are.
        body = json.dumps({"metadata": {"annotations": {ANNOTATION: str(cost)}}})
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(self._pod, safe='')}"
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/merge-patch+json",
        }
        connection = http.client.HTTPSConnection(*address, timeout=_TIMEOUT_S, context=context)
        try:
            connection.request("PATCH", f"{path}?fieldManager=wherry", body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, ValueError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        return "" if answer.status == http.client.OK else _meaning(answer.status, self._pod)

    def _secret(self, name: str) -> str:
        """What a file of the service account says now: tokens are exchanged for new ones."""
        return (self._credentials / name).read_text().strip()


def _api_address() -> tuple[str, int]:
    """Where Kubernetes answers, as it tells each pod. Raises ValueError."""
    host, port = (
        os.environ.get("KUBERNETES_SERVICE_HOST"),
        os.environ.get("KUBERNETES_SERVICE_PORT"),
    )
    if not (host and port and port.isdigit()):
        raise ValueError("KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set")
    return host, int(port)


def _meaning(status: int, pod: str) -> str:
    if status == http.client.FORBIDDEN:
        return "its service account may not patch pods (ops/kubernetes/keda has the role)"
    if status == http.client.NOT_FOUND:
        return f"there is no pod {pod!r} in its namespace (WHERRY_POD_NAME)"
    return f"it answers {status}"


def open_pod_cost(
    settings: WorkerSettings, held: Callable[[], int], busy_share: Callable[[], float]
) -> PodCost | None:
    """What the settings ask for; None for nothing."""
    if not settings.pod_name:
        return None
    return PodCost(settings.pod_name, settings.pod_credentials, held=held, busy_share=busy_share)
