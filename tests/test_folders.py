"""Folder rules on disks that are not at hand: full, foreign, split, without links, and blind to case.

The file system is a fake, so the portable ways are taken; the same rules on a real one are in
`test_folders_disk`.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem
from pyfakefs.helpers import reset_ids, set_uid

from daemon import folders, kernel
from daemon.folders import Folders, Place
from daemon.journal import Identity
from tests.builders import job_id, place

ROOT = "/srv/share"
JOB = job_id(1)
REPORT = place("sub/report.docx")
OURS = Identity(state="state-1", root="root-1")
RESULT = b"le resultat\n" * 100


@pytest.fixture
def share(fs: FakeFilesystem, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """A root with its folders, on a file system that knows no calls of this kernel."""
    monkeypatch.setattr(kernel, "native", None)

    def pread(descriptor: int, length: int, offset: int) -> bytes:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, length)

    # The fake has no pread of its own.
    monkeypatch.setattr("daemon.disk.os.pread", pread)
    fs.create_dir(ROOT)
    with opened(ROOT) as root:
        folders.write_marker(root, OURS)
    made = Folders(ROOT, OURS, file_mode=0o664, folder_mode=0o2775)
    made.create({"acme": ["fr"]})
    return made


@contextmanager
def opened(path: str, flags: int = os.O_RDONLY) -> Iterator[int]:
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def drop(fs: FakeFilesystem, where: Place = REPORT) -> Place:
    fs.create_file(f"{ROOT}/{where.path('inbox')}", contents="the original")
    return where


def claim(share: Folders, where: Place = REPORT) -> None:
    with share.opened() as root:
        share.claim(root, where, JOB)


def stage(fs: FakeFilesystem, share: Folders, where: Place = REPORT) -> str:
    """Stage the result and choose its name."""
    if not fs.exists("/state/result"):
        fs.create_file("/state/result", contents=RESULT)
    with opened("/state/result") as source, share.opened() as root:
        share.stage(root, where, JOB, source)
        return share.free_name(root, where, JOB)


def fail(share: Folders, where: Place = REPORT) -> str:
    story: dict[str, object] = {"what_happened": "It failed.", "file": where.base, "job": JOB, "schema": 1}
    with share.opened() as root:
        return share.fail(root, where, JOB, story)


def files(top: str) -> list[str]:
    """Every file and folder below a folder of the root that is not empty of files, by path."""
    found = [os.path.join(here, name) for here, _, below in os.walk(f"{ROOT}/{top}") for name in below]
    return sorted(os.path.relpath(path, f"{ROOT}/{top}") for path in found)


def of_the_job() -> list[str]:
    return [here for here, _, _ in os.walk(f"{ROOT}/processing") if JOB in here]


def used(fs: FakeFilesystem) -> int:
    """Bytes on the fake disk."""
    _, taken, _ = fs.get_disk_usage("/")
    return taken


def refusing(monkeypatch: pytest.MonkeyPatch, name: str, error: int) -> None:
    """Let a call of the file system answer with an error."""

    def refused(*_: object, **__: object) -> Any:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(f"daemon.disk.os.{name}", refused)


def test_a_whole_life_on_a_plain_file_system(fs: FakeFilesystem, share: Folders) -> None:
    """Claim, stage, publish and archive work with nothing but portable calls."""
    claim(share, drop(fs))
    name = stage(fs, share)
    with share.opened() as root:
        assert share.publish(root, REPORT, JOB, name)
        share.archive(root, REPORT, JOB)

    assert files("outbox") == ["acme/fr/sub/report.docx"]
    assert files("archive") == ["acme/fr/sub/report.docx"]
    assert files("inbox") == files("processing") == of_the_job() == []


def test_processing_on_another_disk(fs: FakeFilesystem, share: Folders) -> None:
    """A claim is one rename; where that cannot be (EXDEV) the drop stays, and no folder is left behind."""
    fs.add_mount_point(f"{ROOT}/processing/acme")
    drop(fs)

    with pytest.raises(OSError, match="nvalid cross-device") as caught:
        claim(share)
    assert caught.value.errno == errno.EXDEV
    assert files("inbox") == ["acme/fr/sub/report.docx"]
    assert of_the_job() == []


def test_archive_on_another_disk(fs: FakeFilesystem, share: Folders) -> None:
    """An original is never copied and then removed: it stays in `processing/` and the move is tried again."""
    claim(share, drop(fs))
    fs.add_mount_point(f"{ROOT}/archive/acme")

    with pytest.raises(OSError, match="nvalid cross-device"), share.opened() as root:
        share.archive(root, REPORT, JOB)
    assert files("processing") == [f"acme/fr/{JOB}/sub/report.docx"]
    assert files("archive") == []


def test_a_full_disk_shows_no_half_result(fs: FakeFilesystem, share: Folders) -> None:
    """ENOSPC while the result is copied: nobody sees anything, and with room again it is published whole."""
    fs.create_file("/state/result", contents=RESULT)
    fs.set_disk_usage(used(fs) + 300, "/")

    with pytest.raises(OSError, match="No space") as caught:
        stage(fs, share)
    assert caught.value.errno == errno.ENOSPC
    assert files("outbox") in ([], [f"acme/fr/sub/.{JOB}.part"])

    fs.set_disk_usage(1_000_000, "/")
    name = stage(fs, share)
    with share.opened() as root:
        assert share.publish(root, REPORT, JOB, name)
    assert files("outbox") == ["acme/fr/sub/report.docx"]
    with open(f"{ROOT}/outbox/acme/fr/sub/report.docx", "rb") as result:
        assert result.read() == RESULT


def test_a_full_disk_leaves_a_failed_original_where_it_is(fs: FakeFilesystem, share: Folders) -> None:
    """Without room for the sidecar the original does not move; with room again both are there, once."""
    claim(share, drop(fs))
    fs.set_disk_usage(used(fs) + 10, "/")

    with pytest.raises(OSError, match="No space"):
        fail(share)
    assert files("processing") == [f"acme/fr/{JOB}/sub/report.docx"]
    assert not [path for path in files("failed") if not os.path.basename(path).startswith(".")]

    fs.set_disk_usage(1_000_000, "/")
    fail(share)
    assert files("failed") == ["acme/fr/sub/report.docx", "acme/fr/sub/report.docx.error.json"]
    assert files("processing") == []


class TestForeign:
    """Folders that belong to somebody else, seen by a service that is not root."""

    @pytest.fixture(autouse=True)
    def somebody(self) -> Iterator[None]:
        set_uid(1000)
        yield
        reset_ids()

    @staticmethod
    def close(path: str, mode: int) -> None:
        """Give a folder to root, with a mode."""
        set_uid(0)
        os.chown(f"{ROOT}/{path}", 0, 0)
        os.chmod(f"{ROOT}/{path}", mode)
        set_uid(1000)

    def test_an_inbox_that_may_not_be_changed(self, fs: FakeFilesystem, share: Folders) -> None:
        """EACCES on the rename: the drop stays where it is, and no folder of the job is left."""
        drop(fs)
        self.close("inbox/acme/fr/sub", 0o555)

        with pytest.raises(PermissionError):
            claim(share)
        assert files("inbox") == ["acme/fr/sub/report.docx"]
        assert files("processing") == of_the_job() == []

    def test_an_outbox_that_is_read_only(self, fs: FakeFilesystem, share: Folders) -> None:
        """The result stays in the bank; when the folder is opened it is published."""
        self.close("outbox", 0o555)
        with pytest.raises(PermissionError):
            stage(fs, share)
        self.close("outbox", 0o777)
        name = stage(fs, share)

        with share.opened() as root:
            assert share.publish(root, REPORT, JOB, name)
        assert files("outbox") == ["acme/fr/sub/report.docx"]

    def test_a_language_folder_that_may_not_be_read(self, fs: FakeFilesystem, share: Folders) -> None:
        """It is told, at any level, and the folders beside it are listed."""
        fs.create_file(f"{ROOT}/inbox/acme/fr/open.txt")
        fs.create_file(f"{ROOT}/inbox/acme/fr/shut/in.txt")
        fs.create_file(f"{ROOT}/inbox/acme/de/in.txt")
        self.close("inbox/acme/fr/shut", 0o711)
        self.close("inbox/acme/de", 0o711)
        with share.opened() as root:
            french = {seen.place.name: seen.closed for seen in share.listing(root, "acme", "fr")}
            german = {seen.place.path("inbox"): seen.closed for seen in share.listing(root, "acme", "de")}

        assert french == {"open.txt": None, "shut": "Permission denied"}
        assert german == {"inbox/acme/de": "Permission denied"}

    def test_a_providers_folder_that_may_not_be_read(self, fs: FakeFilesystem, share: Folders) -> None:
        """It stops neither the making of the others nor their listing, and it shows that it is closed."""
        fs.create_file(f"{ROOT}/inbox/beta/fr/in.txt")
        self.close("inbox/beta", 0o711)
        share.create({"beta": ["fr"], "gamma": ["fr"]})
        with share.opened() as root:
            found = {(provider, entry.name): entry.kind for provider, entry in share.providers_and_languages(root)}

        assert found == {
            ("", "acme"): "folder",
            ("acme", "fr"): "folder",
            ("", "beta"): "other",
            ("", "gamma"): "folder",
            ("gamma", "fr"): "folder",
        }


class TestCaseBlind:
    """A server for which `Report.docx` and `report.docx` are one name."""

    @pytest.fixture(autouse=True)
    def blind(self, fs: FakeFilesystem) -> None:
        fs.is_case_sensitive = False

    def test_nothing_is_overwritten(self, fs: FakeFilesystem, share: Folders) -> None:
        """A result goes beside a file whose name differs in case alone."""
        fs.create_file(f"{ROOT}/outbox/acme/fr/sub/REPORT.DOCX", contents="a stranger's")
        name = stage(fs, share)
        with share.opened() as root:
            assert share.publish(root, REPORT, JOB, name)

        assert files("outbox") == ["acme/fr/sub/REPORT.DOCX", "acme/fr/sub/report (2).docx"]

    def test_failures_stay_apart(self, fs: FakeFilesystem, share: Folders) -> None:
        """Neither an original nor a sidecar takes the place of one that is spelled differently."""
        for name in ("Report.docx", "report (2).docx.ERROR.json"):
            fs.create_file(f"{ROOT}/failed/acme/fr/sub/{name}", contents="a stranger's")
        claim(share, drop(fs))

        assert fail(share) == "report (3).docx"
        assert len(files("failed")) == 4


class TestPoorer:
    """File systems that lack what ours has."""

    @pytest.mark.parametrize("error", [errno.EPERM, errno.ENOTSUP, errno.EMLINK])
    def test_without_hard_links(
        self, fs: FakeFilesystem, share: Folders, monkeypatch: pytest.MonkeyPatch, error: int
    ) -> None:
        """FAT and many shares know no second names: a look and a plain rename, and still nothing is replaced."""
        refusing(monkeypatch, "link", error)
        fs.create_file(f"{ROOT}/outbox/acme/fr/sub/report.docx", contents="a stranger's")
        claim(share, drop(fs))
        name = stage(fs, share)
        fs.create_file(f"{ROOT}/outbox/acme/fr/sub/report (2).docx", contents="taken meanwhile")
        with share.opened() as root:
            assert not share.publish(root, REPORT, JOB, name)
            assert share.publish(root, REPORT, JOB, share.free_name(root, REPORT, JOB))
            share.archive(root, REPORT, JOB)

        assert files("outbox") == [
            "acme/fr/sub/report (2).docx",
            "acme/fr/sub/report (3).docx",
            "acme/fr/sub/report.docx",
        ]
        assert files("archive") == ["acme/fr/sub/report.docx"]

    def test_without_syncs_of_folders(
        self, fs: FakeFilesystem, share: Folders, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Some network file systems refuse them; their names are durable at once."""
        refusing(monkeypatch, "fsync", errno.EINVAL)
        claim(share, drop(fs))

        assert files("processing") == [f"acme/fr/{JOB}/sub/report.docx"]

    def test_without_modes(self, fs: FakeFilesystem, share: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
        """A share whose modes are its mount's affair refuses every chmod; files go their way all the same."""
        refusing(monkeypatch, "fchmod", errno.EPERM)
        claim(share, drop(fs))

        assert fail(share) == "report.docx"
        assert files("failed") == ["acme/fr/sub/report.docx", "acme/fr/sub/report.docx.error.json"]
