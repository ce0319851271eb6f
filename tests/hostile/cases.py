"""What services do to a daemon, each with what people must see of it. Played by `test_provider_daemon.py`."""

import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count

from daemon.sandbox.samples import letter
from tests.hostile.services import RESULT, Case, Services, done, failed, state
from tests.rawserver import Exchange, Script, answer, break_off, hang_up, head, in_turn, raw, silence

Trick = Callable[[Services, str], Script]
PAGE = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
HTML = {"content-type": "text/html"}
ATTACHED = {"content-disposition": "attachment"}
LETTER = letter()
HURRY = {"deadline": "1s"}
"""For cases that only the deadline ends."""
HASTY = {"timeout": {"connect": "5s", "read": "2s"}}
"""For cases that only a time-out ends."""
NASTY = "\x1b[31mred\x1b[0m\r\n\0 \u202egnp.exe \x9b31m\u2066 \ud800 " + "A" * 1_000_000


def plain(script: Script) -> Trick:
    return lambda _services, _case: script


def once(trick: Trick, verb: str) -> Trick:
    """The first time only; then as documented."""

    def made(services: Services, case: str) -> Script:
        return in_turn(trick(services, case), services.good(case, verb))

    return made


def first_said(*bodies: object) -> Trick:
    """These answers to the first questions for the status; then as documented."""

    def made(services: Services, case: str) -> Script:
        return in_turn(*(answer(200, body) for body in bodies), services.good(case, "status"))

    return made


def on_submit(script: Script, sign: str, *, fails: bool = False) -> Case:
    return Case(tricks={"submit": plain(script)}, sign=sign, fails=fails)


def on_status(script: Script, sign: str, *, fails: bool = False) -> Case:
    return Case(tricks={"status": plain(script)}, sign=sign, fails=fails)


def on_fetch(script: Script, sign: str) -> Case:
    return Case(tricks={"fetch": plain(script)}, sign=sign)


def good_fetch(script: Script, *, result: bytes = RESULT) -> Case:
    """Odd, but whole: delivered at once."""
    return Case(tricks={"fetch": plain(script)}, result=result)


def leads_to(url: Callable[[Services, str], str], sign: str = "result.refused") -> Case:
    """The status says that the result is at this address."""
    return Case(tricks={"status": lambda services, case: answer(200, done(url(services, case)))}, sign=sign)


def redirects_to(url: Callable[[Services, str], str], status: int = 302) -> Case:
    return Case(
        tricks={"fetch": lambda services, case: answer(status, b"", {"location": url(services, case)})},
        sign="service.unreadable",
    )


def breaks_in_the_middle(exchange: Exchange) -> None:
    exchange.read(1 << 20)
    exchange.reset()


def stops_reading(exchange: Exchange) -> None:
    exchange.read(1 << 20)
    exchange.stall()


def stalls(exchange: Exchange) -> None:
    exchange.read()
    exchange.send(head(200, {"content-length": "100"}) + b"half")
    exchange.wait()


def takes_and_says_nothing(services: Services, case: str) -> Script:
    """The service has taken (and billed) it; nobody will hear of it."""

    def script(exchange: Exchange) -> None:
        exchange.read()
        services.taken[case] += 1
        exchange.reset()

    return script


def body(headers: str, content: bytes = RESULT) -> Script:
    """A result under these very header lines."""
    return raw(b"HTTP/1.1 200 OK\r\n" + headers.encode("latin-1") + b"\r\n\r\n" + content)


def named(disposition: str) -> Case:
    return good_fetch(body(f"content-length: {len(RESULT)}\r\ncontent-disposition: {disposition}"))


def _later(**more: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(**more), usegmt=True)


RETRY_AFTER = {
    "absent": None,
    "0": "0",
    "seconds": "5",
    "date": _later(minutes=5),
    "date gone by": _later(days=-1),
    "negative": "-30",
    "10 years": "315360000",
    "10 years as a date": _later(days=3650),
    "words": "soon",
}

