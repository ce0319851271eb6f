"""Metrics in Prometheus' text form, made anew of the view's facts at every scrape.

Nothing is kept here, so nothing grows and nothing can be out of step with what other views show. Counters count
since the start of the process. `CATALOGUE` is the table that `docs/metrics.md` shows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from daemon import readings
from daemon.health import health
from daemon.readings import Facts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "babeldrop_"

_FAMILIES: Mapping[str, type[GaugeMetricFamily | CounterMetricFamily]] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One metric: `samples` gives its values, each behind those of its labels; a summary's are sums, with counts."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str
    samples: Callable[[Facts], Iterable[tuple[Any, ...]]]

    @property
    def shown(self) -> str:
        """The name as it is scraped."""
        return PREFIX + self.name

    def family(self, facts: Facts) -> Metric:
        if self.kind == "summary":
            summary = SummaryMetricFamily(self.shown, self.meaning, labels=self.labels)
            for labels, count, total in self.samples(facts):
                summary.add_metric(labels, count_value=count, sum_value=total)
            return summary
        family = _FAMILIES[self.kind](self.shown, self.meaning, labels=self.labels)
        for labels, value in self.samples(facts):
            family.add_metric(list(labels), value)
        return family


def exposition(facts: Facts, *, process: bool = True) -> bytes:
    """All metrics of `View.facts()`; `process` adds those of this very process (memory, CPU, open files)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Facts(facts))
    if process:
        registry.register(_Process())
    return generate_latest(registry)


