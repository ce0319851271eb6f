"""CAMB.AI: lists of texts in and out, tasks that become runs, results by the run or several at once.

Paths, fields and codes are those of its pages "Create Translation", "Get Translation Task Status", "Get
Translation Result", "Fetch Translation Results in Bulk" and the two lists of languages; types and the open
words of a status are those of its own client. Not said there, and therefore chosen here: what a bad key, an
unknown id and too many requests are answered, that a run of nobody is left out of a bulk answer, and the list
of languages, which is shorter than the service's and has one more (fr-lu).

No file has a name here: the tokens are looked for in `project_name`, and the ledger's hash and size are those
of the texts.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from daemon.sandbox.house import House
from daemon.sandbox.jobs import Job, Look, Phase
from daemon.sandbox.keys import Standing
from daemon.sandbox.localise import marked, pseudo
from daemon.sandbox.results import download
from daemon.sandbox.service import Service, gateway
from daemon.sandbox.uploads import Upload
from daemon.sandbox.wire import HangUp
from daemon.segments.placeholders import protected

_LANGUAGES = """
    1 en-us English (United States); 2 af-za Afrikaans; 7 ar-eg Arabic (Egypt); 16 ar-sa Arabic (Saudi Arabia);
    21 bg-bg Bulgarian; 23 bn-in Bengali (India); 25 ca-es Catalan; 26 cs-cz Czech; 28 da-dk Danish;
    29 de-at German (Austria); 30 de-ch German (Switzerland); 31 de-de German (Germany); 32 el-gr Greek;
    35 en-gb English (United Kingdom); 54 es-es Spanish (Spain); 58 es-mx Spanish (Mexico); 68 et-ee Estonian;
    70 fa-ir Persian; 71 fi-fi Finnish; 72 fil-ph Filipino; 73 fr-be French (Belgium); 74 fr-ca French (Canada);
    75 fr-ch French (Switzerland); 76 fr-fr French (France); 80 he-il Hebrew; 81 hi-in Hindi; 82 hr-hr Croatian;
    83 hu-hu Hungarian; 85 id-id Indonesian; 87 it-it Italian; 88 ja-jp Japanese; 94 ko-kr Korean;
    96 lt-lt Lithuanian; 97 lv-lv Latvian; 105 nb-no Norwegian; 107 nl-be Dutch (Belgium);
    108 nl-nl Dutch (Netherlands); 109 pl-pl Polish; 111 pt-br Portuguese (Brazil);
    112 pt-pt Portuguese (Portugal); 113 ro-ro Romanian; 114 ru-ru Russian; 116 sk-sk Slovak; 117 sl-si Slovenian;
    120 sr-rs Serbian; 122 sv-se Swedish; 130 th-th Thai; 131 tr-tr Turkish; 132 uk-ua Ukrainian;
    136 vi-vn Vietnamese; 139 zh-cn Chinese (Mandarin); 140 zh-cn-henan Chinese (Henan);
    145 zh-hk Chinese (Hong Kong); 146 zh-tw Chinese (Taiwan); 150 ar-xa Arabic; 152 fr-lu French (Luxembourg)
