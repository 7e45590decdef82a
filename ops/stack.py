"""The local stack: Redis, the API, one worker per family, Flower, as children of one process."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from ..jobs import JobsSettings
from ..jobs.redis_url import shown
from ..jobs.settings import from_environment
from ..tasks.backends import modules_of
from ..tasks.catalog import AUTO, ModelDeclaration
from ..tasks.check import with_own_backend
from ..tasks.models_file import load_catalog
from ..workers.checks import check
from ..workers.device import resolve
from ..workers.settings import WorkerSettings
from ..workers.threads import EXIT_UNUSABLE
from .checks import (
    StackError,
    answers,
    choose_port,
    drained,
    failed_models,
    ping_redis,
    require_grpc,
    require_settings,
)
from .child import Child, Spawn, popen
from .data_folder import DataFolder
from .exposure import Exposure, url_host
from .fleet_access import (
    FLOWER_NEEDS_A_PASSWORD,
    let_in,
    open_defaults,
    redis_access,
    write_fleet_file,
)
from .fork_server import ForkServer
from .loading_view import LoadingView
from .new_families import NewFamilies
from .redis_server import Fsync, RedisServer, machine_bytes
from .services import api_command, flower_command, runs_command, worker_command

__all__ = ["Log", "Stack", "StackError", "StackHaltedError", "runs_name", "worker_name"]

#: Called with a service's name and a line it printed, or one about it.
Log = Callable[[str, str], None]

#: Seconds that all services may take to be ready; models load in this time.
_READY_TIMEOUT_S = 180.0

#: Seconds that a model which is tuned takes at most beyond the time for tuning.
_TUNED_S = 60.0

#: A service that ended this often before the stack is ready will not come up.
#: A worker whose model ends its process leaves it out the third time.
_ENDS_AT_START = 3

#: Seconds that workers have to finish what they run.
_STOP_TIMEOUT_S = 45.0

#: Services stop in this order, by the first word of their name; those of one line together.
_STOP_ORDER = (
    ("runs", "they put what they have into the store, and give the rest back"),
    ("api", "no new jobs come in"),
    ("worker", "they finish what they run and give the rest back"),
    ("flower", "it only watches"),
)


class StackHaltedError(Exception):
    """The stack was asked to stop while it still started."""


@dataclass(kw_only=True)
class Stack:
    """The services of one fleet on this machine. Use it in a `with` block.

    Ports of 0 become free ones. Without `redis_url` it runs a Redis of its own. `device` as for
    `wherry worker`: with auto, workers spread over the GPUs. `env` has more settings for all.
    """

    models: Path
    data_dir: Path
    port: int = 0
    #: OIP v2 over gRPC besides; None for none.
    grpc_port: int | None = None
    redis_url: str = ""
    #: Where it listens: on loopback, unless it is told otherwise.
    exposure: Exposure = field(default_factory=Exposure)
    #: Where the Redis of its own listens beside the API, for workers of other machines; None: on
    #: loopback alone.
    redis_port: int | None = None
    #: None: none on loopback, else one is made and kept in `data_dir`.
    redis_password: str | None = field(default=None, repr=False)
    flower: bool = True
    flower_port: int = 0
    device: str = "auto"
    concurrency: int = 3
    workers_per_family: int = 1
    #: Processes that do runs.
    run_workers: int = 0
    #: Whether a model that cannot be loaded keeps the stack from starting.
    strict_models: bool = False
    log_level: str = "warning"
    appendfsync: Fsync = "everysec"
    #: What the Redis of its own may hold, as `2gb`; "" for half of this machine's memory.
    redis_memory: str = ""
    env: dict[str, str] = field(default_factory=dict)
    log: Log = lambda service, line: None  # noqa: ARG005 # a silent default
    #: Set it from a signal handler to give up starting.
    halt: threading.Event = field(default_factory=threading.Event)
    redis: RedisServer | None = field(default=None, init=False)
    #: What CPU workers are forked from, on Linux.
    fork_server: ForkServer | None = field(default=None, init=False)
    children: dict[str, Child] = field(default_factory=dict, init=False)
    #: Why, by name, for the models that could not be loaded when it was ready.
    failed_models: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._folder = DataFolder(self.data_dir)
        self._new_families: NewFamilies | None = None
        self._patience_s = _READY_TIMEOUT_S

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"{self.exposure.scheme}://{url_host(self.exposure.inward)}:{self.port}"

    @property
    def console_url(self) -> str:
        """Where people try models and watch the fleet."""
        return f"{self.url}/console/"

    @property
    def grpc_url(self) -> str:
        """Where the API answers gRPC, as gRPC's clients write it."""
        return f"{url_host(self.exposure.inward)}:{self.grpc_port}"

    @property
    def flower_url(self) -> str:
        """Where Flower answers."""
        exposure = self._flower_exposure
        return f"{exposure.scheme}://{url_host(exposure.inward)}:{self.flower_port}"

    @property
    def key_file(self) -> Path | None:
        """An admin's API key, where one was made here."""
        return self._folder.api_key if self._folder.api_key.exists() else None

    @property
    def fleet_file(self) -> Path:
        """How this machine's commands reach the fleet."""
        return self._folder.fleet_file

    @property
    def _flower_exposure(self) -> Exposure:
        """Open with a password only."""
        auth = {"FLOWER_BASIC_AUTH", "WHERRY_FLOWER_AUTH"} & self._environment().keys()
        return self.exposure if self.exposure.is_open and auth else Exposure()

    def start(self) -> None:
        """Start every service, then wait until all are ready.

        Raises StackError or CatalogError when that cannot be, StackHaltedError when `halt` is set.
        """
        require_settings()
        catalog = load_catalog(self.models, families=())
        self.exposure.check()
        located = self._check()
        self._choose_ports()
        self._folder.acquire()
        self._start_fork_server(located)
        self._start_redis()
        self._let_in()
        self._new_families = NewFamilies(
            self.models, self.redis_url, self._jobs_settings(), self._start_families
        )
        self._new_families.note()  # models take minutes to load, and may be asked for meanwhile
        self._spawn(
            "api",
            api_command(
                self.port, host=self.exposure.host, log_level=self.log_level, tls=self.exposure.tls
            ),
            {"WHERRY_GRPC_PORT": str(self.grpc_port)} if self.grpc_port else {},
        )
        if self.flower:
            self._spawn_flower()
        for index, family in enumerate(catalog.families()):
            for number in range(self.workers_per_family):
                self._spawn_worker(family, number, index * self.workers_per_family + number)
        for number in range(self.run_workers):
            self._spawn_runs(number)
        self._patience_s = _READY_TIMEOUT_S + _tuning_s(catalog.models)
        self._wait_until_ready()
        self._new_families.start()

    def _choose_ports(self) -> None:
        host = self.exposure.host
        self.port = choose_port(self.port, "--port", host)
        if self.flower:
            flower_host = self._flower_exposure.host
            self.flower_port = choose_port(self.flower_port, "--flower-port", flower_host)
        if self.grpc_port is not None:
            require_grpc(plain=self.exposure.tls is None or not self.exposure.is_open)
            self.grpc_port = choose_port(self.grpc_port, "--grpc-port", host)
        if self.redis_port is not None and not self.redis_url:
            self.redis_port = choose_port(self.redis_port, "--redis-port", host)

    def _jobs_settings(self) -> JobsSettings:
        """As the services have them."""
        settings = from_environment(JobsSettings)
        prefix = self.env.get("WHERRY_KEY_PREFIX", settings.key_prefix)
        return settings.model_copy(update={"key_prefix": prefix, "redis_url": self.redis_url})

    def _let_in(self) -> None:
        """See that an open API has a key, and say how the fleet is reached."""
        environment = self._environment()
        if self.exposure.is_open:
            let_in(self.exposure.host, self._folder, environment, self._jobs_settings(), self.log)
        others = {}
        if self.redis is not None and self.redis.access.exposure.is_open:
            others = {
                "WHERRY_JOIN_REDIS_URL": self.redis.access.worker_url(self.redis.port),
                "WHERRY_JOIN_API_URL": f"{self.exposure.scheme}://{url_host(self.exposure.name)}:{self.port}",
            }
        write_fleet_file(self._folder, environment, url=self.url, others=others)

    def _start_families(self, families: Sequence[str]) -> None:
        """Start the workers of families that have none."""
        for family in families:
            if worker_name(family) in self.children:
                continue
            self.log("stack", f"{self.models.name} has models of {family} now: starting a worker")
            started = sum(name.startswith("worker-") for name in self.children)
            with contextlib.suppress(StackHaltedError):
                for number in range(self.workers_per_family):
                    self._spawn_worker(family, number, started + number)

    def _check(self) -> Sequence[ModelDeclaration]:
        """Look at the models and devices first. What concerns one model its worker tells of."""
        checked = check(
            self.models,
            device=self.device,
            per_family=self.workers_per_family,
            handler_dir=self._environment().get("WHERRY_HANDLER_DIR", ""),
        )
        for warning in checked.warnings:
            self.log("check", str(warning))
        if faults := checked.stopping(strict=self.strict_models):
            raise StackError("\n".join(map(str, faults)))
        return checked.models

    def reload(self) -> None:
        """Have all services read models.toml again; the log says what is wrong with it."""
        if "api" in self.children:
            self.children["api"].signal(signal.SIGHUP)

    def stop(self) -> None:
        """Stop in the order that loses nothing: see the reasons."""
        if self._new_families:
            self._new_families.close()
        if self.fork_server:
            self.fork_server.close()
        for kind, reason in _STOP_ORDER:
            group = [c for name, c in self.children.items() if name.split("-")[0] == kind]
            for child in group:
                self.log("stack", f"stopping {child.name}: {reason}")
                child.begin_stop()
            for child in group:
                child.stop(_STOP_TIMEOUT_S)
        if self.redis is not None:
            self.log("stack", "stopping redis: last, so that all of the above is kept")
            self.redis.stop()
        self._folder.release()

    def worker(self, family: str, number: int = 0) -> Child:
        """A worker's process."""
        return self.children[worker_name(family, number)]

    def kill_worker(self, family: str, number: int = 0) -> int:
        """Kill -9 a worker, which is then started again. Answers the process id it had."""
        pid = self.worker(family, number).pid
        if pid is None:
            raise RuntimeError(f"{worker_name(family, number)} does not run")
        os.kill(pid, signal.SIGKILL)
        return pid

    def _start_redis(self) -> None:
        if self.redis_url:
            ping_redis(self.redis_url)
            self.log("redis", "ready, and not ours to stop")
            return
        access = redis_access(
            self.exposure if self.redis_port is not None else Exposure(),
            self._folder,
            self.redis_password,
        )
        self.redis = RedisServer(
            self._folder.redis,
            port=self.redis_port,
            access=access,
            on_line=partial(self.log, "redis"),
            supervised=True,
            appendfsync=self.appendfsync,
            maxmemory=self.redis_memory or str(machine_bytes() // 2),
        )
        self.redis.start(self.halt)
        if self.halt.is_set():
            raise StackHaltedError
        self.redis_url = self.redis.url
        self.log("redis", f"ready at {shown(self.redis_url)}")

    def _start_fork_server(self, models: Sequence[ModelDeclaration]) -> None:
        """Begin with what takes longest: what workers import. A GPU's are started one by one."""
        if sys.platform == "linux" and self._device(0) == "cpu":
            modules = [_imported(model) for model in models]
            self.fork_server = ForkServer(
                list(dict.fromkeys(itertools.chain.from_iterable(modules))),
                env=self._environment(),
                on_line=partial(self.log, "fork-server"),
            )
            self.fork_server.start()

    def _device(self, index: int) -> str:
        """The device of a worker; `index` counts all workers of this machine."""
        try:
            return resolve(self.device, index)
        except ValueError as error:
            raise StackError(str(error)) from None

    def _spawn_worker(self, family: str, number: int, index: int) -> None:
        device = self._device(index)
        command = worker_command(
            family, number, concurrency=self.concurrency, log_level=self.log_level
        )
        spawn = self.fork_server.spawn if self.fork_server else popen
        env = {"WHERRY_DEVICE": device, **self._worker_metrics()}
        self._spawn(worker_name(family, number), command, env, spawn)

    def _spawn_flower(self) -> None:
        exposure, auth = self._flower_exposure, self._environment().get("WHERRY_FLOWER_AUTH", "")
        command = flower_command(
            self.flower_port, host=exposure.host, log_level=self.log_level, tls=exposure.tls
        )
        if self.exposure.is_open and not exposure.is_open:
            self.log("flower", f"listens on {exposure.host} alone: {FLOWER_NEEDS_A_PASSWORD}")
        self._spawn("flower", command, {"FLOWER_BASIC_AUTH": auth} if auth else {})

    def _spawn_runs(self, number: int) -> None:
        self._spawn(
            runs_name(number),
            runs_command(number, log_level=self.log_level),
            {
                "WHERRY_API_URL": self.url,
                "WHERRY_RUN_DIR": str(self._folder.runs),
                **self._worker_metrics(),
            },
        )

    def _spawn(
        self, name: str, command: list[str], env: Mapping[str, str], spawn: Spawn | None = None
    ) -> None:
        if self.halt.is_set():
            raise StackHaltedError
        child = Child(
            name,
            command,
            env={**self._environment(), **env},
            on_line=partial(self.log, name),
            hopeless={EXIT_UNUSABLE},  # of an API too
            spawn=spawn or popen,
        )
        self.children[name] = child
        child.start(wait=False)

    def _worker_metrics(self) -> dict[str, str]:
        """Each on a free port, unless there shall be none; one that is named is the API's."""
        told = self._environment().get("WHERRY_METRICS_PORT")
        return {"WHERRY_METRICS_PORT": "0" if told == "0" else "auto"}

    def _environment(self) -> dict[str, str]:
        return {
            "WHERRY_STORE_DIR": str(self._folder.blobs),
            "WHERRY_TUNED_DIR": str(self._folder.tuned),
            **open_defaults(self.exposure),
            **os.environ,
            "WHERRY_REDIS_URL": self.redis_url,
            "WHERRY_MODELS": str(self.models.absolute()),
            "WHERRY_STRICT_MODELS": str(self.strict_models).lower(),
            "PYTHONUNBUFFERED": "1",
            # Celery warns of root because of pickle, which our workers refuse.
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
            **self.env,
        }

    def _wait_until_ready(self) -> None:
        """Wait for each service in turn: the API answers, each worker beats, Flower answers."""
        # One client: each new one reads the machine's certificates, which takes 30 ms.
        tls, key = self.exposure.tls, self.key_file
        http = httpx.Client(timeout=5, verify=tls.trust() if tls else True)
        if key:  # why a model failed is an admin's to know
            http.headers["X-API-Key"] = key.read_text().strip()
        with http:
            self._wait_with(http)

    def _wait_with(self, http: httpx.Client) -> None:
        deadline = time.monotonic() + self._patience_s
        self._wait(http, "api", f"{self.url}/v2/health/live", deadline)
        self.log("api", f"ready at {self.url}  (page: {self.url}/docs)")
        if self.grpc_port:
            self.log("api", f"gRPC ready at {self.grpc_url}")
        view = LoadingView(self.url, self.log)
        ready = f"{self.url}/v2/health/ready"
        self._wait(http, "workers", ready, deadline, partial(self._has_no_more_to_wait_for, view))
        self.failed_models = failed_models(http, self.url)
        for name, child in self.children.items():
            if name.startswith("worker-"):
                self.log(name, f"ready  (process {child.pid})")
        if self.flower:
            self._wait(http, "flower", f"{self.flower_url}/healthcheck", deadline)
            self.log("flower", f"ready at {self.flower_url}")

    def _wait(
        self,
        http: httpx.Client,
        what: str,
        url: str,
        deadline: float,
        otherwise: Callable[[httpx.Client], bool] = lambda _: False,
    ) -> None:
        """Wait until the URL answers 200, or it is well otherwise."""
        while not (answers(http, url) or otherwise(http)):
            self._check_starting()
            if time.monotonic() > deadline:
                raise StackError(f"{what} not ready after {self._patience_s:.0f} s")
            if self.halt.wait(0.1):
                raise StackHaltedError

    def _has_no_more_to_wait_for(self, view: LoadingView, http: httpx.Client) -> bool:
        view.look(http, {child.pid: name for name, child in self.children.items()})
        return self._all_drained(http)

    def _all_drained(self, http: httpx.Client) -> bool:
        """Whether only an operator's word, of before this start, keeps workers from serving."""
        held = drained(http, self.url)
        for why in held:
            self.log("workers", why)
        return bool(held)

    def _check_starting(self) -> None:
        for child in self.children.values():
            if child.given_up or child.ends >= _ENDS_AT_START:
                lines = "\n".join(child.tail)
                raise StackError(f"{child.name} does not start; its last lines:\n{lines}")

    def __enter__(self) -> Stack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _tuning_s(models: Sequence[ModelDeclaration]) -> float:
    """Seconds by which a first start may take longer: one model is tuned after the other."""
    settings = from_environment(WorkerSettings)
    tuned = sum(model.backend == AUTO for model in models)
    return tuned * (settings.tune_budget_s + _TUNED_S) if settings.tune == "on" else 0.0


def _imported(declared: ModelDeclaration) -> list[str]:
    """What a worker imports for a model, as far as its source tells."""
    with contextlib.suppress(ValueError):  # its worker says so
        declared = with_own_backend(declared)
    return modules_of(declared.backend, declared.task)


def worker_name(family: str, number: int = 0) -> str:
    """A worker's name in the log: worker-vision, worker-vision-1."""
    return f"worker-{family}" + (f"-{number}" if number else "")


def runs_name(number: int = 0) -> str:
    """A run worker's name in the log: runs, runs-1."""
    return "runs" + (f"-{number}" if number else "")
