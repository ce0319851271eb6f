"""Signing in to Azure without a key: tokens of Microsoft Entra ID, from the optional package azure-identity.

The package finds the identity by itself (managed identity, workload identity, environment variables, command
line tools), talks to Microsoft on its own, keeps a token until shortly before its end and renews it then.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

from daemon import extras, names

EXTRA = extras.install("azure")
_SCOPE = "https://cognitiveservices.azure.com/.default"
_WORDS = 300


def installed() -> bool:
    """Whether the optional package is there."""
    try:
        return find_spec("azure.identity") is not None
    except ModuleNotFoundError:
        return False


def token() -> str:
    """A token that is good now. Raises LookupError, with a sentence, when there is none."""
    try:
        return _provider()()
    except ImportError:
        raise LookupError(f"entra: true needs an optional package ({EXTRA})") from None
    except Exception as error:  # noqa: BLE001  the package's own errors, known only where it is installed
        raise LookupError(f"Entra ID gave no token: {names.clean(str(error), _WORDS)}") from None


@cache
def _provider() -> Callable[[], str]:
    """One for the whole process: it keeps the token, and threads may share it."""
    from azure.identity import (  # noqa: PLC0415  an optional package, imported only when somebody wants it
        DefaultAzureCredential,
        get_bearer_token_provider,
    )

    return get_bearer_token_provider(DefaultAzureCredential(), _SCOPE)
