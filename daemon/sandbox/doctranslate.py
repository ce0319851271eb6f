"""Doctranslate: documents in, results behind signed links on a host that wants no key, and a history.

Paths, fields, bodies and codes are those of its pages "Get result", "Document Translation" and "User History".
Not said there, and therefore chosen here: what a look at a running or an unknown task answers (`~flat` and
`~bare` choose otherwise), what a key without credit or without the right to the API meets, what is said of a
bad form or file (the one documented 400 is the service's own trouble, and met at results and history), that the
history shows tasks under way, and what an expired link answers (the XML of object stores).
"""

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import PurePath
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from daemon.sandbox.house import House
from daemon.sandbox.jobs import Job, Phase
from daemon.sandbox.keys import Standing
from daemon.sandbox.results import MEDIA_TYPES, download
from daemon.sandbox.service import FormService, gateway
from daemon.sandbox.uploads import Form

_VERSIONS = ("v1", "v2", "v3")
_ZONE = timezone(timedelta(hours=7))
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{2,4})?")
_EXTENSIONS = ("docx", "pdf", "pptx", "xlsx")
_TRANSLATE_TYPES = ("Professional", "Paraphrase")
_TONES = ("Default", "Serious", "Friendly", "Humorous", "Formal", "Romantic")
_NO_SERVER = "Error while sending message. Please check server!"
_NO_FILE = "The file cannot be processed."
_UNKNOWN = "The task does not exist."
_OUTPUT = "doctranslator-production/output"
_DENIED = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>'


