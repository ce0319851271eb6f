"""The whole daemon in front of hostile services: what is delivered is right or nothing is, and people can see why.

All cases of `cases.py` happen at once, to one daemon; the tests look at what became of them.
"""

from collections.abc import Iterator

import pytest

from tests.hostile.cases import ADDRESS, CASES, SLUGS, STATUS
from tests.hostile.services import KEY, Report, forbidden, play


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    yield from play(tmp_path_factory.mktemp("house"), {SLUGS[name]: case for name, case in CASES.items()})


def test_every_case_is_one_of_its_own() -> None:
    """No two cases share a folder."""
    assert len(set(SLUGS.values())) == len(CASES) > 100


@pytest.mark.parametrize("name", CASES)
def test_case_ends_as_it_must(name: str, report: Report) -> None:
    """Its sign is seen; then exactly the right bytes are delivered, or the file has failed and nothing is."""
    case, slug, house = CASES[name], SLUGS[name], report.house
    taken = house.services.taken[slug]

    assert slug not in report.without_sign, house.signs[slug]
    assert slug not in report.without_end, house.signs[slug]
    assert house.outbox(slug) == ({} if case.fails else {f"fr/{case.name}": case.result})
    assert house.sidecars().get(slug, {}).get("error", {}).get("code") == (case.sign if case.fails else None)
    assert taken <= 1
    assert case.fails or taken == 1


def test_nothing_shows_the_key(report: Report) -> None:
    """Log, journal, status and sidecars of all that are without the key, and foreign hosts never saw it."""
    services = report.house.services
    heads = [seen.head.decode("latin-1") for seen in services.foreign.requests]

    assert KEY not in report.house.everything_written()
    assert [text for text in heads if KEY in text] == []


def test_nobody_is_led_elsewhere(report: Report) -> None:
    """No status and no redirect, however written, made the daemon ask another host, or another path of its own."""
    services = report.house.services
    led = {SLUGS[f"address {name}"] for name in ADDRESS}
    asked = {seen.target for seen in services.server.requests if seen.target.split("/")[1] in led}

    assert services.foreign.connections == 0
    assert {target for target in asked if "/result/" in target} == {f"/{name}/result/1" for name in led}


def test_no_submission_goes_out_twice_unless_it_was_refused(report: Report) -> None:
    """What was accepted, or may have been, is never sent again, whatever happens to its status and its result."""
    services = report.house.services
    sent = {
        name: sum(seen.method == "POST" for seen in services.server.requests if seen.target.startswith(f"/{slug}/"))
        for name, slug in SLUGS.items()
    }
    once = [name for name, case in CASES.items() if "submit" not in case.tricks or case.fails]

    assert {name: sent[name] for name in once if sent[name] != 1} == {}


def test_unknown_words_are_warned_of_once(report: Report) -> None:
    """A word that no document knows is said once each, and the job goes on."""
    told = [entry["word"] for entry in report.house.captured.entries if entry["event"] == "status.unknown"]

    assert "status unknown word" in {f"status {name}" for name in STATUS}
    assert sorted(told) == sorted(set(told))
    assert "polishing" in told


def test_words_of_services_are_fit_to_be_read(report: Report) -> None:
    """No sidecar holds a control character, a terminal sequence, a change of direction, or a megabyte of text."""
    sidecars = report.house.sidecars()
    texts = [str(text) for story in sidecars.values() for text in (*story.values(), *story["error"].values())]

    assert len(sidecars) > 20
    assert forbidden(texts) == []
    assert max(map(len, texts)) < 2000
    assert sidecars[SLUGS["submit nasty reason"]]["error"]["provider_message"].startswith("red gnp.exe ")
