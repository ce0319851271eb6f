"""The soak's checker can fail: in a made-up world that is in order, each planted violation is found."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from tests.soaking.checker import Evidence, File, Snapshot, check
from tests.soaking.history import Act

GOOD, BAD, MINE, RESULT = (sha256(text).hexdigest() for text in (b"good", b"bad", b"mine", b"result"))
JOB, OTHER = "0000000000000001", "0000000000000002"
_AT = "2026-01-01T00:00:00.000Z"


def _record(seq: int, job: str, event: str, **data: Any) -> dict[str, Any]:
    return {"seq": seq, "at": _AT, "job": job, "event": event, **data}


def _claimed(seq: int, job: str, name: str) -> dict[str, Any]:
    facts = {"provider": "gpttranslator", "folder": "fr", "name": name, "size": 4, "mtime_ns": 1, "inode": 1}
    return _record(seq, job, "claimed", **facts, dropped_at=_AT)


def _submitting(seq: int, job: str, digest: str, attempt: int = 1) -> dict[str, Any]:
    return _record(seq, job, "submitting", part=0, of=1, attempt=attempt, sha256=digest, route="en-to-fr")


def _seen(job: str, digest: str, *, accepted: bool = True, attempt: int = 1) -> dict[str, Any]:
    file = f"text.{job}-{attempt}.txt"
    return {"service": "gpttranslator", "file": file, "sha256": digest, "accepted": accepted, "target": "fr"}


RECORDS = [
    _claimed(2, JOB, "sub/a.txt"),
    _submitting(3, JOB, GOOD),
    _record(4, JOB, "accepted", part=0, ref="r1"),
    _record(5, JOB, "ready", part=0),
    _record(6, JOB, "banked", hash=RESULT, size=6, name="a.txt"),
    _record(7, JOB, "publishing", name="a.txt"),
    _record(8, JOB, "delivered", name="a.txt"),
    _record(9, JOB, "closed"),
    _claimed(10, OTHER, "b.txt"),
    _submitting(11, OTHER, BAD),
    _record(12, OTHER, "accepted", part=0, ref="r2"),
    _record(13, OTHER, "failed", error={"code": "provider.failed"}),
    _record(14, OTHER, "closed"),
]
STORY: Mapping[str, Any] = {
    "what_happened": "It failed.", "what_to_do": "Try again.", "file": "b.txt", "provider": "gpttranslator",
    "target_language": "fr", "error": {"code": "provider.failed"}, "job": OTHER, "sha256": BAD,
}  # fmt: skip
ARCHIVED, DELIVERED = "archive/gpttranslator/fr/sub/a.txt", "outbox/gpttranslator/fr/sub/a.txt"
FAILED, PLANTED = "failed/gpttranslator/fr/b.txt", "outbox/gpttranslator/fr/mine.txt"
TREE = {
    ARCHIVED: File(sha256=GOOD),
    DELIVERED: File(sha256=RESULT),
    FAILED: File(sha256=BAD),
    f"{FAILED}.error.json": File(sha256="", story=STORY),
    PLANTED: File(sha256=MINE),
    ".babeldrop": File(sha256=""),
}


def _acts(*facts: dict[str, str]) -> list[Act]:
    return [Act(seq=seq, at=float(seq), **fact) for seq, fact in enumerate(facts)]


ACTS = _acts(
    {"kind": "start", "note": "1"},
    {"kind": "put", "path": "inbox/gpttranslator/fr/sub/a.txt", "sha256": GOOD},
    {"kind": "put", "path": "inbox/gpttranslator/fr/b.txt", "sha256": BAD},
    {"kind": "plant", "path": PLANTED, "sha256": MINE},
)
WORLD = Evidence(
    acts=ACTS,
    ledger=[_seen(JOB, GOOD), _seen(OTHER, BAD)],
    records=RECORDS,
    tree=TREE,
    state=["journal.jsonl", "status.json", "lock", "history/2026-01.jsonl"],
    snapshots=[Snapshot(after=2, originals=Counter({GOOD: 1}))],
    fits=lambda job, digest: (job.id, digest) == (JOB, RESULT),
)


def _without(path: str) -> dict[str, File]:
    return {one: file for one, file in TREE.items() if one != path}


def _changed(seq: int, **data: Any) -> list[dict[str, Any]]:
    return [{**record, **data} if record["seq"] == seq else record for record in RECORDS]


def test_a_world_in_order_shows_nothing() -> None:
    """Delivered once, failed once, a user's own file: the checker is silent."""
    assert check(WORLD) == []


