"""The table of faults names tests that exist, signs that exist, and every case that is played."""

import ast
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from daemon.messages import CATALOGUE, WAITING
from tests.hostile.cases import CASES
from tests.hostile.matrix import MATRIX, Row

TESTS = Path(__file__).parent.parent
ROWS = [row for rows in MATRIX.values() for row in rows]
CODE = re.compile(r"\b[a-z_]+\.[a-z_]+\b")


@cache
def known_in(path: str) -> frozenset[str]:
    """The names of the tests in a file below `tests/`, those in classes included."""
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    functions = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in functions if name.startswith("test_"))


def is_there(proof: str) -> bool:
    if proof.startswith("case "):
        return proof.removeprefix("case ") in CASES
    path, _, name = proof.partition("::")
    return (TESTS / path).is_file() and any(fnmatchcase(known, name) for known in known_in(path))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_every_fault_has_tests_that_exist(row: Row) -> None:
    """No row rests on a test that was renamed or removed."""
    assert row.proofs
    assert [proof for proof in row.proofs if not is_there(proof)] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_every_fault_has_its_visible_sign(row: Row) -> None:
    """What people are to see is a code of the catalogue, the one that the case itself is judged by."""
    codes = set(CODE.findall(row.sign))
    cases = [CASES[proof.removeprefix("case ")] for proof in row.proofs if proof.startswith("case ")]

    assert codes <= CATALOGUE.keys() | WAITING.keys()
    assert codes or row.sign.startswith(("none", "as above"))
    assert [case for case in cases if case.sign and case.sign not in codes] == []


def test_every_case_is_in_the_table() -> None:
    """A case that no row names would not be found by readers."""
    named = {proof.removeprefix("case ") for row in ROWS for proof in row.proofs if proof.startswith("case ")}

    assert set(CASES) - named == set()
