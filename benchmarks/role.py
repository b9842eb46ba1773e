"""One process of a cluster: the real service in one role, told by its standard input what to do.

`python -m benchmarks.role intake|worker` with the settings in its environment. A worker starts to
work with the first line; an intake accepts as many new messages as each line says, `COUNT PLANS`,
and prints what that took as a line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from threading import Thread
from typing import ClassVar

from benchmarks import site
from benchmarks.failure import PATIENCE, Failed
from benchmarks.nowhere import Nowhere
from broker import logs
from broker.app import KINDS, Kinds
from broker.channels.channel import Mark, Prepared, Sent
from broker.intake import Intake
from broker.roles import Role
from broker.service import Service
from broker.settings import Settings

#: So many messages are made, and then handed in, at a time.
PIECE = 2_000


class Void(Nowhere):
    """Takes everything and remembers nothing, so that only the product's own memory is seen."""

    kind: ClassVar[str] = "nowhere"

    def send(self, prepared: Prepared, mark: Mark) -> Sent:
        return Sent("nowhere")


def accept(intake: Intake, count: int, plans: int) -> dict[str, float]:
    """Accept so many new messages durably; return seconds of the clock and of the processor."""
    seconds = spent = 0.0
    for at in range(0, count, PIECE):
        messages = site.messages(min(PIECE, count - at), plans)
        start, processor = time.perf_counter(), time.process_time()
        futures = [intake.begin(raw, site.PARTY)[1] for raw in messages]
        verdicts = {future.result(PATIENCE).verdict for future in futures}
        if verdicts != {"new"}:
            raise Failed(f"the store took messages as {verdicts}")
        seconds += time.perf_counter() - start
        spent += time.process_time() - processor
    return {"seconds": seconds, "processor": spent}


def main(name: str) -> None:
    """Run in this role until SIGTERM."""
    logs.configure()
    kinds: Kinds = {**KINDS, "nowhere": Void}
    service = Service(Settings.load(os.environ), os.environ, kinds, Role(name))
    service.signals()
    print(json.dumps({"pid": os.getpid()}), flush=True)
    if Role(name).works:
        sys.stdin.readline()
    else:
        Thread(target=_obey, args=(service.intake,), daemon=True).start()
    service.run()


def _obey(intake: Intake) -> None:
    for line in sys.stdin:
        print(json.dumps(accept(intake, *map(int, line.split()))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