SUBMIT = {
    "reset after the body": on_submit(break_off, "submit.uncertain", fails=True),
    "hang up after the body": on_submit(hang_up, "submit.uncertain", fails=True),
    "accepts and never answers": Case(
        tricks={"submit": plain(silence)}, sign="submit.uncertain", fails=True, settings=HASTY
    ),
    "takes and resets": Case(tricks={"submit": takes_and_says_nothing}, sign="submit.uncertain", fails=True),
    "reset in the body": Case(
        tricks={"submit": plain(breaks_in_the_middle)}, sign="service.unreachable", content=32 << 20
    ),
    "stops reading": Case(
        tricks={"submit": plain(stops_reading)}, sign="service.unreachable", content=32 << 20, settings=HASTY
    ),
    "400 documented": on_submit(answer(400, {"error": "File is broken"}), "submit.rejected", fails=True),
    **{
        f"{status}": on_submit(answer(status, PAGE, HTML), "submit.uncertain", fails=True)
        for status in (400, 404, 409, 456, 500, 502, 503, 504, 529, 999)
    },
    "401": on_submit(answer(401, PAGE, HTML), "account.key"),
    **{f"{status}": on_submit(answer(status, PAGE, HTML), "account.blocked") for status in (402, 403)},
    **{f"{status}": on_submit(answer(status, PAGE, HTML), "submit.rejected", fails=True) for status in (413, 415, 422)},
    **{
        f"429 {what}": on_submit(answer(429, PAGE, {} if text is None else {"retry-after": text}), "account.throttled")
        for what, text in RETRY_AFTER.items()
    },
    "200 with an error": on_submit(answer(200, {"error": "Oops"}), "submit.uncertain", fails=True),
    "200 with a page": on_submit(answer(200, PAGE, HTML), "submit.uncertain", fails=True),
    "200 with nothing": on_submit(answer(200), "submit.uncertain", fails=True),
    "redirect": on_submit(answer(307, b"", {"location": "/elsewhere"}), "submit.uncertain", fails=True),
    "nasty reason": on_submit(answer(422, {"error": NASTY, "code": NASTY}), "submit.rejected", fails=True),
    "10 MB of reason": on_submit(answer(422, {"error": NASTY * 10}), "submit.rejected", fails=True),
}

STATUS = {
    **{f"{status}": on_status(answer(status, PAGE, HTML), "service.error") for status in (500, 502, 503, 504, 999)},
    **{f"{status}": on_status(answer(status, PAGE, HTML), "service.unreadable") for status in (400, 409, 456)},
    "401, key revoked mid-way": on_status(answer(401, {"error": "Invalid API key"}), "account.key"),
    "402": on_status(answer(402, PAGE, HTML), "account.blocked"),
    "403": on_status(answer(403, PAGE, HTML), "account.blocked"),
    "429": on_status(answer(429, PAGE, {"retry-after": "315360000"}), "account.throttled"),
    "529": on_status(answer(529, PAGE, HTML), "account.throttled"),
    "reset": on_status(break_off, "service.unreachable"),
    "never answers": Case(tricks={"status": plain(silence)}, sign="service.unreachable", settings=HASTY),
    "cut": on_status(raw(head(200, {"content-length": "100"}) + b"{"), "service.unreachable"),
    "gzip lie": on_status(answer(200, done("x"), {"content-encoding": "gzip"}), "service.unreachable"),
    "10 MB": on_status(answer(200, failed(NASTY * 10)), "service.unreachable"),
    "200 with an error": on_status(answer(200, {"error": "Oops"}), "service.unreadable"),
    "200 with a page": on_status(answer(200, PAGE, HTML), "service.unreadable"),
    "200 with nothing": on_status(answer(200), "service.unreadable"),
    "400 with a state": on_status(answer(400, failed("The text is too long.")), "provider.failed", fails=True),
    "quota reached mid-way": on_status(answer(402, failed("No credit left.", 402)), "provider.failed", fails=True),
    "nasty reason": on_status(answer(200, failed(NASTY)), "provider.failed", fails=True),
    "unknown word": Case(tricks={"status": first_said(state("polishing"), state("polishing"), state("x\x1b[31my"))}),
    "vanished for good": on_status(answer(404, {"error": "Translation not found"}), "provider.lost", fails=True),
    "unknown at first": Case(tricks={"status": once(plain(answer(404, {"error": "x"})), "status")}),
    "backwards": Case(tricks={"status": first_said(*map(state, ("active", "waiting", "active", "delayed")))}),
    "done without an address": Case(
        tricks={"status": first_said(state("completed"), {**state("completed"), "data": {"documentUrl": None}})}
    ),
}


