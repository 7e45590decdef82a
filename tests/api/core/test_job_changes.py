"""What one who watches all jobs is told, and what it has missed."""

from __future__ import annotations

from wherry.api.core.job_changes import JobFeed


def test_a_slow_watcher_hears_how_much_it_missed() -> None:
    feed = JobFeed()
    with feed.watching("") as changes:
        feed.tell(("running", f"j{n}") for n in range(2100))
        feed.tell([("succeeded", "j0"), ("failed", "j9")])
        assert changes.take(10, "failed")[0] == "j9", "those of the wanted status come first"
        assert changes.missed == 100 + 1990
        assert changes.take(10, "failed") == []


def test_a_watcher_hears_of_ids_that_begin_as_its_own() -> None:
    feed = JobFeed()
    assert not feed
    with feed.watching("acme:") as changes:
        assert (feed.count("acme:"), feed.count("")) == (1, 0)
        assert feed
        feed.tell([("queued", "acme:1"), ("queued", "acmes:2"), ("queued", "1")])
        assert changes.take(10, "") == ["acme:1"]
    assert not feed


def test_a_gap_in_what_is_heard_counts_as_missed() -> None:
    feed = JobFeed()
    with feed.watching("") as changes:
        feed.tell_of_a_gap()
        assert changes.missed == 1
