"""Tokens are found in names, and counted where they hold only so many times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.sandbox.misbehave import TOKENS, Manners, Memory


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("report.docx", {}),
        ("report~fail.docx", {"fail": None}),
        ("Report_2024~fail-402.01jd3-1.docx", {"fail": 402}),
        ("a~slow-30~back.txt", {"slow": 30, "back": None}),
        ("a~failx2.txt", {"fail": None}),
        ("~stuck", {"stuck": None}),
        ("REPORT~1.DOC", {}),
        ("notes~old.txt", {}),
        ("~$report.docx", {}),
        ("a~lost-and-found.txt", {}),
        ("a~failure.txt", {}),
        ("a~slow-30s.txt", {}),
    ],
)
def test_names_are_read(name: str, words: dict[str, int | None]) -> None:
    """Tokens are found where they are, and ordinary names with a tilde have none."""
    assert Memory().manners("service", "account", name, "hash") == Manners(words)


@given(st.text(alphabet="~abcdefhilnoprstuwx-.0123456789", max_size=40))
def test_any_name_has_manners(name: str) -> None:
    """Whatever a file is called, only words of the table come out, and a second reading says the same."""
    found = Memory().manners("service", "account", name, "hash")

    assert set(found.words) <= set(TOKENS)
    assert found == Memory().manners("service", "account", name, "hash")


@given(st.integers(0, 9), st.integers(1, 12))
def test_times_are_counted(times: int, submissions: int) -> None:
    """A token with xN holds for exactly the first N submissions."""
    memory = Memory()
    held = ["fail" in memory.manners("s", "a", f"note~failx{times}.j-{n}.txt", "hash") for n in range(submissions)]

    assert held == [n < times for n in range(submissions)]


def test_times_are_counted_by_content_and_account() -> None:
    """Other bytes, another account or another service start to count anew."""
    memory = Memory()
    first = memory.manners("s", "a", "note~failx1.txt", "hash")
    others = [
        memory.manners("s", "a", "note~failx1.txt", "other"),
        memory.manners("s", "b", "note~failx1.txt", "hash"),
        memory.manners("t", "a", "note~failx1.txt", "hash"),
    ]

    assert all("fail" in manners for manners in (first, *others))
    assert "fail" not in memory.manners("s", "a", "note~failx1.txt", "hash")
