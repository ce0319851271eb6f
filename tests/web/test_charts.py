"""The pictures: round scales, shapes inside their frame, and the same numbers as in the tables beside them."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.web.charts import HEIGHT, WIDTH, charts, middle_half, scale
from daemon.web.past import DAYS, Tally
from daemon.web.words import Words
from tests.web.looks import NOON, Parsed, delivered, failed, html, look

ENGLISH = Words("en")
TALLIES = st.builds(
    Tally,
    delivered=st.integers(0, 10_000),
    failed=st.integers(0, 10_000),
    costs=st.dictionaries(st.sampled_from(["credits", "characters"]), st.floats(0.001, 1e9)),
    spans=st.lists(st.floats(0, 1e6), max_size=20),
)
A_DAY = st.dictionaries(st.sampled_from(["acme", "other", "gone"]), TALLIES, min_size=1)


def days(*tallies: dict[str, Tally]) -> dict[date, dict[str, Tally]]:
    """The last days, of which the last ones are given."""
    every = [NOON.date() - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    return dict(zip(every, [{}] * (DAYS - len(tallies)) + list(tallies), strict=True))


@given(st.floats(0.001, 1e12))
def test_a_scale_is_round_and_holds_the_most(most: float) -> None:
    """At most six ticks, evenly apart, the last one not below the most and not far above it."""
    top, ticks = scale(most)

    assert ticks[0] == 0
    assert ticks[-1] == pytest.approx(top)
    assert most <= top * (1 + 1e-9)
    assert 2 <= len(ticks) <= 6
    assert top <= most * 2.5 or top == 1


@given(st.integers(1, 10_000))
def test_files_are_counted_in_whole_numbers(most: int) -> None:
    """There is no half of a file on an axis of files."""
    assert all(tick == int(tick) for tick in scale(most)[1])


@given(st.lists(A_DAY, min_size=1, max_size=DAYS))
def test_every_shape_lies_in_its_frame(tallies: list[dict[str, Tally]]) -> None:
    """Whatever the numbers are."""
    for chart in charts(days(*tallies), {}, ENGLISH, NOON):
        for shape in chart.shapes:
            assert 0 <= shape.x <= shape.x + shape.width <= WIDTH + 0.2
            assert 0 <= shape.y <= shape.y + shape.height <= chart.height + 0.2
            assert shape.width > 0


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("now", [NOON, NOON.replace(month=1, day=10)], ids=["in a year", "over the new year"])
def test_no_label_of_a_day_is_cut_off(language: str, now: datetime) -> None:
    """Today's ends where the picture does; a letter of 12 pixels is at most 7.5 wide."""
    every = [now.date() - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    drawn = charts({day: {"a": Tally(delivered=1)} for day in every}, {}, Words(language), now)
    labels = [label for label in drawn[0].labels if label.y == HEIGHT - 6]
    share = {"start": 1.0, "middle": 0.5, "end": 0.0}

    assert (labels[-1].x, labels[-1].anchor) == (WIDTH, "end")
    assert all(label.x + len(label.text) * 7.5 * share[label.anchor] <= WIDTH for label in labels)


def test_bars_are_as_high_as_their_numbers() -> None:
    """Twice as many files, twice as high; what is above nothing can be seen; nothing has no bar."""
    drawn = charts(
        days({"a": Tally(delivered=100)}, {"a": Tally(delivered=50)}, {"a": Tally(failed=1)}), {}, ENGLISH, NOON
    )
    heights = {(shape.kind, round(shape.height)) for shape in drawn[0].shapes}
    ground = HEIGHT - 24 - 12

    assert heights == {("delivered", ground), ("delivered", ground // 2), ("failed", 2)}


def test_the_table_has_the_numbers_of_the_picture() -> None:
    """The newest day first."""
    drawn = charts(days({"a": Tally(delivered=1)}, {"a": Tally(delivered=1234, failed=5)}), {}, ENGLISH, NOON)

    assert drawn[0].head == ["Day", "delivered", "failed"]
    assert drawn[0].rows[:2] == [["21 Nov", "1,234", "5"], ["20 Nov", "1", "0"]]
    assert drawn[0].about == "1,235 delivered, 5 failed."


def test_each_service_has_its_time_and_each_unit_its_picture() -> None:
    """A service that delivered nothing has no bar, and what costs nothing no picture."""
    today = {
        "acme": Tally(delivered=3, spans=[60.0, 120.0, 600.0], costs={"credits": 2.5}),
        "other": Tally(failed=1, costs={"seconds": 90.0}),
    }
    _, waits, credit, seconds = charts(days(today), {"acme": "Acme Translations"}, ENGLISH, NOON)

    assert waits.rows == [["Acme Translations", "1 min to 10 min, half within 2 min"]]
    assert (credit.title, credit.about) == ("Spent per day, in credits", "2.5 credits in all.")
    assert seconds.title == "Spent per day, in seconds"


def test_days_without_a_file_have_no_picture() -> None:
    """A new installation says so instead of showing empty axes."""
    assert charts(days(), {}, ENGLISH, NOON) == []
    assert "Nothing has been finished in these days." in html(look(), live=True)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_the_middle_half_is_in_order(spans: list[float]) -> None:
    """Quartiles are lengths that were seen."""
    low, middle, high = middle_half(spans)

    assert min(spans) <= low <= middle <= high <= max(spans)
    assert {low, middle, high} <= set(spans)


def test_pictures_are_described() -> None:
    """Each has a caption that a screen reader reads instead, and its numbers as a table."""
    ended = [delivered(1, cost=2), failed(2, "b")]
    found = Parsed(html(look(ended=ended), live=True))
    pictures = [one for one in found.all("svg") if one.get("role") == "img"]

    assert found.problems == []
    assert len(pictures) == len(found.all("figcaption")) == len(found.all("details")) == 3
    assert all(one["aria-labelledby"] for one in pictures)