def comes_and_goes(services: Services, case: str) -> Script:
    """Done, then no longer done, then done."""
    turn = answer(200, state("active"))
    return in_turn(services.good(case, "status"), turn, turn, services.good(case, "status"))


def fresh_addresses(services: Services, case: str) -> Script:
    """Each status tells another address."""
    numbers: Iterator[int] = count(1)

    def script(exchange: Exchange) -> None:
        answer(200, done(services.at(case, f"/result/{next(numbers)}")))(exchange)

    return script


GONE = answer(404, {"error": "Translation not found"})

FETCH = {
    **{f"{status}": on_fetch(answer(status, PAGE, HTML), "service.error") for status in (500, 502, 503, 504, 999)},
    **{f"{status}": on_fetch(answer(status, PAGE, HTML), "service.unreadable") for status in (400, 409, 456)},
    "404": on_fetch(answer(404, PAGE, HTML), "result.gone"),
    "429": on_fetch(answer(429, b"", {"retry-after": "3"}), "account.throttled"),
    "reset": on_fetch(break_off, "result.cut"),
    "never answers": Case(tricks={"fetch": plain(silence)}, sign="result.cut", settings=HASTY),
    "stalls in the body": Case(tricks={"fetch": plain(stalls)}, sign="result.cut", settings=HASTY),
    "length too large": on_fetch(body(f"content-length: {len(RESULT) + 1}"), "result.cut"),
    "length absent": on_fetch(body("content-type: text/plain"), "result.cut"),
    "two lengths": on_fetch(body(f"content-length: {len(RESULT)}\r\ncontent-length: 5"), "result.cut"),
    "chunks cut": on_fetch(raw(head(200, {"transfer-encoding": "chunked"}) + b"5\r\nhello\r\n"), "result.cut"),
    "NUL in a header": on_fetch(body(f"content-length: {len(RESULT)}\r\ncontent-disposition: a\0b"), "result.cut"),
    "gzip": on_fetch(answer(200, gzip.compress(RESULT), {"content-encoding": "gzip"}), "service.unreadable"),
    "gzip lie": on_fetch(answer(200, RESULT, {"content-encoding": "gzip"}), "service.unreadable"),
    "200 with a page": on_fetch(answer(200, PAGE, HTML), "result.wrong"),
    "200 with an error": on_fetch(answer(200, {"error": "Oops"}), "service.unreadable"),
    "200 with nothing": on_fetch(answer(200), "result.empty"),
    "a page for a letter": Case(
        tricks={"fetch": plain(answer(200, PAGE, ATTACHED))},
        sign="result.wrong", name="letter.docx", content=LETTER, result=LETTER,
    ),
    "a PDF for a letter": Case(
        tricks={"fetch": plain(answer(200, b"%PDF-1.7\n%%EOF\n", ATTACHED))},
        sign="result.wrong", name="letter.docx", content=LETTER, result=LETTER,
    ),
    "half a letter": Case(
        tricks={"fetch": once(plain(answer(200, LETTER[:-100], ATTACHED)), "fetch")},
        sign="", name="letter.docx", content=LETTER, result=LETTER,
    ),
    "expired address": Case(
        tricks={"status": fresh_addresses, "fetch": once(plain(GONE), "fetch")},
    ),
    "done and then not": Case(tricks={"status": comes_and_goes, "fetch": once(plain(GONE), "fetch")}),
    "second download refused": Case(
        tricks={"fetch": plain(in_turn(raw(head(200, {"content-length": "9999"}) + b"half"), answer(403, PAGE)))},
        sign="account.blocked",
    ),
    "never again": Case(tricks={"fetch": plain(GONE)}, sign="result.unusable", fails=True, settings=HURRY),
    "cut for ever": Case(
        tricks={"fetch": plain(body("content-type: text/plain"))},
        sign="result.unusable", fails=True, settings=HURRY,
    ),
    # -- odd, and yet right
    "wrong content type": good_fetch(answer(200, RESULT, {"content-type": "image/png", **ATTACHED})),
    "two content types": good_fetch(
        body(f"content-length: {len(RESULT)}\r\ncontent-type: text/html\r\ncontent-type: a/b\r\nContent-Type: c")
    ),
    "length twice": good_fetch(body(f"content-length: {len(RESULT)}\r\ncontent-length: {len(RESULT)}")),
    "length too small": good_fetch(body(f"content-length: {len(RESULT)}", RESULT + b"and what belongs to nothing")),
    "100-continue": good_fetch(
        raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + head(200, {"content-length": str(len(RESULT))}) + RESULT)
    ),
    "identical to the original": Case(tricks={}, content=RESULT, result=RESULT),
    "name with ..": named('attachment; filename="../../../../etc/cron.d/x"'),
    "name from the root": named('attachment; filename="/etc/passwd"'),
    "name in RFC 5987": named("attachment; filename*=UTF-8''..%2F..%2F%00%E2%80%AEx.exe"),
    "name of 300 characters": named(f'attachment; filename="{"x" * 300}.txt"'),
}  # fmt: skip


