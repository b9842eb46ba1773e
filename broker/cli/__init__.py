"""The command `xoev-broker`: one module for each group of commands."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 findings or not possible, 2 wrong usage.

    The one place where errors of the broker become text: nobody sees a traceback for a mistake.
    """
    from broker.cli.commands import build
    from broker.cli.terminal import complain
    from broker.errors import BrokerError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        build()(args=argv, prog_name="xoev-broker")
    except BrokerError as error:
        complain(f"error: {error}")
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
