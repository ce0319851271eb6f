"""What is tried: each way through the life of a job, with what has to come of it when nobody dies."""

from pathlib import Path

from daemon.job import State
from tests.crash.site import Site
from tests.crash.trial import Scenario
from tests.crash.world import World
from tests.effects import Effects, Step

_MODEL = {"options": {"model": "gpt-4.1-mini-2025-04-14"}}


def _live(site: Site, *, until_claimed: bool = False) -> None:
    """An earlier life of the daemon, of which nothing is counted."""

    def is_done(world: World) -> bool:
        jobs = world.app.shop.journal.alive()
        if until_claimed:
            return any(job.refs for job in jobs)
        return not jobs and not site.waiting() and world.app.scans > 0

    with Effects(site.base) as effects:
        world = World(site.config(), site.clock, effects, site.services.quiet)
        world.start()
        assert world.run(is_done)
        if not until_claimed:
            world.stop()
        effects.bury()


def _taken_names(site: Site) -> None:
    """Results, originals and failures of other people have the names already."""
    for top in ("outbox", "archive"):
        site.plant(f"{top}/{site.kind}/fr/sub/a.txt", b"somebody's own file")
    site.plant(f"failed/{site.kind}/fr/b~fail.txt", b"somebody's own file")


def _takes_the_name(site: Site, step: Step) -> Path | None:
    """Somebody puts a file of the result's name into the outbox just before it is published."""
    path = f"outbox/{site.kind}/fr/b.txt"
    if step.name in ("rename", "replace") and step.about == f"share/{path}" and path not in site.foreign:
        site.plant(path, b"somebody was faster")
        return site.root / path
    return None


def _writes_on(site: Site, step: Step) -> Path | None:
    """Somebody changes the claimed file while it is being handed over."""
    if step.name == "connect" and any(job.state is State.SUBMITTING for job in site.jobs().values()):
        for path in (site.root / "processing").rglob("a.txt"):
            content = path.read_bytes().replace(b"Hello", b"Jelly")
            if content != site.dropped["a.txt"]:
                path.write_bytes(content)
                site.dropped["a.txt"] = content
                return path
    return None


def _withdraws(site: Site, step: Step) -> Path | None:
    """Somebody takes a file back that the service has refused for now, and that waits for its turn."""
    name = "a~http-402.txt"
    path = f"inbox/{site.kind}/fr/{name}.cancel"
    waits = (job.state is State.CLAIMED and job.attempts > 0 for job in site.jobs().values())
    if step.name == "connect" and path not in site.foreign and any(waits):
        site.plant(path, b"")
        return site.root / path
    return None


def _failed_before(site: Site) -> None:
    """The service said for a while that it knew nothing of the job; then a person tries again."""
    site.drop("a~gone-7.txt")
    _live(site)
    site.move_back("a~gone-7.txt")


def _ended_before(site: Site) -> None:
    site.drop("early.txt")
    site.drop("early~fail.txt")
    _live(site)


def _compact(world: World) -> None:
    world.app.shop.journal.compact()


def _of_another_state(site: Site) -> None:
    """A state that is gone has claimed a file and sent it."""
    site.drop("a.txt")
    site.drop("sub/b.txt")
    _live(site, until_claimed=True)


DELIVERED = Scenario(name="delivered", settings=_MODEL, ends={"sub/a.txt": "delivered"})
SCENARIOS = (
    DELIVERED,
    Scenario(
        name="failed",
        settings=_MODEL,
        ends={"a~http-413.txt": "submit.rejected", "b~fail.txt": "provider.failed"},
    ),
    Scenario(name="answer lost, nobody to ask", settings=_MODEL, ends={"a~lost.txt": "submit.uncertain"}),
    Scenario(
        name="answer lost, recovered",
        kind="doctranslate",
        ends={"a~lost.docx": "delivered"},
        recovers=True,
    ),
    Scenario(name="several parts", kind="cambai", settings={"max_texts": 1}, ends={"a.txt": "delivered"}),
    Scenario(name="blocking service", kind="azure", settings={"region": "westeurope"}, ends={"a.txt": "delivered"}),
    Scenario(
        name="names taken",
        settings=_MODEL,
        ends={"sub/a.txt": "delivered", "b.txt": "delivered", "b~fail.txt": "provider.failed"},
        before=_taken_names,
        meanwhile=_takes_the_name,
    ),
    Scenario(name="changed meanwhile", settings=_MODEL, ends={"a.txt": "delivered"}, meanwhile=_writes_on),
    Scenario(
        name="withdrawn",
        settings=_MODEL,
        ends={"a~http-402.txt": "drop.withdrawn"},
        meanwhile=_withdraws,
    ),
    Scenario(name="result gone", settings=_MODEL, ends={"a~expired.txt": "delivered"}),
    Scenario(name="originals deleted", settings=_MODEL, more={"originals": "delete"}, ends={"a.txt": "delivered"}),
    Scenario(name="tried again", settings=_MODEL, ends={"a~gone-7.txt": "delivered"}, before=_failed_before),
    Scenario(
        name="compaction",
        settings=_MODEL,
        ends={"early.txt": "delivered", "early~fail.txt": "provider.failed"},
        before=_ended_before,
        last=_compact,
    ),
    Scenario(
        name="take-over",
        settings=_MODEL,
        ends={"a.txt": "submit.uncertain", "sub/b.txt": "submit.uncertain", "new.txt": "delivered"},
        before=_of_another_state,
        state="other",
        take_over=True,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