def _port(services: Services) -> int:
    return services.foreign.port


ADDRESS = {
    "foreign http": leads_to(lambda services, _case: f"{services.foreign.origin}/x"),
    "127.0.0.1": leads_to(lambda services, _case: f"https://127.0.0.1:{_port(services)}/x"),
    "a name that leads inside": leads_to(lambda services, _case: f"https://localhost:{_port(services)}/x"),
    "169.254.169.254": leads_to(lambda _services, _case: "http://169.254.169.254/latest/meta-data/"),
    "169.254.169.254 secured": leads_to(lambda _services, _case: "https://169.254.169.254/latest/"),
    "[::1]": leads_to(lambda services, _case: f"https://[::1]:{_port(services)}/x"),
    "10.x": leads_to(lambda _services, _case: "https://10.0.0.1/x"),
    "file:": leads_to(lambda _services, _case: "file:///etc/passwd"),
    "with a user": leads_to(lambda services, _case: f"https://x:y@127.0.0.1:{_port(services)}/x"),
    "redirect same host": redirects_to(lambda services, case: services.at(case, "/result/2")),
    "redirect in a loop": redirects_to(lambda services, case: services.at(case)),
    "redirect other host": redirects_to(lambda services, _case: f"{services.foreign.origin}/x"),
    "redirect 127.0.0.1": redirects_to(lambda services, _case: f"https://127.0.0.1:{_port(services)}/x", 308),
    "redirect 169.254.169.254": redirects_to(lambda _services, _case: "http://169.254.169.254/", 307),
    "redirect [::1]": redirects_to(lambda _services, _case: "https://[::1]/", 301),
    "redirect 10.x": redirects_to(lambda _services, _case: "http://10.0.0.1/", 303),
    "redirect file:": redirects_to(lambda _services, _case: "file:///etc/passwd"),
}

CASES: Mapping[str, Case] = {
    f"{verb} {name}": case
    for verb, cases in (("submit", SUBMIT), ("status", STATUS), ("fetch", FETCH), ("address", ADDRESS))
    for name, case in cases.items()
}
SLUGS: Mapping[str, str] = {name: re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") for name in CASES}
"""The entry of each case, as the folders are called."""
