"""What Prometheus reads: every metric documented, in the form its own tools accept, and rules that name what exists."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from daemon import messages, metrics
from daemon.health import health
from tests.scenes import PROVIDERS, account, ago, facts, jobs, provider

HERE = Path(__file__).parent.parent
RULES = HERE / "docs/alerts.yaml"
BOARD = HERE / "docs/grafana.json"
# A summary is scraped as two series.
SERIES = {
    name
    for row in metrics.CATALOGUE
    for name in ([f"{row.shown}_sum", f"{row.shown}_count"] if row.kind == "summary" else [row.shown])
}


def metric_table() -> str:
    """The table of `docs/metrics.md`, made of the catalogue."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for row in metrics.CATALOGUE:
        labels = " ".join(f"`{label}`" for label in row.labels) or "–"
        rows.append(f"| `{row.shown}` | {row.kind} | {labels} | {row.meaning} |")
    return "\n".join(rows)


BUSY = facts(
    {
        "jobs": [jobs(2), jobs(3, "in_flight"), {**jobs(1), "folder": "other"}],
        "oldest": [
            {"provider": "acme", "state": "claimed", "since": ago(90)},
            {"provider": "acme", "state": "in_flight", "since": ago(30)},
        ],
        "waits": [
            {"provider": "acme", "why": "account.full", "jobs": 2, "since": ago(5)},
            {"provider": "acme", "why": "moon.full", "jobs": 1, "since": ago(5)},
        ],
        "unclaimed_since": ago(12.5),
        "providers": [provider("acme", up=500, down=700, delivered=4, uncertain=1), provider("other", moved=None)],
        "failed": [
            {"provider": "acme", "code": "drop.type", "count": 2},
            {"provider": "acme", "code": "new", "count": 1},
        ],
        "requests": [{"provider": "acme", "verb": "status", "outcome": "2xx", "count": 9}],
        "seconds": [{"provider": "acme", "verb": "status", "count": 9, "seconds": 1.5}],
        "rooms": [{"provider": "acme", "verb": "any", "room": 7}],
        "costs": [{"provider": "acme", "unit": "credits", "sum": 12.5}],
    },
    budget=[{"provider": "acme", "unit": "credits", "per_month": 200, "spent": 203.5, "held_until": ago(-9e5)}],
    accounts=[account("acme", "third"), account("other", door="closed", reason="account.key", since=ago(60))],
    notify={"failing_since": ago(60)},
    resting_total=3,
    ignored_total=3,
    withdrawn_total=2,
)


def families(found: dict[str, Any]) -> dict[str, Metric]:
    text = metrics.exposition(found, process=False).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(found: dict[str, Any], name: str) -> dict[tuple[str, ...], float]:
    """The values of one metric by those of its labels, in the order of the catalogue."""
    row = next(row for row in metrics.CATALOGUE if row.name == name)
    family = families(found)[row.shown.removesuffix("_total") if row.kind == "counter" else row.shown]
    return {tuple(sample.labels[label] for label in row.labels): sample.value for sample in family.samples}


def promtool(*arguments: str, stdin: bytes = b"") -> None:
    found = shutil.which("promtool")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("promtool is not installed (Debian: prometheus)")
    if found is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run([found, *arguments], input=stdin, capture_output=True, timeout=60, check=False)

    assert done.returncode == 0, (done.stdout + done.stderr).decode()