"""
_SHORT_NAMES = {number: short for number, short, _ in (one.split(maxsplit=2) for one in _LANGUAGES.split(";"))}
_LISTED = [
    {"id": int(number), "language": name, "short_name": short}
    for number, short, name in (one.split(maxsplit=2) for one in _LANGUAGES.split(";"))
]
_LENGTHS = {"project_name": (3, 255), "project_description": (3, 5000)}
_ALLOWED = {"formality": (1, 2), "gender": (0, 1, 2, 9), "folder_id": None, "age": None}
_REFUSALS = {
    400: "Bad Request",
    401: "Invalid API key",
    402: "Insufficient credits",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
}
# What ~fail-N means: the status word and, where there is one, the reason.
_FAILURES = {
    402: ("PAYMENT_REQUIRED", "PAYMENT_REQUIRED"),
    408: ("TIMEOUT", None),
    500: ("FAILED", "INTERNAL_ERROR"),
}
_FAILURE = ("ERROR", "PROCESSING_ERROR")
_REASON = "The texts could not be translated."
_SPOILT = ("html", "wrong", "empty", "cut")


def _said(status: int, text: str) -> Response:
    return JSONResponse({"detail": text}, status)


def _invalid(field: str | None, text: str, kind: str = "value_error") -> Response:
    """The documented body of a 422."""
    place = ["body", field] if field else ["body"]
    return JSONResponse({"detail": [{"loc": place, "msg": text, "type": kind}]}, 422)


class CambAi(Service):
    """See the module."""

    name = "cambai"

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self._runs: dict[int, Job] = {}

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/translate", self.guarded("submit", self._submit), methods=["POST"]),
            Route("/translate/{ref}", self.guarded("status", self._status)),
            Route("/translation-result/{run}", self.guarded("fetch", self._result)),
            Route("/translation-results", self.guarded("fetch", self._results), methods=["POST"]),
            Route("/source-languages", self.guarded("check", self._languages)),
            Route("/target-languages", self.guarded("check", self._languages)),
        ]

    def refusal(self, status: int, verb: str) -> Response:  # noqa: ARG002  the other services ask for it
        if status == 422:
            return _invalid(None, "Value error", "value_error")
        return _said(status, _REFUSALS[status]) if status in _REFUSALS else gateway(status)

    def turned_away(self, why: Standing, key: str | None) -> Response:
        if why is Standing.MISSING:
            return _said(401, "API key is missing")
        return self.refusal({Standing.BLOCKED: 403, Standing.ORPHANED: 402}.get(why, 401), key or "")

    async def _languages(self, _request: Request, _account: str) -> Response:
        return JSONResponse(_LISTED)

    # -- a task ---------------------------------------------------------------------------------------------

    async def _submit(self, request: Request, account: str) -> Response:
        try:
            body = _read(await request.body())
        except ClientDisconnect:
            return self._turned_back(account, {}, HangUp())
        refused = _objection(body)
        if refused is not None:
            return self._turned_back(account, body, refused)
        upload = self._kept(body)
        at_most = self.house.limits[self.name].bytes
        if at_most is not None and upload.size > at_most:
            upload.path.unlink()
            return self._turned_back(account, body, gateway(413))
        return self.conclude(account, upload, _route(body), {})

    def _turned_back(self, account: str, body: Mapping[str, Any], answer: Response) -> Response:
        self._write_down(account, None, _route(body), answer, None)
        return answer

    def _kept(self, body: Mapping[str, Any]) -> Upload:
        """The texts as a file, under the name of the project."""
        content = json.dumps(body["texts"]).encode()
        path = self.house.folder / uuid.uuid4().hex
        path.write_bytes(content)
        return Upload(
            name=body.get("project_name") or "",
            content_type="application/json",
            path=path,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )

    def new_ref(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.name}/{self.house.next_number}"))

    def taken(self, job: Job) -> Response:
        return JSONResponse({"task_id": job.ref})

    async def _status(self, request: Request, account: str) -> Response:
        job = self.house.job(self.name, request.path_params["ref"])
        if job is None or job.account != account:
            return self.refusal(404, "status")
        return self._shown(job, await self.house.look(job, translate=False))

    def _shown(self, job: Job, look: Look) -> Response:
        match look.phase:
            case Phase.MISSING:
                return self.refusal(404, "status")
            case Phase.FAILED:
                word, reason = _FAILURES.get(job.manners.number("fail", 0), _FAILURE)
                message = {"message": _REASON, "stage": "translation"} if "nested" in job.manners else _REASON
                return JSONResponse({"status": word, "exception_reason": reason, "message": message})
            case Phase.DONE:
                if look.before < job.manners.number("early", 1):
                    return JSONResponse({"status": "SUCCESS"})
                return JSONResponse({"status": "SUCCESS", "run_id": self._run_of(job)})
            case Phase.ODD:
                return JSONResponse({"status": "POLISHING"})
            case _:
                return JSONResponse({"status": "PENDING"})

    def _run_of(self, job: Job) -> int:
        """A number that nobody can make from the id of the task."""
        run = int(hashlib.sha256(job.ref.encode()).hexdigest()[:7], 16) + 1
        self._runs[run] = job
        return run

    # -- its result -----------------------------------------------------------------------------------------

    def _mine(self, run: object, account: str) -> Job | None:
        job = self._runs.get(run) if isinstance(run, int) else None
        return job if job and job.account == account and "absent" not in job.manners else None

    async def _result(self, request: Request, account: str) -> Response:
        run = request.path_params["run"]
        if not run.isdecimal():
            return _invalid("run_id", "Input should be a valid integer", "int_parsing")
        job = self._mine(int(run), account)
        if job is None:
            return self.refusal(404, "fetch")
        path = self.house.folder / f"{job.upload.path.name}.result"
        path.write_bytes(json.dumps({"texts": _translated(job)}).encode())
        return download(job, path, "application/json")

    async def _results(self, request: Request, account: str) -> Response:
        runs = _read(await request.body()).get("run_ids")
        if not isinstance(runs, list) or not all(type(run) is int and run > 0 for run in runs):
            return _invalid("run_ids", "Input should be a list of positive integers", "list_type")
        if not 2 <= len(runs) <= 5 or len(set(runs)) < len(runs):
            return _invalid("run_ids", "List should have 2 to 5 unique items after validation", "too_short")
        jobs = {run: job for run in runs if (job := self._mine(run, account)) is not None}
        if any(len(runs) < job.manners.number("groups", 6) for job in jobs.values()):
            return _invalid("run_ids", "Value error, fewer run_ids than required", "value_error")
        found = {str(run): {"texts": _translated(job)} for run, job in jobs.items() if not _left_out(job)}
        for run in found:
            jobs[int(run)].downloads += 1
        wrapped = any("wrapped" in job.manners for job in jobs.values())
        return JSONResponse({"results": found} if wrapped else found)


def _left_out(job: Job) -> bool:
    """A result that comes spoilt when asked for alone does not come with others."""
    return "alone" in job.manners or any(job.manners.applies(word, job.downloads) for word in _SPOILT)


def _translated(job: Job) -> list[str]:
    texts: list[str] = json.loads(job.upload.path.read_bytes())
    found = [pseudo(_bare(text) if "lossy" in job.manners else text) for text in texts]
    found[0] = marked(found[0], _SHORT_NAMES.get(job.target, job.target))
    return found[:-1] if job.manners.applies("short", job.downloads) else found


def _bare(text: str) -> str:
    """The text without its placeholders."""
    for start, end in reversed(protected(text)):
        text = text[:start] + text[end:]
    return text


def _read(data: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(data)
    except ValueError:
        return {}
    # The service's own client sends what was left out as null, too.
    return {name: value for name, value in body.items() if value is not None} if isinstance(body, dict) else {}


def _route(body: Mapping[str, Any]) -> tuple[str, str]:
    return str(body.get("source_language", "")), str(body.get("target_language", ""))


def _objection(body: Mapping[str, Any]) -> Response | None:
    """The documented answer to a body that is not right; None when it is."""
    for name in ("source_language", "target_language", "texts"):
        if name not in body:
            return _invalid(name, "Field required", "missing")
    for name in ("source_language", "target_language"):
        known = {*_SHORT_NAMES, *_SHORT_NAMES.values(), *(["auto"] if name == "source_language" else [])}
        if isinstance(body[name], bool) or str(body[name]).lower() not in known:
            return _invalid(name, "Value error, unknown language")
    texts = body["texts"]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        return _invalid("texts", "Input should be a list of strings", "list_type")
    return _wrong_field(body)


def _wrong_field(body: Mapping[str, Any]) -> Response | None:
    for name, (least, most) in _LENGTHS.items():
        value = body.get(name, " " * least)
        if not isinstance(value, str) or not least <= len(value) <= most:
            return _invalid(name, f"String should have {least} to {most} characters", "string_length")
    for name, allowed in _ALLOWED.items():
        value = body.get(name, allowed[0] if allowed else 0)
        if type(value) is not int or (allowed and value not in allowed):
            return _invalid(name, "Input should be a valid integer", "int_type")
    dictionaries = body.get("chosen_dictionaries", [])
    if not isinstance(dictionaries, list) or not all(type(one) is int for one in dictionaries):
        return _invalid("chosen_dictionaries", "Input should be a list of integers", "list_type")
    return None
