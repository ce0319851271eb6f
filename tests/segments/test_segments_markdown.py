"""Markdown: prose is taken out in whole paragraphs, and what is no prose stays as it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.segments import take_apart
from daemon.segments.placeholders import protected

MANUAL = """\
---
title: A manual
---

# Getting started ##

Run `install --now` on the machine, then open
[the page](https://a.example/start "Start") and see [the guide] or [the guide][].

> **Note** for `{name}`
> goes on here.

1. First step:
   ```sh
   echo "not prose"
   ```
2. Second step
   goes on
   - [ ] inner task

| Name    | Value `a` |
|---------|----------:|
| A \\| B | 100 %     |

    indented code

<details>
<summary>More words</summary>
<!-- a comment

over lines -->
</details>

![A picture](img/a.png)

[the guide]: https://a.example/guide "Title"
[^1]: A note
    of two lines.

Under
=====
***
"""
MANUAL_TEXTS = (
    "Getting started",
    """\
Run `install --now` on the machine, then open
[the page](https://a.example/start "Start") and see [the guide][the guide] or [the guide][the guide].""",
    "**Note** for `{name}`\ngoes on here.",
    "First step:",
    "Second step\ngoes on",
    "inner task",
    "Name",
    "Value `a`",
    "A \\| B",
    "<summary>More words</summary>",
    "![A picture](img/a.png)",
    "A note\nof two lines.",
    "Under",
)


def texts(source: str) -> list[str]:
    return list(take_apart(source.encode(), "md").texts)


def rebuilt(source: str, *changed: str) -> str:
    return take_apart(source.encode(), "md").rebuild(changed).decode()


def pseudo(text: str) -> str:
    """Capitals for every letter that is not protected."""
    kept = [at for start, end in protected(text) for at in range(start, end)]
    return "".join(char if at in kept else char.upper() for at, char in enumerate(text))


def test_a_manual_is_taken_apart_into_its_prose() -> None:
    """Paragraphs come whole, marks in front of lines are left out, code and definitions do not appear."""
    assert take_apart(MANUAL.encode(), "md").texts == MANUAL_TEXTS


def test_a_translated_manual_keeps_its_structure() -> None:
    """After a translation the same things stand on the same lines, with code, links and definitions unchanged."""
    result = rebuilt(MANUAL, *map(pseudo, MANUAL_TEXTS))
    untouched = ("`install --now`", '](https://a.example/start "Start")', "](img/a.png)", "   ```sh\n   echo", "{name}")

    assert (
        result.upper()
        == MANUAL.replace("[the guide][]", "[the guide]")
        .replace("[the guide] or [the guide]", "[the guide][the guide] or [the guide][the guide]")
        .upper()
    )
    assert all(part in result for part in untouched)
    assert MANUAL[MANUAL.index("[the guide]: ") : MANUAL.index("[^1]")] in result
    assert "see [THE GUIDE][the guide] or" in result.replace("SEE", "see").replace("OR", "or")
    assert result.startswith("---\ntitle: A manual\n---\n\n# GETTING STARTED ##\n")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("One\ntwo\n\nthree", ["One\ntwo", "three"]),
        ("One\r\ntwo", ["One\ntwo"]),
        ("One  \ntwo\\\nthree", ["One", "two", "three"]),
        ("# One\nTwo\n## Three #", ["One", "Two", "Three"]),
        ("#one", ["#one"]),
        ("One\n---\nTwo\n* * *\n", ["One", "Two"]),
        ("---\n\nNo front matter\n\n---\n", ["No front matter"]),
        ("+++\na = 'x'\n+++\nText", ["Text"]),
        ("---\na: b\nnever closed", ["a: b\nnever closed"]),
        ("- a\n- b\n  c\n\n  d\n* e\n+ f", ["a", "b\nc", "d", "e", "f"]),
        ("- a\n\n      code\n\n    d", ["a", "d"]),
        ("- - a\n  - b", ["a", "b"]),
        ("-     code\n- a", ["a"]),
        ("In\n1986. A year", ["In\n1986. A year"]),
        ("1) a\n2) b", ["a", "b"]),
        ("> a\n> b\nc\n\n> > d", ["a\nb", "c", "d"]),
        ("- > a\n  > b", ["a", "b"]),
        (">     code\n> a", ["a"]),
        ("a\n    b", ["a\nb"]),
        ("a\n\n    code\n\nb", ["a", "b"]),
        ("\tcode\n\nb", ["b"]),
        ("```\na\n```\nb", ["b"]),
        ("````\na\n```\nb\n`````\nc", ["c"]),
        ("~~~ x\na\n```\n~~~\nb", ["b"]),
        ("a\n```\nb", ["a"]),
        ("> ```\n> a\nb", ["b"]),
        ("```\n> ```\na\n```\nb", ["b"]),
        ("- ```\n  a\nb", ["b"]),
        ("1. a\n```\nb\n```\nc", ["a", "c"]),
        ("``` a ` b", ["``` a ` b"]),
        ("$$\na\n$$\nb", ["b"]),
        ("<!-- a -->\nb", ["b"]),
        ("a <!-- b\nc --> d", ["a <!-- b\nc --> d"]),
        ("<script>\nlet a;\n\nlet b;\n</script>\nc", ["c"]),
        ("<pre>a</pre>\nb", ["b"]),
        ("<div>\nOne\n</div>\nTwo", ["One", "Two"]),
        ("a | b\n--|--\nc | d\ne\n\nf | g", ["a", "b", "c", "d", "e", "f | g"]),
        ("> | a |\n> |---|\n> | b |", ["a", "b"]),
        ("| a |\n|---|\n# b", ["a", "b"]),
        ("[a]: <b c>\n[b]", ["[b]"]),
        ("a\n[b]: c", ["a\n[b]: c"]),
        ("- [x] a\n- [ ] b", ["a", "b"]),
        ("> [!NOTE]\n> a", ["a"]),
        ("::: tip\na\n:::", ["a"]),
        ("`only code`\n\n![](a.png)\n\n<br>\n\n42", []),
        ("`code`\nand words\n`code`", ["and words"]),
        ("read `a\n<b>`.", ["read `a\n<b>`."]),
        ("`a\n1` read", ["`a\n1` read"]),
        ("a\u2028b", ["a\u2028b"]),
    ],
)
def test_what_is_prose(source: str, expected: list[str]) -> None:
    """Where CommonMark sees a paragraph, a heading or a cell there is one text, and elsewhere none."""
    assert texts(source) == expected


