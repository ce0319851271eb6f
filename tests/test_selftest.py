"""The self-test that ships: its judge sees every broken promise, and a daemon that breaks one is caught."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import disk, moves
from daemon.sandbox.child import start
from daemon.selftest.faults import Fault
from daemon.selftest.judge import Aftermath, violations
from daemon.selftest.matrix import SCENARIOS, spread
from daemon.selftest.trials import Ground

_RESULT = b"le resultat"
_MINE = b"mine"
_ONCE = {"sha256": "5e2f", "accepted": True}
_SIDECAR = "failed/p/fr/lamp.md.error.json"
DELIVERED = Aftermath(
    content=b"the original",
    root={
        "archive/p/fr/lamp.md": b"the original",
        "outbox/p/fr/lamp.md": _MINE,
        "outbox/p/fr/lamp (2).md": _RESULT,
    },
    bystander="outbox/p/fr/lamp.md",
    bystander_content=_MINE,
    secret=b"the-key",
    state={"journal.jsonl": b"{}"},
    ledger=[_ONCE],
)
FAILED = replace(
    DELIVERED,
    root={
        "failed/p/fr/lamp.md": b"the original",
        "outbox/p/fr/lamp.md": _MINE,
        _SIDECAR: b'{"code": "provider.failed"}',
    },
)


def _without(path: str, left: Aftermath = DELIVERED) -> Aftermath:
    return replace(left, root={name: content for name, content in left.root.items() if name != path})


def _with(path: str, content: bytes, left: Aftermath = DELIVERED) -> Aftermath:
    return replace(left, root={**left.root, path: content})


def test_a_good_end_breaks_no_promise() -> None:
    """Delivered, failed by the service, or uncertain after a kill in between: all as promised."""
    uncertain = _with(_SIDECAR, b'{"code": "submit.uncertain"}', FAILED)

    assert violations(DELIVERED, _RESULT) == []
    assert violations(FAILED, None) == []
    assert violations(replace(uncertain, was_open=True), _RESULT) == []


@pytest.mark.parametrize(
    ("left", "result", "says"),
    [
        (replace(DELIVERED, ended=False), _RESULT, "did not come to an end"),
        (_without("archive/p/fr/lamp.md"), _RESULT, "the original is gone"),
        (_with("failed/p/fr/lamp.md", b"the original"), _RESULT, "lies in 2 places"),
        (_without("outbox/p/fr/lamp (2).md"), _RESULT, "0 results and 0 sidecars"),
        (_with("outbox/p/fr/lamp (3).md", _RESULT), _RESULT, "2 results"),
        (_with(_SIDECAR, b"{}"), _RESULT, "1 results and 1 sidecars"),
        (_with("outbox/p/fr/lamp (2).md", b"le resul"), _RESULT, "not what the service returned"),
        (DELIVERED, None, "although the service failed the file"),
        (FAILED, _RESULT, "although the service had translated it"),
        (_with(_SIDECAR, b'{"code": "submit.uncertain"}', FAILED), _RESULT, "called uncertain"),
        (replace(DELIVERED, ledger=[_ONCE, _ONCE]), _RESULT, "paid 2 times"),
        (_with("outbox/p/fr/lamp.md", b"other"), _RESULT, "somebody else's file"),
        (_with("outbox/p/fr/.0001.part", b"le"), _RESULT, "temporary file"),
        (_with("processing/p/fr/0001/x.md", b"other"), _RESULT, "left in processing"),
        (replace(DELIVERED, state={"journal.jsonl": b"Bearer the-key"}), _RESULT, "the key stands in a file"),
    ],
)
def test_every_broken_promise_is_seen(left: Aftermath, result: bytes | None, says: str) -> None:
    """A judge that cannot condemn proves nothing."""
    assert any(says in found for found in violations(left, result))


@given(effects=st.integers(0, 500), points=st.integers(2, 50))
def test_points_are_spread_from_the_first_effect_to_the_last(effects: int, points: int) -> None:
    """No more than asked for, all different, both ends among them."""
    chosen = spread(effects, points)

    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(effects, points)
    assert not effects or (chosen[0], chosen[-1]) == (1, effects)


def _copies_half(source: int, target: int) -> None:
    size = os.fstat(source).st_size
    os.write(target, os.pread(source, size // 2, 0))


def _always_free(base: str, job: str, taken: object) -> str:
    del job, taken
    return base


def _overwriting(from_folder: int, from_name: str, to_folder: int, to_name: str) -> None:
    os.replace(from_name, to_name, src_dir_fd=from_folder, dst_dir_fd=to_folder)


@pytest.mark.parametrize(
    ("rooms", "says"),
    [
        ({(disk, "copy"): _copies_half}, "not what the service returned"),
        ({(moves, "first_free"): _always_free, (disk, "rename_noreplace"): _overwriting}, "somebody else's file"),
    ],
    ids=["copies half", "overwrites"],
)
def test_a_daemon_that_breaks_a_promise_is_caught(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rooms: dict[tuple[ModuleType, str], Callable[..., object]],
    says: str,
) -> None:
    """With a room that does not do what it says, the trial tells; with the real one it is silent."""
    scenario = SCENARIOS[0]
    assert scenario.result is not None
    found = []
    with start(tmp_path / "services") as sandbox:
        ground = Ground(tmp_path, tmp_path, sandbox)
        for verbs in ({}, rooms):
            for (room, verb), broken in verbs.items():
                monkeypatch.setattr(room, verb, broken)
            ((trial, left),) = ground.run(scenario, [Fault()])
            found.append(violations(left, scenario.result(trial.content)))

    assert found[0] == []
    assert any(says in line for line in found[1])


@pytest.mark.long
def test_the_command_tries_everything_and_leaves_nothing(tmp_path: Path) -> None:
    """`selftest DIR` ends with 0 and one sentence, and takes its folder away again."""
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "selftest", str(tmp_path), "--points", "3"],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "45 trials: nothing lost" in done.stdout
    assert list(tmp_path.iterdir()) == []