class TestExposition:
    """What stands in `/metrics`."""

    def test_every_metric_is_there_and_no_other(self) -> None:
        """The catalogue is what is scraped; a busy daemon gives a value to each."""
        found = families(BUSY)

        assert {sample.name for family in found.values() for sample in family.samples} == SERIES
        assert len({row.name for row in metrics.CATALOGUE}) == len(metrics.CATALOGUE)

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("up", {(): 1.0}),
            ("build_info", {("1.2.3",): 1.0}),
            ("healthy", {(): 0.0}),
            ("share_up", {(): 1.0}),
            ("resting_files", {(): 3.0}),
            # One of three: the others were withdrawn.
            ("ignored_files", {(): 1.0}),
            ("oldest_unclaimed_seconds", {(): 12.5}),
            ("oldest_waiting_seconds", {("acme",): 90.0, ("other",): 0.0}),
            ("oldest_inflight_seconds", {("acme",): 30.0, ("other",): 0.0}),
            ("account_open", {("acme",): 1.0, ("third",): 1.0, ("other",): 0.0}),
            ("waiting_jobs", {("acme", "account.full"): 2.0, ("acme", "other"): 1.0}),
            ("delivered_total", {("acme",): 4.0, ("other",): 0.0}),
            ("uncertain_total", {("acme",): 1.0, ("other",): 0.0}),
            ("requests_total", {("acme", "status", "2xx"): 9.0}),
            ("rate_budget_remaining", {("acme", "any"): 7.0}),
            ("cost_total", {("acme", "credits"): 12.5}),
            ("budget_remaining", {("acme", "credits"): -3.5}),
            ("notify_failing", {(): 1.0}),
            ("scan_duration_seconds", {(): 0.2}),
        ],
    )
    def test_values(self, name: str, expected: dict[tuple[str, ...], float]) -> None:
        """Each as the facts tell it, in seconds, bytes and whole files."""
        assert values(BUSY, name) == expected

    def test_jobs_by_provider_folder_and_state(self) -> None:
        """A folder that nobody configured has no row of its own."""
        rows = {("acme", "fr", "claimed"): 2.0, ("acme", "fr", "in_flight"): 3.0, ("acme", "other", "claimed"): 1.0}

        assert values(BUSY, "jobs") == rows

    def test_failures_begin_at_zero_for_every_code(self) -> None:
        """A series that begins with one would be no increase, and the first failure no alarm."""
        found = values(BUSY, "failed_total")

        assert found["acme", "drop.type"] == 2.0
        assert found["acme", "other"] == 1.0
        assert found.keys() >= {(name, code) for name in PROVIDERS for code in messages.CATALOGUE}
        assert sum(found.values()) == 3.0

    def test_what_is_not_configured_is_not_there(self) -> None:
        """No budget, no notifications: no value that could be taken for one."""
        for name in ("budget_limit", "budget_spent", "budget_remaining", "notify_failing"):
            assert values(facts(), name) == {}

    def test_troubles_are_those_of_health(self) -> None:
        """What alarms say is what `/healthz` says."""
        found = values(BUSY, "trouble")

        assert ("account.key", "failing", "other") in found
        assert ("notify.failing", "degraded", "") in found
        assert set(found.values()) == {1.0}

    def test_nothing_is_kept_between_scrapes(self) -> None:
        """The same facts give the same bytes, however often."""
        assert len({metrics.exposition(BUSY, process=False) for _ in range(3)}) == 1

    def test_the_process_tells_of_itself(self) -> None:
        """Memory, processor and open files; not its start, which a service manager may hide."""
        text = metrics.exposition(facts()).decode()
        found = {family.name: one.value for family in text_string_to_metric_families(text) for one in family.samples}

        assert found["process_resident_memory_bytes"] > 1e6
        assert found["process_open_fds"] > 0
        assert "process_start_time_seconds" not in found

    def test_where_nobody_runs_only_that_is_said(self) -> None:
        """Old numbers would look like a daemon that works."""
        text = metrics.absent().decode()
        found = {family.name: family.samples[0].value for family in text_string_to_metric_families(text)}

        assert found == {"babeldrop_up": 0.0, "babeldrop_healthy": 0.0}

    @given(st.text(max_size=30), st.text(max_size=30))
    def test_no_label_breaks_the_form(self, folder: str, version: str) -> None:
        """Quotes, line ends and backslashes come back as they went in."""
        row = {"provider": "acme", "folder": folder, "state": "claimed", "count": 1}
        found = facts({"jobs": [row]}, version=version)

        assert list(values(found, "jobs")) == [("acme", folder, "claimed")]
        assert list(values(found, "build_info")) == [(version,)]

    def test_promtool_accepts_it(self) -> None:
        """Prometheus' own check of names, kinds and help finds nothing."""
        promtool("check", "metrics", stdin=metrics.exposition(BUSY))


