"""What all simulated services have in common: the door, and the life of a submission.

A service is one file with one class: it names its routes, its limits and its words. Whoever adds one
derives from `Service`, or from `FormService` when documents come as multipart forms, and adds the class to
the list in `server.py`; ledger, outages, limits and what tokens do to a submission then hold for it too.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from daemon.sandbox.house import House
from daemon.sandbox.jobs import Job
from daemon.sandbox.keys import Standing, account_of, standing
from daemon.sandbox.limits import Limits
from daemon.sandbox.outages import Outage
from daemon.sandbox.uploads import Form, Upload, receive
from daemon.sandbox.wire import HangUp, NoAnswer, Reset, Silence

Handler = Callable[[Request, str], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]

_AN_HOUR_S = 3600


def gateway(status: int) -> Response:
    """What a proxy in front of a service says in its place."""
    title = {
        429: "Too Many Requests",
        502: "Bad Gateway",
        503: "Service Temporarily Unavailable",
        504: "Gateway Time-out",
    }.get(status, "Error")
    head, body = f"<head><title>{status} {title}</title></head>", f"<body><h1>{status} {title}</h1></body>"
    return HTMLResponse(f"<html>{head}{body}</html>\n", status)


class Service(ABC):
    """One simulated service. Its paths stand below `/<name>` on the API's origin."""

    name: ClassVar[str]
    limits: ClassVar[Limits] = Limits()

    def __init__(self, house: House) -> None:
        self.house = house

    @abstractmethod
    def routes(self) -> list[BaseRoute]:
        """The documented paths, below the service's prefix."""

    def result_routes(self) -> list[BaseRoute]:
        """The paths on the second origin, below the service's prefix there."""
        return []

    @abstractmethod
    def refusal(self, status: int, verb: str) -> Response:
        """The documented answer with this HTTP code, else a proxy's page."""

    @abstractmethod
    def turned_away(self, why: Standing, key: str | None) -> Response:
        """The documented answer to a key that is not good."""

    @abstractmethod
    def new_ref(self) -> str:
        """The id of the next job."""

    @abstractmethod
    def taken(self, job: Job) -> Response:
        """The documented answer to a submission that was taken."""

    def too_many_jobs(self) -> Response:
        """The answer to one submission more than the service allows at once."""
        return self.refusal(429, "submit")

    def key_of(self, request: Request) -> str | None:
        return request.headers.get("x-api-key")

    def guarded(self, verb: str, handler: Handler) -> Endpoint:
        """A route of the API's origin: it wants a key, and counts."""

        async def endpoint(request: Request) -> Response:
            key = self.key_of(request)
            account = account_of(key)
            self.house.ledger.request(self.name, verb, account)
            refused = self._refused(verb, key, account)
            if refused is None:
                return await handler(request, account)
            if verb == "submit":
                self.house.ledger.submission(self.name, account, accepted=False, answered=_answered(refused))
            return refused

        return endpoint

    def unguarded(self, verb: str, handler: Callable[[Request], Awaitable[Response]]) -> Endpoint:
        """A route of the second origin: no key, but outages hold here too."""

        async def endpoint(request: Request) -> Response:
            self.house.ledger.request(self.name, verb, "")
            outage = self.house.outages.find(self.name, verb, None, self.house.clock())
            return self._out_of_order(outage, verb) if outage else await handler(request)

        return endpoint

    def _refused(self, verb: str, key: str | None, account: str) -> Response | None:
        now = self.house.clock()
        outage = self.house.outages.find(self.name, verb, key, now)
        if outage:
            return self._out_of_order(outage, verb)
        why = standing(key)
        if why is not Standing.GOOD:
            return self.turned_away(why, key)
        window = self.house.limits[self.name].windows.get(verb)
        if not self.house.turnstile.admit(self.name, verb, account, window, now):
            return self.refusal(429, verb)
        return None

    def _out_of_order(self, outage: Outage, verb: str) -> Response:
        if outage.status == "reset":
            return Reset()
        if outage.status == "hang":
            return Silence(outage.seconds or _AN_HOUR_S)
        answer = self.refusal(outage.status, verb)
        if outage.retry_after is not None:
            answer.headers["retry-after"] = outage.retry_after
        return answer

    def conclude(self, account: str, upload: Upload, route: tuple[str, str], fields: Mapping[str, str]) -> Response:
        """Take, or refuse, a valid submission that has arrived whole, and write down which.

        `route` is the pair of source and target language as they were sent, `fields` whatever else was.

        Nothing else runs between the decision and its line in the ledger.
        """
        house = self.house
        manners = house.memory.manners(self.name, account, upload.name, upload.sha256)
        refused = None
        if "http" in manners:
            refused = self.refusal(manners.number("http", 503), "submit")
        elif house.full(self.name, account):
            refused = self.too_many_jobs()
        if refused is not None:
            upload.path.unlink()
            self._write_down(account, upload, route, refused, None)
            return refused
        job = house.hire(self.name, account, self.new_ref(), upload=upload, route=route, fields=fields, manners=manners)
        answer = self.taken(job)
        if "accepted" in manners:
            answer = self.refusal(manners.number("accepted", 503), "submit")
        if "lost" in manners:
            answer = HangUp()
        if "hang" in manners:
            answer = Silence(manners.number("hang", _AN_HOUR_S))
        self._write_down(account, upload, route, answer, job)
        return answer

    def _write_down(
        self, account: str, upload: Upload | None, route: tuple[str, str], answer: Response, job: Job | None
    ) -> None:
        # A file without its last byte has no hash, and what is known of its size means nothing.
        whole = upload if upload and upload.sha256 else None
        self.house.ledger.submission(
            self.name,
            account,
            accepted=job is not None,
            answered=_answered(answer),
            file=upload.name if upload else None,
            sha256=whole.sha256 if whole else None,
            size=whole.size if whole else None,
            source=route[0] or None,
            target=route[1] or None,
            remote_id=job.ref if job else None,
        )


class FormService(Service):
    """A service that takes documents as multipart forms with the file under `file`."""

    source_field: ClassVar[str]
    target_field: ClassVar[str]

    @abstractmethod
    def objection(self, form: Form) -> Response | None:
        """The documented answer to a form that is not right; None when it is."""

    async def submit(self, request: Request, account: str) -> Response:
        """Read the form to its end and conclude."""
        form = await receive(request, self.house.folder)
        upload = form.file
        route = (form.fields.get(self.source_field, ""), form.fields.get(self.target_field, ""))
        refused: Response | None = HangUp() if form.cut else self.objection(form)
        if refused is None:
            assert upload is not None, "a form without a file meets an objection"
            form.discard(but=upload)
            return self.conclude(account, upload, route, form.fields)
        form.discard()
        self._write_down(account, upload, route, refused, None)
        return refused


def _answered(answer: Response) -> int | None:
    return None if isinstance(answer, NoAnswer) else answer.status_code
