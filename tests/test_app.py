"""The daemon as one thing, where its helpers end in an order that nobody chose."""

from pathlib import Path

import structlog

from daemon import config
from daemon.app import App
from daemon.clock import SystemClock

_CONFIG = """\
root: {base}/root
state: {base}/state
providers:
  gpttranslator:
    base_url: http://127.0.0.1:1
    api_key: a-key
    source_language: en
    languages: [fr]
    options: {{model: gpt-4.1-mini-2025-04-14}}
"""


def opened(base: Path) -> App:
    path = base / "config.yaml"
    path.write_text(_CONFIG.format(base=base))
    return App(config.load(path), SystemClock(), structlog.get_logger())


def test_a_duty_that_is_woken_when_its_turns_have_been_taken_off_the_table_breaks_nothing(tmp_path: Path) -> None:
    """While the scheduler shuts down a step may still end and wake another; there is nothing to wake any more."""
    app = opened(tmp_path)
    app.start()
    app._scheduler.remove_all_jobs()

    for duty in app._duties.values():
        duty._arm_after(0.0)

    assert app.stop()
    assert app.died is None