class TestDocuments:
    """What administrators load, and what explains it."""

    def test_every_metric_has_its_row(self) -> None:
        """`docs/metrics.md` holds the catalogue's table, word for word."""
        assert metric_table() in (HERE / "docs/metrics.md").read_text()

    def test_every_name_in_the_documents_exists(self) -> None:
        """Whatever begins with `babeldrop_` there can be scraped."""
        summaries = {row.shown for row in metrics.CATALOGUE if row.kind == "summary"}
        for name in ("metrics.md", "alerts.yaml", "grafana.json"):
            named = set(re.findall(r"babeldrop_[a-z_]+", (HERE / "docs" / name).read_text()))

            assert named
            assert named <= SERIES | summaries, name

    def test_every_label_in_an_expression_exists(self) -> None:
        """A label that no metric has would silently match nothing."""
        known = {row.shown: set(row.labels) for row in metrics.CATALOGUE}
        for expression in (*rule_expressions(), *board_expressions()):
            for name, matchers in re.findall(r"(babeldrop_[a-z_]+)\{([^}]*)\}", expression):
                base = name if name in known else re.sub("_(sum|count)$", "", name)
                used = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers)) - {"job", "instance"}

                assert used <= known[base], expression

    def test_every_code_in_a_rule_exists(self) -> None:
        """Rules choose among reasons by their codes; a renamed one would leave its alarm silent."""
        told = (
            {
                reason.code
                for found in (
                    BUSY,
                    facts(share={"there": False}),
                    facts({"scan": {"at": None}}),
                    facts({"unclaimed_since": ago(100_000)}),
                )
                for reason in health(found).reasons
            }
            | messages.CATALOGUE.keys()
            | messages.WAITING.keys()
        )
        for expression in rule_expressions():
            for patterns in re.findall(r'code(?:=~|!~|=)"([^"]*)"', expression):
                for pattern in patterns.split("|"):
                    assert any(re.fullmatch(pattern, code) for code in told), pattern

    def test_every_alert_says_what_to_do(self) -> None:
        """A summary that says what happened, a description that says more, and whom to wake."""
        for rule in rules():
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert rule["annotations"]["summary"].endswith(".")
            assert len(rule["annotations"]["description"]) > 40
            assert rule["annotations"]["description"].endswith(".")

    def test_the_dashboard_is_whole(self) -> None:
        """Every panel has a title of its own, a place that no other takes, and the data source of the choice."""
        panels = json.loads(BOARD.read_text())["panels"]
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }

            assert not cells & taken, panel["title"]
            assert all(x < 24 for x, _ in cells)
            assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"
            taken |= cells
        assert len({panel["title"] for panel in panels}) == len({panel["id"] for panel in panels}) == len(panels)

    def test_promtool_accepts_the_rules(self) -> None:
        """Syntax, names and templates of the alerts."""
        promtool("check", "rules", str(RULES))

    def test_the_alerts_fire_when_they_should(self) -> None:
        """A quiet day, an outage, each trouble: played through with Prometheus' own test of rules."""
        promtool("test", "rules", str(HERE / "tests/alerts.yaml"))

    def test_promtool_accepts_the_dashboards_expressions(self, tmp_path: Path) -> None:
        """Each as a rule of its own, with values for the variables."""
        named = [
            {"record": f"panel:number:{number}", "expr": expression.replace("$__rate_interval", "5m")}
            for number, expression in enumerate(board_expressions())
        ]
        path = tmp_path / "rules.yaml"
        path.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": named}]}))

        promtool("check", "rules", str(path))


def rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from group["rules"]


def rule_expressions() -> list[str]:
    return [rule["expr"] for rule in rules()]


def board_expressions() -> list[str]:
    panels = json.loads(BOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]
