"""HTML: what people read is taken out, everything else stays, however the page was written."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.segments import take_apart

PAGE = """<!DOCTYPE html>
<html lang="en"><head>
  <meta charset="utf-8"><title>A page</title>
  <meta name="Description" content="About &quot;things&quot;"><meta name="keywords" content="not this">
  <style>p > a { content: "not this" }</style>
  <script>if (a < b) document.write("<p>not this</p>")</script>
</head>
<body class="not this">
  <h1 title='A tip'>Big &amp; small</h1><!-- not <p> this -->
  <p>Some <b>bold</b> words,<br>over
     two lines &lt;here&gt;.
  <p translate="no">Not this <b>nor this</b> <span translate="yes">but this</span>
  <p>Again <code title="not">not_this()</code> <img alt=Logo src=a.png title=""> 42
  <div class="a notranslate b">Not this<div>nor this</div></div>
  <input placeholder="Your name" value="not this" aria-label="Name field"><pre>not
  this</pre><kbd>Ctrl</kbd><samp>out</samp><template><p>not this</template><textarea>not this</textarea>
  <a href="?a=1&b=2">Link</a> © 2026 AT&T
</body></html>
"""
PAGE_TEXTS = (
    *("A page", 'About "things"', "A tip", "Big & small", "Some", "bold", "words,", "over two lines <here>."),
    *("but this", "Again", "Logo", "Your name", "Name field", "Link", "© 2026 AT&T"),
)


class Outline(HTMLParser):
    """Tags and untranslated attributes of a page, as a parser written by others sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[object] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, [(name, None if value == "X <&\"'> X" else value) for name, value in attrs]))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(tag)

    def handle_comment(self, data: str) -> None:
        self.seen.append(("comment", data))


def texts(page: str) -> list[str]:
    return list(take_apart(page.encode(), "html").texts)


def rebuilt(page: str, *changed: str) -> str:
    return take_apart(page.encode(), "html").rebuild(changed).decode()


def test_a_page_gives_what_people_read() -> None:
    """Text comes without entities and on one line; code, scripts, comments and marked parts do not come."""
    assert take_apart(PAGE.encode(), "html").texts == PAGE_TEXTS


def test_a_translated_page_has_the_same_tags() -> None:
    """However nasty the answers, another parser sees the same tags and attributes."""
    result = rebuilt(PAGE, *("X <&\"'> X" for _ in PAGE_TEXTS))
    before, after = Outline(PAGE).seen, Outline(result).seen
    shown = [part for part in PAGE.splitlines() if "<script" in part or "<style" in part]

    assert [item[0] if isinstance(item, tuple) else item for item in after] == [
        item[0] if isinstance(item, tuple) else item for item in before
    ]
    assert all(part in result for part in shown)
    assert take_apart(result.encode(), "html").texts == ("X <&\"'> X",) * len(PAGE_TEXTS)


@pytest.mark.parametrize(
    ("page", "changed", "expected"),
    [
        ("<p> a &amp; b </p>", "c & <d>", "<p> c &amp; &lt;d&gt; </p>"),
        ('<p>it\'s "so"', 'it\'s "not"', '<p>it\'s "not"'),
        ('<img alt="a">', 'say "b"', '<img alt="say &quot;b&quot;">'),
        ("<img alt='a'>", "it's", "<img alt='it&#x27;s'>"),
        ("<img alt=' a '>", "b", "<img alt=' b '>"),
        ("<img alt=a>", "b c", '<img alt="b c">'),
        ("<IMG ALT = a/>", "b>", '<IMG ALT = "b&gt;">'),
        ("a<br>", "b\u00a0c", "b&#160;c<br>"),
        ("&nbsp; a&#32;", "b", "&#160; b "),
    ],
)
def test_a_changed_text_is_escaped(page: str, changed: str, expected: str) -> None:
    """What a translator answers is text, never markup, within the quotes the page had."""
    assert rebuilt(page, changed) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("no tags at all", ["no tags at all"]),
        ("a < b and <3", ["a < b and <3"]),
        ("<p a='>' b=\">\" c=d'>x y", ["x y"]),
        ('<p a=b"c>x y', ["x y"]),
        ('<p "a>x y', ["x y"]),
        ("<p a='>x y", []),
        ("a<!-- b", ["a"]),
        ("<!-->a<!---->b<!-- x --!>c", ["a", "b", "c"]),
        ("<?php a ?>b<!x>c</ d>e", ["b", "c</ d>e"]),
        ("<script>a</script >b<SCRIPT>c</script", ["b"]),
        ("<script><!-- </script>a", ["a"]),
        ("<textarea><p>a</p></textarea>b", ["b"]),
        ("<pre>a<pre>b</pre>c</pre>d", ["d"]),
        ("<pre>a", []),
        ("</p>a</b>", ["a"]),
        ("<li translate=no>a<li>b", ["b"]),
        ("<ul><li translate=no>a<ul><li>b</ul>c</ul>d", ["d"]),
        ("<table><tr><td translate=no>a<td>b<tr><td>c", ["b", "c"]),
        ("<dl><dt translate=no>a<dd>b", ["b"]),
        ("<p translate=no>a<div>b</div>", ["b"]),
        ("<p translate=no>a<b>b</p>c", ["c"]),
        ("<br translate=no>a<img alt=b translate=no>", ["a"]),
        ('<html translate=no>a<p translate="">b', ["b"]),
        ("<html translate=no>a<p translate=yes>b", ["b"]),
        ("<p class='x  notranslate'>a", []),
        ("<p class=notranslated>a", ["a"]),
        ("<meta content='a b' name=description><meta content=c name=author>", ["a b"]),
        ("<b title=a title=b>c</b>", ["a", "c"]),
        ("<svg><title>a</title></svg><math><mi>x</mi></math>", ["a"]),
        ("<x-y alt='a'/>b", ["a", "b"]),
        ("<option translate=no>a<option>b", ["b"]),
        ("&nbsp; &#32; a&nbsp;b", ["a\u00a0b"]),
    ],
)
def test_pages_are_read_as_browsers_do(page: str, expected: list[str]) -> None:
    """Ends that are left out, loose quotes, open comments and scripts end where a browser ends them."""
    assert texts(page) == expected


words = st.lists(st.text("abcäß日&<>\"'", min_size=1, max_size=6), min_size=1, max_size=4).map(
    lambda parts: "a " + " ".join(parts) + " z"
)


@given(st.lists(words, min_size=3, max_size=3), st.lists(words, min_size=3, max_size=3))
@settings(deadline=None)
def test_changed_texts_are_found_again(old: list[str], new: list[str]) -> None:
    """A translated page gives the translated texts."""
    escaped = [text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;") for text in old]
    found = take_apart('<meta charset=utf-8><p title="{}">{}<br>\r\n{}</p>'.format(*escaped).encode(), "html")

    assert list(found.texts) == old
    assert list(take_apart(found.rebuild(new), "html").texts) == new
