"""Three rings with imports that point inward, effects in their rooms, and modules that can be read at once.

The tables say what belongs where. An exemption has its reason beside it, and one that nobody needs any more
has to go.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import daemon

HOME = Path(daemon.__file__).parent
MOST_LINES = 350


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RING_1 = _words(
    "ages costs errors messages texts job agenda policy languages stability formats names sidecar records segments "
    "spellings liveness digest tidings happenings health readings"
)
RING_2 = _words(
    "clock disk kernel transport journal history folders moves originals spool watcher accounts settings providers "
    "replies hosts multipart courier meters extras"
)
BESIDE = "sandbox"
"""The simulated services: another program, which happens to lie in the same distribution."""

KNOW_THE_SANDBOX = _words("cli selftest")

PURE = _words(
    "abc base64 bisect codecs collections collections.abc contextlib dataclasses datetime difflib enum fnmatch "
    "functools heapq html itertools json math operator re string struct types typing unicodedata urllib.parse "
    "xml.parsers xml.sax.saxutils zlib langcodes langcodes.tag_parser"
)
"""What ring 1 may import: libraries that neither ask nor change anything outside their arguments."""

PURE_OF_CLOCK = frozenset({"stamp", "moment", "seconds_between"})
"""How times are written and compared; what time it is only a Clock knows."""

ONE_ROOM = {
    "httpx": "transport",
    "watchdog": "watcher",
    "apscheduler": "app",
    "yaml": "config",
    "prometheus_client": "metrics",
    "ctypes": "kernel",
    "fcntl": "kernel",
    # It brings requests and goes its own way to a hundred services: no documents, no keys of ours, and what it
    # says about addresses ends there.
    "apprise": "courier",
}

OS_FILES = _words(
    "access chdir chmod chown close copy_file_range dup dup2 fchmod fchown fdatasync fstat fstatvfs fsync "
    "ftruncate fwalk getcwd lchown link listdir lockf lstat makedirs mkdir mkfifo mknod open pipe "
    "posix_fallocate pread pwrite read readlink remove removedirs rename renames replace rmdir scandir "
    "sendfile stat statvfs symlink sync truncate unlink utime walk write"
)
OS_PATH_FILES = _words(
    "abspath exists expanduser getatime getctime getmtime getsize isdir isfile islink ismount lexists realpath samefile"
)
PATH_FILES = _words(
    "absolute chmod cwd exists expanduser glob hardlink_to home is_dir is_file is_fifo is_mount is_socket "
    "is_symlink iterdir lchmod lstat mkdir open read_bytes read_text readlink rename resolve rglob rmdir "
    "samefile stat symlink_to touch unlink walk write_bytes write_text"
)
FILE_LIBRARIES = frozenset({"shutil", "tempfile", "glob", "fileinput", "io"})

MAY_TOUCH_FILES = {
    "disk": "the room for it",
    "kernel": "the system calls beneath that room",
    "config_safety": "asks where the paths of the configuration lead, and who may write there",
    "setup": "makes what is there before a daemon is: files beside the configuration, and the folders' owners",
    "cli": "commands bring their own files: temporary folders, samples, logs; paths as a person types them",
    "sandbox": "another program, with files of its own",
    "selftest": "puts faults beneath `disk`, and looks at what daemons leave behind",
}
MAY_ASK_THE_TIME = {
    "clock": "the room for it",
    "sandbox": "another program, with a clock of its own",
}


@cache
def modules() -> Mapping[str, ast.Module]:
    """Every module by its name below `daemon` ("" is the package itself)."""
    found = {}
    for path in sorted(HOME.rglob("*.py")):
        steps = path.relative_to(HOME).with_suffix("").parts
        name = ".".join(steps[:-1] if steps[-1] == "__init__" else steps)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def top(module: str) -> str:
    return module.partition(".")[0]


def ring(module: str) -> int:
    if top(module) in RING_1 or not module:
        return 1
    return 2 if top(module) in RING_2 else 3


def imports(module: str) -> Iterator[tuple[str, str | None]]:
    """(module, name) of every import, also of those in functions; the name is None for a whole module."""
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            yield from ((node.module or "", alias.name) for alias in node.names)


def own_imports(module: str) -> Iterator[tuple[str, str | None]]:
    """(module below `daemon`, name) of every import from this package."""
    for source, name in imports(module):
        if source == "daemon" and name in {top(one) for one in modules()}:
            yield str(name), None
        elif top(source) == "daemon":
            yield source.partition(".")[2], name


def libraries(module: str) -> set[str]:
    return {source for source, _ in imports(module) if top(source) != "daemon"}


def calls(module: str) -> Iterator[tuple[str, str]]:
    """(what it is called on, name) of every call; ("", name) for plain functions."""
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield ast.unparse(node.func.value), node.func.attr
            elif isinstance(node.func, ast.Name):
                yield "", node.func.id


def file_effects(module: str) -> set[str]:
    """Everything in a module that asks or changes the file system."""
    found = {f"imports {name}" for name in libraries(module) if top(name) in FILE_LIBRARIES}
    uses_paths = "pathlib" in libraries(module)
    for on, name in calls(module):
        if (
            (on == "os" and name in OS_FILES)
            or (on == "os.path" and name in OS_PATH_FILES)
            or (not on and name == "open")
            or (uses_paths and on not in ("os", "os.path", "disk") and name in PATH_FILES)
        ):
            found.add(f"{on}.{name}()".lstrip("."))
    return found


def time_effects(module: str) -> set[str]:
    """Everything in a module that asks the machine what time it is, or waits for it."""
    found = {f"imports {name}" for name in libraries(module) if name == "time"}
    return found | {f"{on}.{name}()" for on, name in calls(module) if name in ("now", "utcnow", "today") and _date(on)}


def _date(on: str) -> bool:
    return on.rpartition(".")[2] in ("datetime", "date")


def offenders(effects: Callable[[str], set[str]], allowed: Mapping[str, str]) -> dict[str, set[str]]:
    return {module: found for module in modules() if top(module) not in allowed and (found := effects(module))}


def test_imports_point_inward() -> None:
    """No module imports one of a ring further out; commands and the self-test alone know the sandbox."""
    wrong = {
        f"{module or 'daemon'} (ring {ring(module)}) imports {source} (ring {ring(source)})"
        for module in modules()
        if top(module) not in (BESIDE, "__main__")
        for source, _ in own_imports(module)
        if ring(source) > ring(module) or (top(source) == BESIDE and top(module) not in KNOW_THE_SANDBOX)
    }

    # The clock's two functions for texts are what ring 1 may know of ring 2.
    assert {line for line in wrong if not line.endswith("imports clock (ring 2)")} == set()


def test_ring_1_knows_of_the_clock_only_how_times_are_written() -> None:
    """A pure module may write and compare times; it cannot find out what time it is."""
    taken = {
        name for module in modules() if ring(module) == 1 for source, name in own_imports(module) if source == "clock"
    }

    assert taken <= PURE_OF_CLOCK


def test_ring_1_is_pure() -> None:
    """No I/O, no clock, no threads, no logging, no chance: only libraries that are known to be without."""
    wrong = {
        module: unknown
        for module in modules()
        if module and ring(module) == 1 and (unknown := {name for name in libraries(module) if name not in PURE})
    }

    assert wrong == {}
    assert offenders(file_effects, dict.fromkeys({top(one) for one in modules() if ring(one) > 1}, "")) == {}
    assert offenders(time_effects, dict.fromkeys({top(one) for one in modules() if ring(one) > 1}, "")) == {}


def test_every_name_in_the_tables_is_a_module() -> None:
    """A table that speaks of modules which are gone guards nothing."""
    known = {top(module) for module in modules()}

    assert (RING_1 | RING_2 | {BESIDE}) - known == set()
    assert (MAY_TOUCH_FILES.keys() | MAY_ASK_THE_TIME.keys() | set(ONE_ROOM.values())) - known == set()


def test_files_are_touched_in_their_room() -> None:
    """What opens, asks, changes or syncs files goes through `disk`, the seam where tests stop the process."""
    assert offenders(file_effects, MAY_TOUCH_FILES) == {}


@pytest.mark.parametrize("room", MAY_TOUCH_FILES)
def test_each_exemption_for_files_is_needed(room: str) -> None:
    """One that nobody uses any more would let the next effect slip through."""
    assert any(file_effects(module) for module in modules() if top(module) == room)


def test_time_is_asked_in_its_room() -> None:
    """Everything else is given a Clock, so that tests and jumps of the wall clock decide nothing by chance."""
    assert offenders(time_effects, MAY_ASK_THE_TIME) == {}


@pytest.mark.parametrize("room", MAY_ASK_THE_TIME)
def test_each_exemption_for_the_time_is_needed(room: str) -> None:
    """As above."""
    assert any(time_effects(module) for module in modules() if top(module) == room)


@pytest.mark.parametrize(("library", "room"), ONE_ROOM.items())
def test_some_libraries_have_one_importer(library: str, room: str) -> None:
    """What they do (and how they fail) is put right in one place."""
    found = {
        module for module in modules() if top(module) != BESIDE and library in {top(one) for one in libraries(module)}
    }

    assert found == {room}


def test_the_sandbox_stands_beside() -> None:
    """Of the daemon it knows the texts of documents alone: it must not share a mistake with what it tests."""
    taken = {
        source
        for module in modules()
        if top(module) == BESIDE
        for source, _ in own_imports(module)
        if top(source) != BESIDE
    }

    assert {top(source) for source in taken} <= {"segments"}


@pytest.mark.parametrize("path", sorted(HOME.rglob("*.py")), ids=lambda path: str(path.relative_to(HOME)))
def test_a_module_can_be_read_at_once(path: Path) -> None:
    """Whoever opens one finds a room for one thing, said in its first sentence."""
    text = path.read_text(encoding="utf-8")

    assert ast.get_docstring(ast.parse(text))
    assert text.count("\n") <= MOST_LINES
