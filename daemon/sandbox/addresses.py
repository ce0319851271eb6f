"""Where the two origins of the sandbox are."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """The API's origin carries every service under its name; the results' origin wants no key.

    Both are written as `http://host:port`, without a slash at the end.
    """

    api: str
    results: str

    def base_url(self, service: str) -> str:
        """What a configuration names as `base_url` for this service."""
        return f"{self.api}/{service}"

    @property
    def results_host(self) -> str:
        """`host:port` of the second origin, as a configuration names it under `result_hosts`."""
        return self.results.removeprefix("http://")
