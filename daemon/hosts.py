"""Which hosts results may be fetched from, besides the service's own."""

import ipaddress
import socket
from collections.abc import Collection

from daemon.errors import LostError, TransientError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")


def permit(scheme: str, host: str, port: int, allowed: Collection[str]) -> None:
    """Results come over https from public addresses; `allowed` names the exceptions, `host` or `host:port`.

    Raises LostError for an address that is not to be asked, TransientError when its name cannot be looked up.
    A name that leads elsewhere a moment later gains nothing: whoever answers there has to prove the name in a
    certificate before anything is asked.
    """
    if scheme not in ("http", "https"):
        raise LostError("result.refused", f"{host or 'no host'} without https")
    named = f"[{host}]" if ":" in host else host
    if named in allowed or f"{named}:{port}" in allowed:
        return
    if scheme != "https":
        raise LostError("result.refused", f"{host} without https")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (UnicodeError, OverflowError):
        raise LostError("result.refused", f"{host} is no host") from None
    except OSError as error:
        raise TransientError("service.unreachable", f"{host}: {error.strerror}") from error
    if not all(is_public(str(where[0])) for *_, where in found):
        raise LostError("result.refused", f"{host} is not a public address")


def is_public(text: str) -> bool:
    """Whether an IP address is one of the open internet, also where it holds one of the older kind.

    Raises ValueError when it is no IP address.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        inner = inner or address.ipv4_mapped or address.sixtofour
        if inner is None:
            return address.is_global and address in _UNICAST
        address = inner
    return address.is_global and not address.is_multicast
