"""Every code that says why something waits has a sentence, in one place."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import messages
from daemon.errors import ServiceError
from daemon.messages import CATALOGUE, LEFT_ALONE, WAITING
from daemon.stability import Reason

_SOURCE = Path(messages.__file__).parent
_CODE = re.compile(r"[a-z]+\.[a-z_]+")
# Who puts something into a lane, closes an account, or makes an error: the code is among their arguments.
_WAITS = frozenset({"put", "put_until", "again", "Waiting", "close", "still_closed", "_later"})
_ERRORS = frozenset({"ServiceError", *(one.__name__ for one in ServiceError.__subclasses__())})
# Reasons to fail; nothing ever waits for them.
_FINAL = re.compile(r"drop\.|language\.|provider\.(failed|lost)|submit\.rejected|deadline\.|result\.unusable")


def calls() -> Iterator[tuple[str, str]]:
    """The name of what is called and each text among its arguments that looks like a code."""
    for path in (*_SOURCE.glob("*.py"), *(_SOURCE / "providers").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                yield from ((name, text) for text in texts if _CODE.fullmatch(text))


def test_every_reason_used_in_the_source_has_a_sentence() -> None:
    """A new code without words would show as itself to people."""
    used = {code for name, code in calls() if name in _WAITS}

    assert {"share.away", "account.window", "internal.error", "provider.removed"} <= used
    assert used - set(WAITING) - set(CATALOGUE) == set()


def test_every_error_used_in_the_source_is_in_the_catalogue() -> None:
    """The words of `error.code` are stable and documented; an adapter cannot invent one."""
    used = {code for name, code in calls() if name in _ERRORS}

    assert "submit.uncertain" in used
    assert used - set(CATALOGUE) == set()


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_to_rest_has_a_sentence(reason: Reason) -> None:
    """Why a drop is not taken yet is said in words of its own in each language."""
    assert all(reason.value in texts.words.waiting for texts in messages.TEXTS.values())


@pytest.mark.parametrize("code", sorted({*WAITING, *(code for code in CATALOGUE if not _FINAL.match(code))}))
def test_every_sentence_is_whole_with_the_facts_a_view_has(code: str) -> None:
    """A provider's name is all that is known where something waits."""
    said = messages.waiting(code, {"provider": "VoiceCheap"})

    assert re.fullmatch(r"[^\s{}?][^{}?]*[.]", said)


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_only_what_waits_for_a_person_says_what_to_do(code: str) -> None:
    """Where files wait for an administrator, it is said what for; elsewhere nobody has to do anything."""
    said = messages.for_a_person(code)

    assert (said is not None) is CATALOGUE[code].what_to_do.startswith("The administrator")


def test_a_code_may_carry_words_of_its_own() -> None:
    """What a service said stands behind a colon."""
    said = messages.waiting("result.cut: its end is missing", {"provider": "VoiceCheap"})

    assert said == "The result did not arrive whole: its end is missing."


def test_a_code_of_another_version_is_repeated_as_it_is() -> None:
    """A status that a newer daemon wrote is still shown."""
    said = messages.waiting("moon.full", {})

    assert said == "Moon.full."


def test_what_is_left_alone_has_words_for_each_oddity() -> None:
    """Links, second names, things that are no files, folders in folders without end, and what people said."""
    oddities = {"link", "linked", "other", "deep"}

    assert set(LEFT_ALONE) - oddities == {
        *("no_language", "no_provider", "unreadable", "immovable"),
        *("withdrawn", "too_late"),
    }
