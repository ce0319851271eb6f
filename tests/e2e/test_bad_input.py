"""Every odd thing that people and programs put into an inbox, at once; none disturbs another."""

import os
import signal
import socket

from tests.e2e.site import Site, wait_for

LONG = "ä" * 125 + "x.txt"  # 255 bytes each, as many as a file system takes
EMOJI = "😀" * 62 + "abc.txt"
FAILING = "x~fail " + "f" * 244 + ".txt"
BROKEN = os.fsdecode(b"caf\xe9.txt")
GOOD = ("good.txt", LONG, EMOJI, "two\nlines.txt", "-rf.txt", "ünïcödé ~ (1).txt", BROKEN)
STAY = ("~$report.docx", "half.txt.part", ".hidden.txt", "later.tmp", "Thumbs.db", "held/STOP", "note.txt.cancel")


def test_odd_things_in_an_inbox_get_what_they_should_and_disturb_nobody(site: Site) -> None:
    """Bad drops fail at once with their reason or stay untouched; the good ones beside them are delivered."""
    fr = "gpttranslator/fr"
    for name in GOOD:
        site.inbox(f"{fr}/{name}").write_bytes(b"good\n")
    for name in STAY:
        site.inbox(f"{fr}/{name}").write_bytes(b"not for you\n")
    site.inbox(f"{fr}/{FAILING}").write_bytes(b"text\n")
    site.inbox(f"{fr}/picture.png").write_bytes(b"\x89PNG")
    site.inbox(f"{fr}/noextension").write_bytes(b"text\n")
    site.inbox("gpttranslator/new/text.txt").write_bytes(b"text\n")
    site.inbox("gpttranslator/frnch/text.txt").write_bytes(b"text\n")
    site.inbox("gpttranslator/de/empty.txt").write_bytes(b"")
    site.inbox("nobody/fr/text.txt").write_bytes(b"text\n")
    site.inbox("stray.txt").write_bytes(b"text\n")
    site.inbox("gpttranslator/stray.txt").write_bytes(b"text\n")
    secret = site.base / "secret.txt"
    secret.write_bytes(b"outside\n")
    outside = site.base / "outside"
    outside.mkdir()
    (outside / "inner.txt").write_bytes(b"outside\n")
    site.inbox(f"{fr}/link.txt").symlink_to(secret)
    site.inbox(f"{fr}/linked").symlink_to(outside)
    os.mkfifo(site.inbox(f"{fr}/pipe.txt"))
    # A socket's own path may have 108 bytes only.
    folder = os.open(site.inbox(f"{fr}/x").parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"/proc/self/fd/{folder}/socket.txt")
    os.close(folder)
    os.link(secret, site.inbox(f"{fr}/hard.txt"))
    site.inbox(f"{fr}/x.docx/inside.txt").write_bytes(b"good\n")
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: len(site.files("outbox")) == len(GOOD) + 1, "the good ones")
        wait_for(lambda: len(list((site.root / "failed").rglob("*.error.json"))) == 5, "the bad ones")

        assert daemon.stop() == 0
        ignored = {line["path"]: line["why"] for line in daemon.lines("drop.ignored")}
        assert len(ignored) == len(daemon.lines("drop.ignored")), "each is reported once"

    assert sorted(os.path.basename(path) for path in site.files("outbox")) == sorted([*GOOD, "inside.txt"])
    [story] = [story for story in site.failed().values() if story["file"] == FAILING]
    assert story["error"]["code"] == "provider.failed"
    assert (site.root / "failed" / fr / FAILING).exists()
    assert {path: one["error"]["code"] for path, one in site.failed().items() if one != story} == {
        "gpttranslator/frnch/text.txt": "language.unknown",
        "gpttranslator/new/text.txt": "language.unknown",
        "gpttranslator/fr/picture.png": "drop.type",
        "gpttranslator/fr/noextension": "drop.type",
    }
    assert "perhaps fr" in site.failed()["gpttranslator/frnch/text.txt"]["what_to_do"]
    for name in STAY:
        assert site.inbox(f"{fr}/{name}").exists()
    for left in ("link.txt", "linked", "pipe.txt", "socket.txt", "hard.txt"):
        assert f"inbox/{fr}/{left}" in ignored
        assert os.path.lexists(site.inbox(f"{fr}/{left}"))
    for left in ("inbox/stray.txt", "inbox/gpttranslator/stray.txt", "inbox/nobody"):
        assert left in ignored
    assert (outside / "inner.txt").read_bytes() == b"outside\n"
    assert site.inbox("gpttranslator/de/empty.txt").exists(), "an empty file waits a minute before it fails"


def test_files_the_provider_does_not_take_fail_with_their_size(site: Site) -> None:
    """A file over `max_bytes` fails at once, without a request, and says both numbers."""
    text = site.config.read_text().replace("    languages: [fr, de]\n", "    languages: [fr, de]\n    max_bytes: 1kB\n")
    site.config.write_text(text)
    site.inbox("gpttranslator/fr/large.txt").write_bytes(b"x" * 2000)
    site.inbox("gpttranslator/fr/small.txt").write_bytes(b"small\n")

    assert site.once().returncode == 1
    assert {path: story["error"]["code"] for path, story in site.failed().items()} == {
        "gpttranslator/fr/large.txt": "drop.too_large"
    }
    assert "2,000" in site.failed()["gpttranslator/fr/large.txt"]["what_happened"]
    assert site.files("outbox") == ["gpttranslator/fr/small.txt"]
    assert len(site.sandbox.ledger()) == 1


def test_services_that_misbehave_lose_no_file_and_cost_nothing_twice(site: Site) -> None:
    """Each misbehaviour of the sandbox ends in a delivery or in a failure that says why; none is paid twice."""
    delivered = (
        "odd",
        "back",
        "gone",
        "queue",
        "slow-1",
        "html-1",
        "empty-1",
        "cut-1",
        "early",
        "http-429x1",
        "http-413x0",
    )
    failing = {"fail": "provider.failed", "fail-402": "provider.failed", "http-413": "submit.rejected"}
    uncertain = ("lost",)
    for word in (*delivered, *failing, *uncertain):
        site.inbox(f"gpttranslator/fr/{word} ~{word}.txt").write_bytes(f"text with {word}\n".encode())
    for word in ("nested", "expired", "audio"):
        site.inbox(f"voicecheap/es/{word} ~{word}.mp3").write_bytes(b"ID3" + word.encode())

    with site.daemon() as daemon:
        daemon.started()
        expected = len(delivered) + len(failing) + len(uncertain) + 3

        def ended() -> bool:
            # The lost answer closed the account; this spares the half minute until its trial.
            daemon.process.send_signal(signal.SIGHUP)
            return len(site.files("outbox")) + len(site.failed()) == expected

        wait_for(ended, "all to end", 150)

        assert daemon.stop() == 0
    codes = {os.path.basename(path): story["error"]["code"] for path, story in site.failed().items()}

    assert {
        **{f"{word} ~{word}.txt": code for word, code in failing.items()},
        **{f"{word} ~{word}.txt": "submit.uncertain" for word in uncertain},
        "nested ~nested.mp3": "provider.failed",
    } == codes
    assert max(site.accepted().values()) == 1
    assert site.sandbox.leaks() == []
