"""The sandbox as a process of its own: `python -m daemon.sandbox`, which `child.start` runs.

One line of JSON with the addresses on standard output says that it answers.
"""

import argparse
import json
import os
import signal
import threading
from dataclasses import asdict
from pathlib import Path

from daemon.sandbox.addresses import Addresses
from daemon.sandbox.server import DEFAULT_PACE, serve


def _pace(text: str) -> tuple[float, float]:
    low, dash, high = text.partition("-")
    return float(low), float(high if dash else low)


def _limit(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("service.what=value, such as voicecheap.status=3/2s")
    return name, value


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m daemon.sandbox", description="Simulated translation services.")
    parser.add_argument("folder", type=Path, help="for uploads, results and the ledger")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="results have the next one; 0: any two")
    parser.add_argument("--pace", type=_pace, default=DEFAULT_PACE, help="seconds a translation takes, such as 2-6")
    parser.add_argument("--limits", type=_limit, action="append", default=[], help="such as voicecheap.status=3/2s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until-stdin-ends", action="store_true", help="end when standard input does")
    return parser.parse_args()


def _follow_stdin() -> None:
    # The other end is held by our parent alone: when it dies, however it dies, reading ends.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _announce(addresses: Addresses) -> None:
    print(json.dumps(asdict(addresses)), flush=True)  # noqa: T201  this line is the process's interface


def main() -> None:
    arguments = _arguments()
    if arguments.until_stdin_ends:
        threading.Thread(target=_follow_stdin, daemon=True, name="stdin").start()
    try:
        serve(
            arguments.host,
            arguments.port,
            arguments.folder,
            arguments.pace,
            _announce,
            limits=dict(arguments.limits),
            seed=arguments.seed,
        )
    except (OSError, ValueError) as error:
        raise SystemExit(f"{error}") from None


if __name__ == "__main__":
    main()
