"""Under which names the page may be asked for: a browser that was led here under a foreign name gets nothing.

That is what keeps a web page elsewhere from reading this one by letting its own name point to this machine.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass

_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Names:
    """`known` names, and with `any_address` every address written in numbers, which no foreign name can be."""

    known: frozenset[str]
    any_address: bool

    def has(self, header: str) -> bool:
        """Whether a Host header names this machine as it may be named; its port does not matter."""
        found = _HOST.fullmatch(header.strip())
        if not found:
            return False
        host = found["host"].strip("[]").lower().removesuffix(".")
        address = _address(host)
        if address is not None:
            return self.any_address or str(address) in self.known
        return host in self.known


def allowed(listen: str) -> Names:
    """The names for a configured host: loopback's own, that host; and the machine's where it listens everywhere."""
    address = _address(listen)
    everywhere = address is not None and address.is_unspecified
    own = socket.gethostname().lower()
    more = {own, own.partition(".")[0]} if everywhere else {str(address) if address else listen.lower()}
    return Names(_LOOPBACK | frozenset(more), everywhere)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
