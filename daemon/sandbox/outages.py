"""Outages ordered from outside: a service, or some of its verbs, out of order for a while."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Outage(BaseModel):
    """One order. `seconds` and `verbs` absent: until it is ended, and all of them.

    `status` is an HTTP code (the service's documented answer for it, else a proxy's page), `reset` (the
    connection is reset) or `hang` (no answer comes). With `key` only this account is hit. `retry_after` goes
    into the header of that name as it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str
    status: Annotated[int, Field(ge=400, le=599)] | Literal["reset", "hang"]
    verbs: list[Literal["submit", "status", "fetch", "delete"]] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    key: str | None = None
    retry_after: str | None = None

    def hits(self, service: str, verb: str, key: str | None) -> bool:
        return (
            service == self.service
            and (self.verbs is None or verb in self.verbs)
            and (self.key is None or key == self.key)
        )


class Outages:
    """The outages in force. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self._ordered: list[tuple[Outage, float | None]] = []

    def order(self, outage: Outage, now: float) -> None:
        """Put an outage in force; the latest one decides where several hit."""
        self._ordered.insert(0, (outage, None if outage.seconds is None else now + outage.seconds))

    def end(self, service: str | None = None) -> None:
        """End all outages, or those of one service."""
        self._ordered = [(outage, until) for outage, until in self._ordered if service not in (None, outage.service)]

    def find(self, service: str, verb: str, key: str | None, now: float) -> Outage | None:
        """The outage that hits this request, if any."""
        self._ordered = [(outage, until) for outage, until in self._ordered if until is None or now < until]
        return next((outage for outage, _ in self._ordered if outage.hits(service, verb, key)), None)
