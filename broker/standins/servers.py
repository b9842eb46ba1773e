"""PostgreSQL and RabbitMQ for a developer: `python -m broker.standins.servers [--nodes 3]`."""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import ExitStack
from threading import Event

from broker.errors import BrokerError
from broker.standins.postgres import Postgres
from broker.standins.rabbitmq import RabbitCluster


def main(arguments: list[str] | None = None) -> int:
    """Run both until SIGTERM or SIGINT; prints their addresses once they take clients."""
    given = _parser().parse_args(arguments)
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        with ExitStack() as stack:
            _start(given, stack)
            ended.wait()
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _start(given: argparse.Namespace, stack: ExitStack) -> None:
    postgres = Postgres(port=given.postgres_port)
    stack.callback(postgres.close)
    cluster = RabbitCluster(given.nodes, ports=tuple(given.rabbitmq_port))
    stack.callback(cluster.close)
    postgres.start()
    print(f"postgres {postgres.database('xoev')}", flush=True)
    cluster.start()
    for url in cluster.urls:
        print(f"rabbitmq {url}", flush=True)
    print("Ctrl-C ends them and removes their files", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m broker.standins.servers", description=__doc__)
    add = parser.add_argument
    add("--nodes", type=int, default=1, help="how many nodes of RabbitMQ")
    add("--postgres-port", type=int, default=0, help="0 for any")
    add("--rabbitmq-port", type=int, default=[], nargs="*", help="one for each node; any if left")
    return parser


if __name__ == "__main__":
    sys.exit(main())
