"""The optional packages: how they come to be where this very program runs."""

import os
import sys


def install(extra: str) -> str:
    """The command that adds an extra, with the place to type it: babeldrop is installed from its checkout."""
    pip = os.path.join(os.path.dirname(sys.executable), "pip")
    return f"{pip} install '.[{extra}]' in the checkout"
