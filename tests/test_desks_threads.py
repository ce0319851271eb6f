"""A desk is asked by many threads at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import langcodes
import pytest

from daemon import languages
from daemon.desks import Desk
from daemon.languages import LanguageTable
from tests.builders import FACTS, desk


@pytest.fixture
def slow_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library knows no tag yet, and takes its time to look one up."""
    pause = threading.Event()
    fill: Any = langcodes.Language._filter_attributes

    def slowly(self: langcodes.Language, keyset: Any) -> langcodes.Language:
        pause.wait(0.001)
        found: langcodes.Language = fill(self, keyset)
        return found

    monkeypatch.setattr(langcodes.Language, "_filter_attributes", slowly)
    monkeypatch.setattr(langcodes.Language, "_INSTANCES", {})
    languages._parsed.cache_clear()
    yield
    languages._parsed.cache_clear()


@pytest.mark.usefixtures("slow_library")
def test_many_threads_may_ask_for_a_language_at_once() -> None:
    """The library shows what it knows of a tag before it is complete: nobody may see that."""
    table = LanguageTable(targets={"pt-BR": "pt-BR", "pt-PT": "pt-PT", "sr-Latn": "sr-Latn"})

    def one() -> Desk:
        found = desk()
        vars(found.provider)["capabilities"] = type(FACTS)(extensions=FACTS.extensions, languages=table)
        return found

    asked = [one() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        routes = list(pool.map(lambda some: some.route("sh"), asked))

    assert {route.target for route in routes} == {"sr-Latn"}
