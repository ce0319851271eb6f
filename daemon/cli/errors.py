"""Expected errors as sentences on standard error, with the exit codes that the commands promise."""

import contextlib
import errno
from collections.abc import Iterator

import typer

from daemon import kernel
from daemon.errors import ConfigError, ShareAwayError, StateError

BAD_CONFIGURATION = 2
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextlib.contextmanager
def exits() -> Iterator[None]:
    """Turn what an administrator can mend into its sentences and exit code 2. Raises typer.Exit."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        count = len(error.problems)
        typer.echo(f"{count} problem{'s' if count != 1 else ''}; nothing was done.", err=True)
        raise typer.Exit(BAD_CONFIGURATION) from None
    except (StateError, ShareAwayError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_CONFIGURATION) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        passing = error.errno in kernel.FOR_NOW
        more = ". The disk or the share is in trouble; nothing was lost, start again later." if passing else ""
        if error.errno in _FULL:
            more = ". Make room on the disk of `state` and on that of `root`, and start again; nothing was lost."
        typer.echo(f"{where}{error.strerror or error}{more}", err=True)
        raise typer.Exit(1 if passing else BAD_CONFIGURATION) from None
