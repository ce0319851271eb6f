"""`status --metrics`: for hosts where nothing listens, what a collector of text files may take up."""

from pathlib import Path

from daemon import metrics
from daemon.cli import reading
from daemon.clock import stamp


def exposition(config: Path) -> str:
    """The metrics of the daemon that runs now, as it last wrote them, with ages of this moment.

    Without one only `babeldrop_up 0` and `babeldrop_healthy 0`. Raises ConfigError and StateError.
    """
    scene = reading.look(config)
    if scene.live is None:
        return metrics.absent().decode()
    return metrics.exposition({**scene.live, "at": stamp(scene.now)}, process=False).decode()
