"""The list of what can happen in an inbox names tests that exist."""

import ast
from functools import cache
from pathlib import Path

import pytest

from daemon import messages
from tests.hostile.inbox_rows import ROWS, Row

TESTS = Path(__file__).parent.parent


@cache
def defined_in(file: str) -> frozenset[str]:
    """The functions, classes, and methods (`Class::method`) of a file of tests."""
    tree = ast.parse((TESTS / file).read_text())
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return frozenset(found)


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_every_row_has_its_proof(row: Row) -> None:
    """Each named test is there, and codes that a row names belong to the catalogue or to what waits."""
    known = messages.CATALOGUE.keys() | messages.WAITING.keys()
    codes = [word for word in row.shows.replace(",", " ").replace(";", " ").split() if "." in word]

    assert row.tests
    for test in row.tests:
        file, _, name = test.partition("::")
        assert name in defined_in(file), test
    assert set(codes) <= known


def test_no_row_stands_twice() -> None:
    """A thing that can happen is told in one place."""
    told = [row.what for row in ROWS]

    assert len(set(told)) == len(told)


OTHERS = sorted({path.name for path in Path(__file__).parent.glob("test_inbox_*.py")} - {Path(__file__).name})


@pytest.mark.parametrize("file", OTHERS)
def test_every_test_belongs_to_a_row(file: str) -> None:
    """What is tested here is listed, so that the list says all of it."""
    listed = {test.partition("::")[2] for row in ROWS for test in row.tests if test.startswith(f"hostile/{file}::")}

    assert {name for name in defined_in(f"hostile/{file}") if name.startswith("test_")} == listed