class Doctranslate(FormService):
    """See the module."""

    name = "doctranslate"
    source_field = "original_lang"
    target_field = "dest_lang"

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self._version = _VERSIONS[0]
        self._tasks: list[Job] = []
        self._signed: dict[str, tuple[Job, int]] = {}

    def routes(self) -> list[BaseRoute]:
        history: BaseRoute = Route("/user/history", self.guarded("status", self._history), methods=["POST"])
        return [history, *(route for version in _VERSIONS for route in copy.copy(self).prefixed(version))]

    def prefixed(self, version: str) -> list[BaseRoute]:
        """The paths of one version, which this copy of the service knows the fields of."""
        self._version = version
        return [
            Route(f"/{version}/translate/document", self.guarded("submit", self.submit), methods=["POST"]),
            Route(f"/{version}/result/{{ref}}", self.guarded("status", self._result)),
        ]

    def result_routes(self) -> list[BaseRoute]:
        return [Route(f"/{_OUTPUT}/{{kind}}/{{file}}", self.unguarded("fetch", self._fetch))]

    def key_of(self, request: Request) -> str | None:
        """Both documented headers; a bearer token counts where both are sent."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else request.headers.get("x-api-key")

    def refusal(self, status: int, verb: str) -> Response:
        match status:
            case 400:
                return self._said(_NO_FILE if verb == "submit" else _NO_SERVER)
            case 401:
                return _detail(401, "Not authenticated")
            case 403:
                return _detail(403, "Not enough credits")
            case 404:
                return _detail(404, "Not Found")
            case _:
                return gateway(status)

    def turned_away(self, why: Standing, key: str | None) -> Response:  # noqa: ARG002  the other service asks for it
        if why is Standing.ORPHANED:
            return _detail(403, "The API needs a Team plan")
        return self.refusal(403 if why is Standing.BLOCKED else 401, "submit")

    def objection(self, form: Form) -> Response | None:
        upload = form.file
        if upload is None or not upload.size:
            return self._said("A file is required.")
        if upload.extension not in _EXTENSIONS:
            return self._said("The type of the file is not supported.")
        at_most = self.house.limits[self.name].bytes
        if at_most is not None and upload.size > at_most:
            return gateway(413)
        wrong = _wrong_field(form.fields, upload.extension, self._version)
        return self._said(f"The field {wrong} is not valid.") if wrong else None

    def new_ref(self) -> str:
        return hashlib.sha256(f"{self.name}/{self.house.next_number}".encode()).hexdigest()[:32]

    def taken(self, job: Job) -> Response:
        self._tasks.append(job)
        return self._envelope({"task_id": job.ref})

    # -- the result -----------------------------------------------------------------------------------------

    async def _result(self, request: Request, account: str) -> Response:
        job = self.house.job(self.name, request.path_params["ref"])
        if job is None or job.account != account:
            return self._said(_UNKNOWN)
        look = await self.house.look(job, translate=True)
        match look.phase:
            case Phase.FAILED:
                return self._envelope(_failed(job), 400)
            case Phase.DONE:
                return self._shown(job, self._done(job))
            case Phase.MISSING:
                return self._bare(job) or self._said(_UNKNOWN)
            case _:
                word = "polishing" if look.phase is Phase.ODD else "processing"
                return self._bare(job) or self._shown(job, _common(job) | {"url_download": None, "status": word})

    def _shown(self, job: Job, record: Mapping[str, Any]) -> Response:
        if "flat" not in job.manners:
            return self._envelope({job.ref: record, "status": None})
        told = {"status": record["status"]}
        if record["url_download"]:
            told |= {"url_download": record["url_download"], "name_file": record["file_name"]}
        return self._envelope(told)

    def _bare(self, job: Job) -> Response | None:
        """A look without a record, where a token asks for one."""
        if "bare" not in job.manners:
            return None
        match job.manners.number("bare", 0):
            case 1:
                return self._envelope(None)
            case 2:
                return self._envelope({"status": None})
            case _:
                return self._envelope({})

    def _done(self, job: Job) -> dict[str, Any]:
        return _common(job) | {
            "file_name": _output_name(job),
            "url_download": self._url(job),
            "status": "done",
            "cost": _cost(job),
            "datetime": _naive(_ended(job)),
        }

    def _envelope(self, data: object, status: int = 200) -> Response:
        """Around every answer but the 401; its `status` never says anything else."""
        return JSONResponse(self._around(data, [], "") | {"status": "success"}, status)

    def _said(self, text: str) -> Response:
        return JSONResponse(self._around({}, ["Error"], text), 400)

    def _around(self, data: object, errors: list[str], description: str) -> dict[str, Any]:
        now = _naive(self.house.wall())
        return {
            "data": data,
            "errors": errors,
            "error_description": description,
            "start_time": now,
            "end_time": now,
        }

    # -- the history ----------------------------------------------------------------------------------------

    async def _history(self, request: Request, account: str) -> Response:
        asked = request.query_params
        sizes = [asked.get(name, "1") for name in ("page", "page_size")]
        try:
            dates = json.loads(await request.body())
            first, last = str(dates["start_date"]), str(dates["end_date"])
        except (ValueError, KeyError, TypeError):
            return self._said("start_date and end_date are needed.")
        if not all(size.isdecimal() and int(size) for size in sizes):
            return self._said("page and page_size must be greater than 0.")
        if not (_MOMENT.fullmatch(first) and _MOMENT.fullmatch(last)):
            return self._said("A date is written yyyy-mm-dd hh:mm:ss.")
        keyword = asked.get("keyword", "").lower()
        mine = [(number, job) for number, job in enumerate(self._tasks, 26524) if job.account == account]
        items = [await self._item(number, job) for number, job in reversed(mine)]
        found = [
            item
            for item in items
            if item and keyword in item["file_name"].lower() and first <= item["datetime"] <= last
        ]
        page, size = map(int, sizes)
        return self._envelope(found[(page - 1) * size : page * size])

    async def _item(self, number: int, job: Job) -> dict[str, Any] | None:
        """The numbers are the history's own: no result can be asked for by them."""
        look = await self.house.look(job, translate=True)
        job.looks -= 1  # it was none at the task itself
        if look.phase is Phase.MISSING:
            return None
        record = self._done(job) if look.phase is Phase.DONE else _common(job)
        return {
            "id": number,
            "file_name": record["file_name"],
            "url_download": record.get("url_download", ""),
            "translation_type": "Document",
            "datetime": record["datetime"][:19],
            "cost": record["cost"],
            "credit": record["cost"],
            "dest_lang": job.target,
            "share_url": "",
        }

    # -- the other origin -----------------------------------------------------------------------------------

    def _url(self, job: Job) -> str:
        signature = hashlib.sha256(f"{job.upload.path.name}/{job.issue}".encode()).hexdigest()
        self._signed[signature] = (job, job.issue)
        moment = datetime.fromtimestamp(_ended(job), UTC)
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"sandbox/{moment:%Y%m%d}/us-east-1/s3/aws4_request",
            "X-Amz-Date": f"{moment:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": "604800",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": signature,
        }
        place = f"{_OUTPUT}/{job.upload.extension}/{quote(_output_name(job), safe='')}"
        return f"{self.house.addresses.results}/{self.name}/{place}?{urlencode(query)}"

    async def _fetch(self, request: Request) -> Response:
        job, issue = self._signed.get(request.query_params.get("X-Amz-Signature", ""), (None, 0))
        if job is None or request.path_params["file"] != _output_name(job):
            return _denied(403, "SignatureDoesNotMatch", "The signature does not match the request.")
        if job.expired(issue):
            return _denied(403, "AccessDenied", "Request has expired")
        if job.result is None or "absent" in job.manners:
            return _denied(404, "NoSuchKey", "The specified key does not exist.")
        return download(job, job.result, MEDIA_TYPES[job.upload.extension])