_SCENES: dict[str, tuple[str, Evidence]] = {
    "an original vanished": ("V1", replace(WORLD, tree=_without(ARCHIVED))),
    "an original was away for a moment": (
        "V1",
        replace(WORLD, snapshots=[Snapshot(after=3, originals=Counter({BAD: 1}))]),
    ),
    "an original was doubled": ("V7", replace(WORLD, tree={**TREE, "inbox/gpttranslator/fr/a.txt": File(sha256=GOOD)})),
    "a job was paid twice": ("V3", replace(WORLD, ledger=[*WORLD.ledger, _seen(JOB, GOOD)])),
    "a lost answer was paid again under the next attempt": (
        "V3",
        replace(WORLD, ledger=[*WORLD.ledger, _seen(JOB, GOOD, attempt=2)]),
    ),
    "two jobs were paid for one order": (
        "V3",
        replace(
            WORLD,
            records=[*RECORDS, _claimed(15, "0000000000000003", "a.txt"), _submitting(16, "0000000000000003", GOOD)],
            ledger=[*WORLD.ledger, _seen("0000000000000003", GOOD)],
        ),
    ),
    "an order that was taken back was paid": (
        "V3",
        replace(
            WORLD,
            acts=[*ACTS, *_acts({"kind": "take", "path": "inbox/gpttranslator/fr/sub/a.txt", "sha256": GOOD})],
        ),
    ),
    "a service saw what the journal does not know": (
        "V14",
        replace(WORLD, ledger=[*WORLD.ledger, _seen(JOB, GOOD, accepted=False, attempt=5)]),
    ),
    "the journal cannot be folded": ("V14", replace(WORLD, records=RECORDS[1:])),
    "other bytes were uploaded than were hashed": ("V7", replace(WORLD, ledger=[_seen(JOB, MINE), _seen(OTHER, BAD)])),
    "half a file was hashed": ("V7", replace(WORLD, records=_changed(3, sha256=MINE))),
    "a drop was never taken": (
        "V15",
        replace(
            WORLD,
            acts=[*ACTS, *_acts({"kind": "put", "path": "inbox/gpttranslator/de/c.txt", "sha256": RESULT})],
            tree={**TREE, "inbox/gpttranslator/de/c.txt": File(sha256=RESULT)},
        ),
    ),
    "a job never ended": ("V15", replace(WORLD, records=RECORDS[:-1])),
    "a job failed for a reason of the daemon's own": ("V2", replace(WORLD, records=_changed(13, error={"code": "x"}))),
    "a result is not there": ("V4", replace(WORLD, tree=_without(DELIVERED))),
    "a result is half": ("V5", replace(WORLD, tree={**TREE, DELIVERED: File(sha256=MINE)})),
    "a collected result was half": (
        "V5",
        replace(
            WORLD,
            tree=_without(DELIVERED),
            acts=[*ACTS, *_acts({"kind": "collect", "path": DELIVERED, "sha256": MINE})],
        ),
    ),
    "a result that nobody delivered": (
        "V8",
        replace(WORLD, tree={**TREE, "outbox/gpttranslator/fr/z.txt": File(sha256=RESULT)}),
    ),
    "a failed file without a sidecar": ("V8", replace(WORLD, tree=_without(f"{FAILED}.error.json"))),
    "a sidecar that explains nothing": (
        "V8",
        replace(
            WORLD,
            tree={
                **TREE,
                f"{FAILED}.error.json": File(
                    sha256="", story={key: value for key, value in STORY.items() if key != "what_to_do"}
                ),
            },
        ),
    ),
    "a sidecar of a delivered job": (
        "V8",
        replace(WORLD, tree={**TREE, f"{FAILED}.error.json": File(sha256="", story={**STORY, "job": JOB})}),
    ),
    "a user's file is gone": ("V6", replace(WORLD, tree=_without(PLANTED))),
    "a user's file was changed": ("V6", replace(WORLD, tree={**TREE, PLANTED: File(sha256=GOOD)})),
    "a temporary file stayed": ("V5", replace(WORLD, tree={**TREE, "outbox/azure/fr/.x.part": File(sha256=GOOD)})),
    "a result stayed in the spool": ("V5", replace(WORLD, state=["spool/x.result"])),
    "the clock alone let a job fail": ("V16", replace(WORLD, records=_changed(13, error={"code": "deadline.passed"}))),
    "the run itself met something": ("V18", replace(WORLD, incidents=["V18 it did not stop"])),
}


@pytest.mark.parametrize("scene", _SCENES)
def test_a_planted_violation_is_found(scene: str) -> None:
    """Whatever is wrong is named with its invariant."""
    invariant, evidence = _SCENES[scene]

    found = check(evidence)

    assert invariant in {one.split()[0] for one in found}, found


def test_what_users_did_themselves_is_no_violation() -> None:
    """Results collected, failed originals taken away, their sidecars left: that is the users' right."""
    acts = _acts(
        *({"kind": act.kind, "path": act.path, "sha256": act.sha256, "note": act.note} for act in ACTS),
        {"kind": "collect", "path": DELIVERED, "sha256": RESULT},
        {"kind": "take", "path": FAILED, "sha256": BAD},
    )
    tree = {path: file for path, file in TREE.items() if path not in (DELIVERED, FAILED)}

    assert check(replace(WORLD, acts=acts, tree=tree)) == []


def test_a_deadline_that_passed_across_a_restart_is_no_violation() -> None:
    """What the wall clock told while no process lived cannot be known better."""
    acts = _acts(
        *({"kind": act.kind, "path": act.path, "sha256": act.sha256, "note": act.note} for act in ACTS),
        {"kind": "start", "note": "12"},
    )

    assert check(replace(WORLD, acts=acts, records=_changed(13, error={"code": "deadline.passed"}))) == []
