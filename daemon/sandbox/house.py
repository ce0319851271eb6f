"""What all simulated services share: the ledger, the jobs, the limits, and who may come in."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from daemon.sandbox.addresses import Addresses
from daemon.sandbox.jobs import Job, Look, Phase
from daemon.sandbox.ledger import Ledger
from daemon.sandbox.limits import Limits, Turnstile
from daemon.sandbox.misbehave import Manners, Memory
from daemon.sandbox.outages import Outages
from daemon.sandbox.uploads import Upload


@dataclass(kw_only=True, slots=True)
class House:
    """One sandbox. `clock` is monotonic, `wall` seconds since 1970; `pace` bounds a translation's seconds."""

    folder: Path
    addresses: Addresses
    ledger: Ledger
    limits: Mapping[str, Limits]
    pace: tuple[float, float]
    random: Random
    clock: Callable[[], float]
    wall: Callable[[], float]
    turnstile: Turnstile = field(default_factory=Turnstile)
    memory: Memory = field(default_factory=Memory)
    outages: Outages = field(default_factory=Outages)
    _jobs: dict[tuple[str, str], Job] = field(default_factory=dict)
    _open: dict[tuple[str, str], list[Job]] = field(default_factory=dict)
    _translating: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def next_number(self) -> int:
        """A number that no earlier job has, also of a sandbox that used this folder before."""
        return len(self.ledger.submissions) + 1

    def full(self, service: str, account: str) -> bool:
        """Whether the account has as many jobs under way as the service allows."""
        at_most = self.limits[service].jobs
        now = self.clock()
        under_way = [job for job in self._open.get((service, account), []) if not job.over(now)]
        self._open[service, account] = under_way
        return at_most is not None and len(under_way) >= at_most

    def hire(
        self,
        service: str,
        account: str,
        ref: str,
        *,
        upload: Upload,
        route: tuple[str, str],
        fields: Mapping[str, str],
        manners: Manners,
    ) -> Job:
        """Take a submission: from now on it is under way, and billed."""
        job = Job(
            service=service,
            account=account,
            ref=ref,
            upload=upload,
            source=route[0],
            target=route[1],
            fields=fields,
            manners=manners,
            began=self.clock(),
            created_ms=int(self.wall() * 1000),
            takes_s=self.random.uniform(*self.pace),
        )
        self._jobs[service, ref] = job
        self._open.setdefault((service, account), []).append(job)
        return job

    def job(self, service: str, ref: str) -> Job | None:
        return self._jobs.get((service, ref))

    def forget(self, job: Job) -> None:
        """The client deleted it: its files go, its place is free."""
        del self._jobs[job.service, job.ref]
        under_way = self._open[job.service, job.account]
        self._open[job.service, job.account] = [other for other in under_way if other is not job]
        for path in {job.upload.path, job.result or job.upload.path}:
            path.unlink(missing_ok=True)

    async def look(self, job: Job, *, translate: bool) -> Look:
        """Look at a job once; a document that is done has its result afterwards, or has failed."""
        look = job.look(self.clock())
        if look.phase is not Phase.DONE or not translate or job.result is not None:
            return look
        async with self._translating:
            await asyncio.to_thread(job.translate, self.folder)
        return Look(Phase.FAILED, look.progress, look.before) if job.broken else look
