"""Whose state, whose root: every meeting of a journal and a marker, and a kill at every effect of it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon import kernel
from daemon.errors import ShareAwayError, StateError
from daemon.folders import MARKER
from daemon.journal import Identity
from daemon.ownership import House, open_house
from tests.builders import Crash, Crashes, configuration, contents, folders_in, in_memory, job_id
from tests.clocks import FakeClock


@contextmanager
def at_home(base: Path, *, take_over: bool = False) -> Iterator[House]:
    """The house of a folder for the length of a block."""
    house = open_house(configuration(base), FakeClock(), take_over=take_over)
    try:
        yield house
    finally:
        house.close()


def refused(base: Path) -> str:
    """The words of a refusal, which changes nothing in the root."""
    before = everything(base / "share")
    with pytest.raises(StateError) as caught, at_home(base):
        pass

    assert everything(base / "share") == before
    return str(caught.value)


def everything(folder: Path) -> tuple[dict[str, bytes], list[str]]:
    return contents(folder), folders_in(folder)


def marker(base: Path) -> Identity | None:
    try:
        found = json.loads((base / "share" / MARKER).read_bytes())
    except FileNotFoundError:
        return None
    return Identity(state=found["state"], root=found["root"])


def foreign(base: Path) -> Identity:
    """Let another state take the root; returns what its marker says."""
    other = base / "other"
    other.mkdir()
    (base / "share").mkdir(exist_ok=True)
    (other / "share").symlink_to(base / "share")
    with at_home(other) as house:
        return house.journal.identity


def claimed_file(base: Path) -> Path:
    """A file in `processing/` of which no journal knows."""
    path = base / f"share/processing/acme/fr/{job_id(1)}/text.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"text\n")
    return path


def notes(base: Path) -> list[str]:
    """The events of the journal that belong to no job."""
    lines = [json.loads(line) for line in (base / "state/journal.jsonl").read_bytes().splitlines()]
    return [line["event"] for line in lines if line["job"] is None]


@pytest.fixture
def memory() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


class TestNewState:
    """A state that has no journal yet."""

    def test_makes_a_new_root(self, tmp_path: Path) -> None:
        """State, root and marker are made, and both sides know each other."""
        with at_home(tmp_path) as house:
            assert house.journal.identity == marker(tmp_path)
            assert house.journal.rooted
            assert not house.journal.taking_over
            assert (house.jobs, house.torn) == ([], 0)
            with house.folders.opened():
                pass
        assert notes(tmp_path) == ["opened", "rooted"]
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700

    def test_ids_are_never_the_same(self, tmp_path: Path) -> None:
        """Two installations differ in both ids."""
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            with at_home(tmp_path / name):
                pass
        one, other = marker(tmp_path / "a"), marker(tmp_path / "b")

        assert one is not None
        assert other is not None
        assert len({one.state, one.root, other.state, other.root}) == 4

    def test_welcomes_folders_and_waiting_files(self, tmp_path: Path) -> None:
        """Folders made beforehand and files in the inbox are no sign of another owner, an empty processing/ neither."""
        waiting = tmp_path / "share/inbox/acme/fr/text.txt"
        waiting.parent.mkdir(parents=True)
        waiting.write_bytes(b"text\n")
        (tmp_path / "share/processing").mkdir()
        with at_home(tmp_path) as house:
            assert house.journal.identity == marker(tmp_path)
        assert waiting.read_bytes() == b"text\n"

    def test_takes_a_state_folder_that_is_there(self, tmp_path: Path) -> None:
        """An empty state folder, as a service manager makes it, is as good as none."""
        (tmp_path / "state").mkdir()
        with at_home(tmp_path) as house:
            assert house.journal.rooted

    def test_root_and_state_may_be_links(self, tmp_path: Path) -> None:
        """Links in the paths that the administrator gave are the administrator's: /var/lib/x may be one."""
        for name in ("share", "state"):
            (tmp_path / f"real {name}").mkdir()
            (tmp_path / name).symlink_to(tmp_path / f"real {name}")
        with at_home(tmp_path) as house:
            assert house.journal.rooted
        assert sorted(path.name for path in (tmp_path / "real share").iterdir()) == [MARKER]

    def test_refuses_a_foreign_marker(self, tmp_path: Path) -> None:
        """The words name the owner and the way out; not even a state folder is made."""
        owner = foreign(tmp_path)
        words = refused(tmp_path)

        assert owner.state in words
        assert "run --take-over" in words
        assert not (tmp_path / "state").exists()

    def test_refuses_files_in_processing(self, tmp_path: Path) -> None:
        """Nobody knows what was sent of them."""
        claimed_file(tmp_path)
        words = refused(tmp_path)

        assert "processing is not empty" in words
        assert "run --take-over" in words
        assert not (tmp_path / "state").exists()

    def test_refuses_what_it_cannot_look_into(self, tmp_path: Path) -> None:
        """A processing/ that is no folder is told, not stumbled over."""
        (tmp_path / "share").mkdir()
        (tmp_path / "share/processing").write_bytes(b"")

        assert "cannot be looked into" in refused(tmp_path)

    @pytest.mark.parametrize("what", ["state", "root"])
    def test_says_what_cannot_be_made(self, tmp_path: Path, what: str) -> None:
        """A parent folder that is missing, or a file in its place, is a sentence and no traceback."""
        (tmp_path / "file").write_bytes(b"")
        for where in ("missing/deep", "file/below"):
            config = configuration(tmp_path, **{what: f"{tmp_path}/{where}"})
            with pytest.raises(StateError, match=f"the {what}.* cannot be made or written to"):
                open_house(config, FakeClock(), take_over=False)

    def test_does_not_overwrite_one_that_was_quicker(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another process makes the state between our look and our lock: its ids stand, and its jobs."""
        real = kernel.lock
        theirs: list[Identity] = []

        def late(path: str) -> int | None:
            monkeypatch.setattr(kernel, "lock", real)
            with at_home(tmp_path) as house:
                theirs.append(house.journal.identity)
            return real(path)

        monkeypatch.setattr(kernel, "lock", late)
        with at_home(tmp_path) as house:
            assert [house.journal.identity] == theirs
        assert [marker(tmp_path)] == theirs


class TestKnownState:
    """A state with a journal that has had its root."""

    @pytest.fixture(autouse=True)
    def lived(self, tmp_path: Path) -> Identity:
        with at_home(tmp_path) as house:
            return house.journal.identity

    def test_finds_its_marker(self, tmp_path: Path, lived: Identity) -> None:
        """Nothing is written anew."""
        before = everything(tmp_path / "share")
        with at_home(tmp_path) as house:
            assert house.journal.identity == lived
        assert everything(tmp_path / "share") == before
        assert notes(tmp_path) == ["opened", "rooted"]

    @pytest.mark.parametrize("mount_point", [True, False])
    def test_without_its_marker_the_share_is_away(self, tmp_path: Path, lived: Identity, mount_point: bool) -> None:
        """It opens, frozen, and writes nothing; when the marker is back it goes on."""
        (tmp_path / "share").rename(tmp_path / "unmounted")
        if mount_point:
            (tmp_path / "share").mkdir()
        with at_home(tmp_path) as house:
            with pytest.raises(ShareAwayError), house.folders.opened():
                pass
            assert not mount_point or everything(tmp_path / "share") == ({}, [])
            assert (tmp_path / "share").exists() == mount_point
            if mount_point:
                (tmp_path / "share").rmdir()
            (tmp_path / "unmounted").rename(tmp_path / "share")
            with house.folders.opened():
                pass
        assert marker(tmp_path) == lived

    def test_still_after_a_compaction(self, tmp_path: Path) -> None:
        """That the root had its marker is not forgotten with the old jobs."""
        with at_home(tmp_path) as house:
            facts = {"provider": "acme", "folder": "fr", "name": "a.txt", "size": 1, "mtime_ns": 1, "inode": 1}
            house.journal.append(job_id(1), "claimed", **facts, dropped_at="2026-01-31T08:00:00.000Z")
            house.journal.append(job_id(1), "failed", error={"code": "drop.type"})
            house.journal.append(job_id(1), "closed")
            assert house.journal.compact() == 1
        (tmp_path / "share" / MARKER).unlink()
        with at_home(tmp_path) as house:
            assert house.journal.rooted
            assert marker(tmp_path) is None

    def test_refuses_a_foreign_marker(self, tmp_path: Path, lived: Identity) -> None:
        """A mixed-up root: the words name both states, and nothing is changed."""
        (tmp_path / "share" / MARKER).unlink()
        owner = foreign(tmp_path)
        words = refused(tmp_path)

        assert owner.state in words
        assert lived.state in words
        assert marker(tmp_path) == owner

    def test_refuses_its_own_name_on_another_root(self, tmp_path: Path, lived: Identity) -> None:
        """The marker's both ids count: a copy of the state beside another root of its own is no match."""
        (tmp_path / "share" / MARKER).write_text(json.dumps({"state": lived.state, "root": "another", "babeldrop": 1}))

        assert lived.state in refused(tmp_path)

    def test_the_lock_keeps_a_second_process_out(self, tmp_path: Path) -> None:
        """While one process works with a state no other can; when it is killed the next one starts."""
        script = (
            "import sys; from pathlib import Path; from tests.clocks import FakeClock\n"
            "from daemon.ownership import open_house; from tests.builders import configuration\n"
            "house = open_house(configuration(Path(sys.argv[1])), FakeClock(), take_over=False)\n"
            "print('ready', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            try:
                assert child.stdout is not None
                assert child.stdout.readline() == b"ready\n"
                assert "another babeldrop is at work" in refused(tmp_path)
            finally:
                child.kill()
        with at_home(tmp_path) as house:
            assert house.journal.rooted


class TestTakeOver:
    """`run --take-over`: the root is claimed, and what the journal does not know counts as uncertain."""

    def taken(self, base: Path, before: Identity | None) -> Identity:
        """Take the root over; what holds afterwards in each case."""
        with at_home(base, take_over=True) as house:
            identity = house.journal.identity
            assert house.journal.taking_over
            assert house.journal.rooted
            with house.folders.opened():
                pass
        assert marker(base) == identity
        assert identity != before
        # A start without the option goes on with it: files without a record are still uncertain.
        with at_home(base) as house:
            assert house.journal.taking_over
            house.journal.note("took_over")
        with at_home(base) as house:
            assert not house.journal.taking_over
        return identity

    def test_by_a_new_state(self, tmp_path: Path) -> None:
        """The root keeps its own id and changes its owner; the owner of before is refused from now on."""
        owner = foreign(tmp_path)
        identity = self.taken(tmp_path, owner)

        assert identity.root == owner.root
        with pytest.raises(StateError, match=identity.state), at_home(tmp_path / "other"):
            pass

    def test_by_a_new_state_of_a_root_without_marker(self, tmp_path: Path) -> None:
        """Files in processing/ without any marker are taken over with it."""
        path = claimed_file(tmp_path)
        self.taken(tmp_path, None)

        assert path.exists()

    def test_by_a_known_state(self, tmp_path: Path) -> None:
        """The state keeps its ids, and the marker follows them."""
        with at_home(tmp_path) as house:
            before = house.journal.identity
        (tmp_path / "share" / MARKER).unlink()
        owner = foreign(tmp_path)

        assert self.taken(tmp_path, owner) == before

    def test_by_a_known_state_whose_marker_is_lost(self, tmp_path: Path) -> None:
        """The way back when somebody has deleted the marker."""
        with at_home(tmp_path) as house:
            before = house.journal.identity
        (tmp_path / "share" / MARKER).unlink()

        assert self.taken(tmp_path, None) == before

    def test_by_the_owner_changes_nothing(self, tmp_path: Path) -> None:
        """With its own marker there is nothing to take over: its files are adopted as ever."""
        with at_home(tmp_path):
            pass
        with at_home(tmp_path, take_over=True) as house:
            assert not house.journal.taking_over
        assert notes(tmp_path) == ["opened", "rooted"]


class TestKilled:
    """A kill at every effect of the first start or of a take-over; then a start as if nothing had been."""

    def killed(
        self, base: Path, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Path], object], *, take_over: bool
    ) -> Iterator[Path]:
        crashes = Crashes(monkeypatch)
        at, whole = 0, False
        while not whole:
            at += 1
            scene = base / f"{at}"
            scene.mkdir()
            prepare(scene)
            crashes.arm(at)
            try:
                with at_home(scene, take_over=take_over):
                    crashes.arm(0)
                    whole = True
            except Crash:
                crashes.arm(0)
            yield scene
        assert at > 15

    def test_a_first_start(self, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The next start owns the root, whatever was made before."""
        for scene in self.killed(memory, monkeypatch, lambda _: None, take_over=False):
            with at_home(scene) as house:
                assert house.journal.identity == marker(scene)
                assert house.journal.rooted
                assert not house.journal.taking_over
            assert notes(scene).count("rooted") == 1

    def test_a_first_start_whose_root_gets_files_meanwhile(self, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a marker of ours on it, a root with files in processing/ is still nobody's we know."""
        for scene in self.killed(memory, monkeypatch, lambda _: None, take_over=False):
            known = marker(scene)
            claimed_file(scene)
            if known is None:
                assert "processing is not empty" in refused(scene)
            else:
                with at_home(scene) as house:
                    assert house.journal.identity == known

    @pytest.mark.parametrize("again", [True, False])
    def test_a_take_over(self, memory: Path, monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
        """Repeated, or started without the option: refused as before, or the files are still uncertain."""

        def prepare(scene: Path) -> None:
            foreign(scene)
            claimed_file(scene)

        for scene in self.killed(memory, monkeypatch, prepare, take_over=True):
            owner = marker(scene)
            try:
                with at_home(scene, take_over=again) as house:
                    assert house.journal.taking_over
                    assert house.journal.identity == marker(scene)
            except StateError:
                assert not again
                assert marker(scene) == owner


class TestDisk:
    """The state belongs on a local disk."""

    @pytest.mark.parametrize("kind", ["nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.rclone"])
    def test_a_network_file_system_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        """Locks and syncs mean too little there; the words say which one it is."""
        monkeypatch.setattr(kernel, "file_system", lambda _path: kind)

        assert f"is on {kind}; it has to be on a local disk" in refused(tmp_path)

    @pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuseblk", "unknown"])
    def test_a_local_one_is_taken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        """So is one of which nothing is known."""
        monkeypatch.setattr(kernel, "file_system", lambda _path: kind)
        with at_home(tmp_path) as house:
            assert house.journal.rooted
