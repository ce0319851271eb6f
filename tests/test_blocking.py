"""Services whose answer is the result: what a kill or a full disk leaves of it."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.settling import Settlements
from daemon.spool import Spool
from daemon.submission import Submissions
from daemon.workshop import part_key
from tests.builders import PROVIDER, Bench
from tests.lives import accepted, submitting


def test_a_result_that_came_with_the_answer_survives_a_kill_before_its_record(tmp_path: Path) -> None:
    """Between `accepted` and `ready` the result is in the spool already: the next start goes on with it."""
    with Bench(tmp_path) as bench:
        bench.start()
        bench.drop(f"{PROVIDER}/fr/text.txt")
        bench.settle()
        (job,) = bench.jobs
        bench.shop.journal.append(job.id, "submitting", **submitting()[1])
        with bench.shop.spool.sink(job.id, 0) as sink:
            sink.write(b"un texte\n")
            sink.finish()
        bench.shop.journal.append(job.id, "accepted", **accepted(ref=None)[1])
    with Bench(tmp_path) as again:
        again.start()
        desk = again.shop.desks[PROVIDER]
        again.deliveries.fetch(desk, [part_key(job.id, 0)])

        assert again.files("outbox") == {f"{PROVIDER}/fr/text.txt": b"un texte\n"}


@pytest.mark.parametrize(("error", "why"), [(errno.ENOSPC, "disk.full"), (errno.EROFS, "folder.trouble")])
def test_no_place_for_an_answer_is_a_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, why: str
) -> None:
    """Before anything is sent the result's file has to be there; until then the job waits, and says why."""

    def refuse(*_: object) -> None:
        raise OSError(error, "no")

    with Bench(tmp_path) as bench:
        bench.start()
        bench.drop(f"{PROVIDER}/fr/text.txt")
        bench.settle()
        (job,) = bench.jobs
        desk = bench.shop.desks[PROVIDER]
        monkeypatch.setattr(Spool, "sink", refuse)
        vars(desk.provider)["capabilities"] = replace(desk.capabilities, blocking=True)
        assert desk.account.reserve(job.id)
        Submissions(bench.shop, Settlements(bench.shop)).run(desk, job.id)

        assert bench.shop.waiting[job.id].why == why
        assert bench.jobs[0].state == "claimed"