def _detail(status: int, text: str) -> Response:
    return JSONResponse({"detail": text}, status)


def _denied(status: int, code: str, message: str) -> Response:
    return Response(_DENIED.format(code, message), status, media_type="application/xml")


def _naive(moment: float) -> str:
    """As the service writes times: in its own zone, without saying so."""
    return datetime.fromtimestamp(moment, _ZONE).replace(tzinfo=None).isoformat(" ", "microseconds")


def _ended(job: Job) -> float:
    """When a task that is over ended, in seconds since 1970."""
    return job.created_ms / 1000 + job.takes_s


def _input_name(job: Job) -> str:
    path = PurePath(job.upload.name)
    return f"{path.stem}_{job.created_ms // 1000}{path.suffix}"


def _output_name(job: Job) -> str:
    path = PurePath(job.upload.name)
    return f"{path.stem}_{job.target}_{job.created_ms // 1000}{path.suffix}"


def _cost(job: Job) -> float:
    """Nobody has counted pages: a plausible price that grows with the size."""
    return round(0.5 + job.upload.size / 100_000, 2)


def _common(job: Job) -> dict[str, Any]:
    return {
        "task_id": job.ref,
        "type": "document",
        "file_name": _input_name(job),
        "filename": None,
        "cost": 0,
        "dest_lang": job.target,
        "translation_type": "Document",
        "datetime": _naive(job.created_ms / 1000),
    }


def _failed(job: Job) -> dict[str, Any]:
    return _common(job) | {
        "status": "failed",
        "success": False,
        "type": "fail_task",
        "filename": _input_name(job),
        "datetime": _naive(_ended(job)),
    }


def _wrong_field(fields: Mapping[str, str], extension: str, version: str) -> str | None:
    """The first field whose value the pages do not know."""
    modes = ("replace", "append") if version == "v1" else ("replace", "append", "append_reverse")
    types = (extension, extension.upper(), f"application/{extension}", MEDIA_TYPES[extension])
    choices: dict[str, tuple[str, ...]] = {
        "file_type": types,
        "process_mode": modes,
        "translate_type": _TRANSLATE_TYPES,
        "tone": _TONES,
        "is_translate_images": ("true", "false"),
    }
    good = {
        "dest_lang": bool(_LANGUAGE.fullmatch(fields.get("dest_lang", ""))),
        "original_lang": bool(_LANGUAGE.fullmatch(fields.get("original_lang", "en"))),
        "style_mode": fields.get("style_mode", "0").isdecimal(),
        "dictionary": _is_json(fields.get("dictionary", "{}")),
        **{name: fields.get(name, values[0]) in values for name, values in choices.items()},
    }
    appends = fields.get("process_mode", "replace") != "replace"
    good |= {name: appends for name in fields if name.startswith("bilingual_text_style__")}
    return next((name for name, valid in good.items() if not valid), None)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