@pytest.mark.parametrize(
    ("source", "changed", "expected"),
    [
        ("> one\n> two\n", "eins\nzwei\ndrei", "> eins\n> zwei\n> drei\n"),
        ("- one\r\n  two", "eins\nzwei", "- eins\r\n  zwei"),
        ("one\ntwo", "eins", "eins"),
        ("one", "eins\nzwei", "eins zwei"),
        ("one\ntwo", "eins\n\n  zwei", "eins\nzwei"),
        ("# one #", "eins\nzwei", "# eins zwei #"),
        ("May 1st", "1. Mai", "1\\. Mai"),
        ("so\nfar", "so\n- weit\n# a\n> b\n---\n```", "so\n\\- weit\n\\# a\n\\> b\n\\---\n\\```"),
        ("one", "*eins* -zwei +3 #4", "*eins* -zwei +3 #4"),
        ("# one", "1. eins", "# 1. eins"),
        ("|a|\n|-|", "b|c \\| d\ne", "|b\\|c \\| d e|\n|-|"),
    ],
)
def test_a_changed_text_stays_what_it_was(source: str, changed: str, expected: str) -> None:
    """No answer can turn a paragraph into a list, a heading, a quote or two cells."""
    assert rebuilt(source, changed) == expected


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("[One] and `[One]`\n\n[one]: x", "[One][One] and `[One]`"),
        ("![One][] [two] \\[One]\n\n[ONE]: x", "![One][One] [two] \\[One]"),
        ("[One](y) [One][two]\n\n[one]: x", "[One](y) [One][two]"),
        ("[one\ntwo]\n\n[One  Two]: x", "[one\ntwo][one\ntwo]"),
    ],
)
def test_a_short_reference_shows_its_target(source: str, text: str) -> None:
    """The words of `[one]` can be translated, because the target is shown, and protected, behind them."""
    assert texts(source) == [text]
    assert take_apart(source.encode(), "md").rebuild([text]) == source.encode()


words = st.lists(st.text("abcdefghäß日", min_size=1, max_size=8), min_size=1, max_size=5).map(" ".join)
blocks = st.sampled_from(
    ["{}", "# {}", "- {}", "> {}", "1. {}", "## {} #", "| {} | 1 |\n|---|---|", "- [x] {}", "{}\n==="]
)
fixed = st.sampled_from(
    ["```\nlet a = 1\n```", "    code a", "<!-- note -->", "***", "[a]: b", "`code`", "<hr class='a'>"]
)


@given(st.lists(st.tuples(blocks, words, words, fixed), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
@settings(deadline=None)
def test_changed_texts_are_found_again(parts: list[tuple[str, str, str, str]], ending: str) -> None:
    """A translated document gives the translated texts, in the same blocks."""

    def document(column: int) -> str:
        blocks = [f"{part[0].format(part[column])}\n\nEnd\n\n{part[3]}\n\n" for part in parts]
        return "".join(blocks).replace("\n", ending)

    found = take_apart(document(1).encode(), "md")
    result = found.rebuild([text for part in parts for text in (part[2], "End")])

    assert found.texts == tuple(text for part in parts for text in (texts(part[1])[0], "End"))
    assert result.decode() == document(2)
