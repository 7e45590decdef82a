from __future__ import annotations

import threading
import time

import pytest

from wherry.tasks.backends import device as device_module
from wherry.tasks.backends.device import Device

from ...support.waiting import until


def test_one_batch_at_a_time() -> None:
    device, inside, most = Device(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with device.compute():
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_busy_time_counts_what_was_held() -> None:
    device = Device("cpu")
    with device.compute():
        started = time.perf_counter()
        while time.perf_counter() - started < 0.01:
            pass
    held_s = device.busy_s
    assert 0.01 <= held_s < 1
    assert device.busy_s == held_s


def test_an_error_lets_go() -> None:
    device = Device()
    with pytest.raises(KeyError), device.compute():
        raise KeyError
    with device.compute():
        pass
    assert device.busy_s > 0


def test_a_lower_rank_goes_first_and_equals_in_order() -> None:
    device, order = Device(), []

    def work(name: str, rank: int) -> None:
        with device.ranked(rank), device.compute():
            order.append(name)

    with device.compute():
        threads = []
        for name, rank in (("bulk 1", 1), ("bulk 2", 1), ("first", 0), ("second", 0)):
            threads.append(threading.Thread(target=work, args=(name, rank)))
            threads[-1].start()
            until(lambda: len(device._waiting) == len(threads))
    for thread in threads:
        thread.join()
    assert order == ["first", "second", "bulk 1", "bulk 2"]


def test_a_thread_counts_what_it_held_itself() -> None:
    device = Device()

    def work() -> None:
        with device.compute():
            time.sleep(0.005)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (device.held_s, device.busy_s > 0) == (0.0, True)
    work()
    assert 0 < device.held_s < device.busy_s


def test_who_lets_go_goes_on_once_the_next_has_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "_GIVES_WAY_S", 60)
    device, over = Device(), threading.Event()

    def work() -> None:
        with device.compute():
            assert over.wait(60)

    thread = threading.Thread(target=work)
    with device.compute():
        thread.start()
        until(lambda: device._waiting)
    assert device.busy
    over.set()
    thread.join()
    assert (device.busy, device.turn) == (False, 2)
