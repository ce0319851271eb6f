"""What the helpers of a living daemon show of themselves: the evidence that `liveness` judges."""

import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from daemon.desks import Desk
from daemon.liveness import Sign
from daemon.pulse import Pulse

# The rooms where a thread waits for a file system or for a service: our own, and below those of the libraries
# (httpcore's sockets; urllib3's, through which Entra ID is asked).
_ELSEWHERE = frozenset(
    {"daemon.disk", "daemon.kernel", "daemon.hosts", "socket", "ssl", "selectors"}
    | {"httpcore._backends.sync", "urllib3.util.connection", "urllib3.util.wait"}
)
_IDLE_POOL = ("concurrent.futures.thread", "_worker")


def signs(owing: Mapping[str, Pulse], others: Mapping[str, Pulse], desks: Iterable[Desk]) -> dict[str, Sign]:
    """A sign of every duty and of every thread of every pool. `owing` are the duties that were woken."""
    frames = sys._current_frames()  # noqa: SLF001  documented, in spite of its name
    found: dict[str, Sign] = {}
    for due, pulses in ((True, owing), (False, others)):
        for name, pulse in pulses.items():
            found[name] = _sign(frames.get(pulse.thread or 0), turns=pulse.turns, owes_turn=due)
    for desk in desks:
        for what, pool in (("uploads", desk.uploads), ("downloads", desk.downloads), ("controls", desk.controls)):
            found.update(_of_pool(f"{desk.name} {what}", pool, frames))
    return found


def _of_pool(name: str, pool: ThreadPoolExecutor, frames: Mapping[int, FrameType]) -> dict[str, Sign]:
    """The engine hands over no more steps than there are threads, so what stays in the queue is stuck."""
    queued = pool._work_queue.qsize()  # noqa: SLF001  it offers no other way to ask
    found = {f"{name} queue": Sign(at="queued" if queued else None)}
    for number, thread in enumerate(sorted(pool._threads, key=lambda one: one.name)):  # noqa: SLF001  as above
        found[f"{name} {number}"] = _sign(frames.get(thread.ident or 0))
    return found


def _sign(frame: FrameType | None, *, turns: int = 0, owes_turn: bool = False) -> Sign:
    if frame is None or _place(frame) == _IDLE_POOL:
        return Sign(turns=turns, owes_turn=owes_turn)
    elsewhere = _place(frame)[0] in _ELSEWHERE
    at = []
    step: FrameType | None = frame
    while step is not None:
        at.append((id(step.f_code), step.f_lasti))
        step = step.f_back
    return Sign(turns=turns, owes_turn=owes_turn, at=tuple(at), elsewhere=elsewhere)


def _place(frame: FrameType) -> tuple[str, str]:
    return str(frame.f_globals.get("__name__")), frame.f_code.co_name
