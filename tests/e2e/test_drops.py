"""However a file gets into the inbox, it is taken once, whole, and comes back."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from tests.e2e.site import Site, sha256, wait_for

TEXT = b"The keeper climbs the stairs at dusk.\n"


def _paused(seconds: float) -> None:
    """What a slow writer does between two writes."""
    threading.Event().wait(seconds)


def test_every_way_of_dropping_is_delivered_once_with_the_right_bytes(site: Site) -> None:
    """Copied, renamed in, moved as a tree, there before the start, written slowly, replaced: all come back."""
    final: dict[str, bytes] = {}
    writers: list[threading.Thread] = []

    def drop(path: str, data: bytes, how: Callable[[Path, bytes], None]) -> None:
        final[path] = data
        target = site.inbox(path)
        writers.append(threading.Thread(target=how, args=(target, data)))
        writers[-1].start()

    def copied(target: Path, data: bytes) -> None:
        target.write_bytes(data)

    def renamed(target: Path, data: bytes) -> None:
        aside = site.base / f"aside-{target.name}"
        aside.write_bytes(data)
        aside.rename(target)

    def one_descriptor(target: Path, data: bytes) -> None:
        with target.open("wb", buffering=0) as file:
            for begin in range(0, len(data), len(data) // 3):
                file.write(data[begin : begin + len(data) // 3])
                _paused(4.0)

    def several_opens(target: Path, data: bytes) -> None:
        for begin in range(0, len(data), 20):
            with target.open("ab") as file:
                file.write(data[begin : begin + 20])
            _paused(0.5)

    def replaced_while_written(target: Path, data: bytes) -> None:
        with target.open("wb", buffering=0) as file:
            file.write(b"an older version, never finish")
            _paused(0.5)
            aside = site.base / "newer"
            aside.write_bytes(data)
            aside.rename(target)
            file.write(b"ed")

    def renamed_in_while_written(target: Path, data: bytes) -> None:
        aside = site.base / "still-open"
        with aside.open("wb", buffering=0) as file:
            file.write(data[:30])
            aside.rename(target)
            _paused(2.5)
            file.write(data[30:])

    early = site.inbox("gpttranslator/fr/early.txt")
    early.write_bytes(b"early " + TEXT)
    final["gpttranslator/fr/early.txt"] = b"early " + TEXT
    # The short settle of a local disk, as a user has it.
    site.config.write_text(site.config.read_text().replace("watch: {settle: 300ms, rescan: 5s}", ""))
    with site.daemon() as daemon:
        daemon.started()
        drop("gpttranslator/fr/copied.txt", b"copied " + TEXT, copied)
        drop("gpttranslator/fr/renamed.txt", b"renamed " + TEXT, renamed)
        drop("gpttranslator/fr/slow.txt", b"slow " + TEXT, one_descriptor)
        drop("gpttranslator/de/appended.txt", b"appended " + TEXT, several_opens)
        drop("gpttranslator/de/replaced.txt", b"replaced " + TEXT, replaced_while_written)
        drop("gpttranslator/fr/open.txt", b"renamed in while written " + TEXT, renamed_in_while_written)
        tree = site.base / "tree"
        for name in ("a.txt", "sub/b.txt", "sub/deeper/c.txt"):
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode() + b" " + TEXT)
            final[f"gpttranslator/de/tree/{name}"] = path.read_bytes()
        tree.rename(site.root / "inbox/gpttranslator/de/tree")
        for writer in writers:
            writer.join()
        wait_for(lambda: len(site.files("outbox")) >= len(final), "all to be delivered")

        assert daemon.stop() == 0

    assert sorted(final) == site.files("outbox")
    assert site.files("failed") == []
    assert {sha256(data): 1 for data in final.values()} == dict(site.accepted())


def test_same_name_twice_gets_two_results(site: Site) -> None:
    """A name that is taken in the outbox is never overwritten: the second result is numbered."""
    for text in (b"first\n", b"second\n"):
        site.inbox("gpttranslator/fr/report.txt").write_bytes(text)

        assert site.once().returncode == 0

    assert site.files("outbox") == ["gpttranslator/fr/report (2).txt", "gpttranslator/fr/report.txt"]
    assert "second" not in (site.root / "outbox/gpttranslator/fr/report.txt").read_text()


def test_a_failed_file_moved_back_is_a_new_attempt(site: Site) -> None:
    """Moving a file from failed/ to the inbox tries it again, and the old sidecar goes."""
    site.inbox("gpttranslator/fr/odd~http-413x1.txt").write_bytes(TEXT)

    assert site.once().returncode == 1
    assert [os.path.basename(path) for path in site.failed()] == ["odd~http-413x1.txt"]

    failed = site.root / "failed/gpttranslator/fr/odd~http-413x1.txt"
    (failed.parent / "odd~http-413x1.txt.error.json").rename(
        site.inbox("gpttranslator/fr/odd~http-413x1.txt.error.json")
    )
    failed.rename(site.inbox("gpttranslator/fr/odd~http-413x1.txt"))

    assert site.once().returncode == 0
    assert site.files("failed") == []
    assert site.files("inbox") == []
    assert site.files("outbox") == ["gpttranslator/fr/odd~http-413x1.txt"]