def absent() -> bytes:
    """What is to be said when no daemon runs: that it does not, and nothing that was true once."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Down())
    return generate_latest(registry)


class _Facts(Collector):
    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        return (row.family(self._facts) for row in CATALOGUE)


class _Down(Collector):
    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(PREFIX + "up", _UP, value=0.0)
        yield GaugeMetricFamily(PREFIX + "healthy", _HEALTHY, value=0.0)


class _Process(Collector):
    """The library's, without the moment of the start: a service manager may hide the machine's boot time."""

    def collect(self) -> Iterator[Metric]:
        found = _Proc(registry=None).collect()
        return (family for family in found if family.name != "process_start_time_seconds")


class _Proc(ProcessCollector):
    def _boot_time(self) -> float:
        # Without one the library tells nothing at all; what it makes of it is left out above.
        return 1.0


_UP = "1 while the daemon runs; 0 comes from `status --metrics` alone."
_HEALTHY = "1 unless /healthz answers 503: files wait for a person, or nobody can tell that work goes on."

CATALOGUE: tuple[Row, ...] = (
    Row("up", "gauge", (), _UP, readings.one(lambda _: 1.0)),
    Row("build_info", "gauge", ("version",), "Always 1; the version is a label.", lambda f: [((f["version"],), 1.0)]),
    Row(
        "start_timestamp_seconds",
        "gauge",
        (),
        "When the process began (Unix time).",
        readings.one(lambda f: readings.unix(f["started_at"])),
    ),
    Row("healthy", "gauge", (), _HEALTHY, readings.one(lambda f: float(health(f).ok))),
    Row(
        "trouble",
        "gauge",
        ("code", "level", "provider"),
        "1 for each reason that /healthz gives, while it gives it.",
        readings.troubles,
    ),
    Row(
        "share_up",
        "gauge",
        (),
        "1 while the root with its marker is there.",
        readings.one(lambda f: float(f["share"]["there"])),
    ),
    Row(
        "last_scan_timestamp_seconds",
        "gauge",
        (),
        "When all inboxes were last looked through (Unix time).",
        readings.one(lambda f: readings.unix(readings.scan(f).get("at"))),
    ),
    Row(
        "scan_duration_seconds",
        "gauge",
        (),
        "How long that took.",
        readings.one(lambda f: readings.scan(f).get("seconds")),
    ),
    Row(
        "oldest_unclaimed_seconds",
        "gauge",
        (),
        "Age of the file that has been in an inbox longest without being taken; 0: none.",
        readings.one(lambda f: readings.age(f, readings.measured(f).get("unclaimed_since"))),
    ),
    Row(
        "resting_files",
        "gauge",
        (),
        "Files in the inboxes that are not complete yet, or held by a STOP.",
        readings.one(lambda f: f["resting_total"]),
    ),
    Row(
        "ignored_files",
        "gauge",
        (),
        "Files and folders in the inboxes that are never taken as they are; without those that a .cancel holds.",
        readings.one(lambda f: f["ignored_total"] - f.get("withdrawn_total", 0)),
    ),
    Row(
        "jobs",
        "gauge",
        ("provider", "folder", "state"),
        "Files on their way. A folder that is not in the configuration is `other`.",
        readings.table("jobs", "provider folder state", "count"),
    ),
    Row("waiting_jobs", "gauge", ("provider", "reason"), "Files that wait, by the reason.", readings.waiting),
    Row(
        "oldest_waiting_seconds",
        "gauge",
        ("provider",),
        "Age, since the drop, of the oldest file that is not handed over yet; 0: none.",
        readings.oldest("claimed"),
    ),
    Row(
        "oldest_inflight_seconds",
        "gauge",
        ("provider",),
        "Time since the hand-over of the oldest file that the service works on; 0: none.",
        readings.oldest("in_flight"),
    ),
    Row(
        "last_progress_timestamp_seconds",
        "gauge",
        ("provider",),
        "When a file, a byte of one or a good answer last moved (Unix time).",
        readings.moved,
    ),
    Row(
        "delivered_total",
        "counter",
        ("provider",),
        "Translations delivered.",
        lambda f: readings.providers(f, "delivered"),
    ),
    Row("failed_total", "counter", ("provider", "code"), "Files that failed, by error code.", readings.failed),
    Row(
        "uncertain_total",
        "counter",
        ("provider",),
        "Submissions of which nobody could say at first whether the service took them.",
        lambda f: readings.providers(f, "uncertain"),
    ),
    Row(
        "account_open",
        "gauge",
        ("provider",),
        "1 while new files are handed over; 0: closed or on trial.",
        readings.accounts,
    ),
    Row(
        "requests_total",
        "counter",
        ("provider", "verb", "outcome"),
        "Requests by kind and outcome: 2xx, 3xx, 4xx, 429, 5xx, or none when no answer came.",
        readings.table("requests", "provider verb outcome", "count"),
    ),
    Row(
        "request_seconds",
        "summary",
        ("provider", "verb"),
        "Time from a request's first byte to the head of its answer; uploads included.",
        readings.durations,
    ),
    Row(
        "rate_budget_remaining",
        "gauge",
        ("provider", "verb"),
        "Requests that may start now in the window of a kind; `any` is the window of all. None without a window.",
        readings.table("rooms", "provider verb", "room"),
    ),
    Row(
        "bytes_total",
        "counter",
        ("provider", "direction"),
        "Bytes of documents sent (up) and fetched (down).",
        readings.carried,
    ),
    Row(
        "cost_total",
        "counter",
        ("provider", "unit"),
        "What services told that the files cost which ended.",
        readings.table("costs", "provider unit", "sum"),
    ),
    Row(
        "budget_limit",
        "gauge",
        ("provider", "unit"),
        "The month's cap, where one is configured.",
        readings.table("budget", "provider unit", "per_month"),
    ),
    Row(
        "budget_spent",
        "gauge",
        ("provider", "unit"),
        "What is booked this month; not since the start of the process.",
        readings.table("budget", "provider unit", "spent"),
    ),
    Row(
        "budget_remaining",
        "gauge",
        ("provider", "unit"),
        "What is left of the month's cap; below zero by what was in flight when it was reached.",
        readings.remaining,
    ),
    Row(
        "journal_bytes",
        "gauge",
        (),
        "Size of the journal.",
        readings.one(lambda f: readings.measured(f).get("journal_bytes")),
    ),
    Row(
        "notify_failing",
        "gauge",
        (),
        "1 while notifications cannot be sent; none without `notify`.",
        readings.one(readings.notify),
    ),
)
