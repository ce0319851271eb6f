"""When to look at what: job ids by the monotonic moment of their next step.

Every operation costs the logarithm of what waits, never its number.
"""

import heapq


class Agenda:
    """A queue by due moment, then by id (ids are time-sortable, so equal moments keep their order)."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}

    def put(self, job: str, due: float) -> None:
        """Note the job for `due`; an earlier note of the same job is forgotten."""
        self._due[job] = due
        heapq.heappush(self._heap, (due, job))

    def drop(self, job: str) -> None:
        self._due.pop(job, None)

    def take(self, now: float, most: int) -> list[str]:
        """Remove and return up to `most` jobs that are due, longest due first."""
        taken: list[str] = []
        while len(taken) < most and self._heap and self._heap[0][0] <= now:
            due, job = heapq.heappop(self._heap)
            if self._due.get(job) == due:
                del self._due[job]
                taken.append(job)
        return taken

    def peek(self, now: float) -> str | None:
        """The job that `take` would give next; None when none is due."""
        due = self.next_due()
        return self._heap[0][1] if due is not None and due <= now else None

    def next_due(self) -> float | None:
        """The earliest moment in the agenda; None when it is empty."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def moments(self) -> dict[str, float]:
        """The due moment of everything in the agenda."""
        return self._due.copy()

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, job: object) -> bool:
        return job in self._due
