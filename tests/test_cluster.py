"""Several processes on one store: nothing is lost, nothing is doubled, cases keep their order."""

from __future__ import annotations

import json
import signal
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from broker.standins.postgres import Postgres
from broker.standins.rabbitmq import RabbitMq
from tests.cluster import TOKEN, Node, Service, Town, until


def test_intake_and_worker_share_one_sqlite_file(tmp_path: Path) -> None:
    with Town(tmp_path) as town:
        intake, worker = town.node("intake"), town.node("worker")
        with Service([intake], 20) as service:
            service.reached(20)
        rows = town.settle(20)

        assert town.wrong(rows, service.receipts) == []
        assert worker.port == 0
        assert (intake.stop(), worker.stop()) == (0, 0), worker.lines


def test_a_second_worker_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    with Town(tmp_path) as town:
        first = town.node("worker")
        assert first.process is not None
        second = Node(tmp_path, town.environ, "worker").start(wait=False)

        assert second.stop(0) == 1
        assert f"another run (process {first.process.pid})" in "".join(second.lines)


def test_a_renewal_refuses_no_connection_and_loses_nothing(tmp_path: Path) -> None:
    with Town(tmp_path) as town:
        node = town.node()
        assert node.process is not None
        pid, port = node.process.pid, node.port
        with Service([node], 150) as service:
            for reached in (30, 80):
                service.reached(reached)
                node.send(signal.SIGUSR2)
                node.again()
            service.reached(150)
        rows = town.settle(150)

        assert town.wrong(rows, service.receipts) == []
        assert (service.refused, service.turned) == (0, 0)
        assert (node.process.pid, node.port) == (pid, port)
        assert node.process.poll() is None
        assert node.events("renewed") == 2
        assert node.stop() == 0


def test_a_kill_during_a_renewal_loses_nothing(tmp_path: Path) -> None:
    with Town(tmp_path) as town:
        node = town.node()
        with Service([node], 60) as service:
            service.reached(20)
            node.send(signal.SIGUSR2)
            until(lambda: node.events("drained") > 0)
            node.stop(signal.SIGKILL)
            node.start()
            service.reached(60)
        rows = town.settle(60)

        assert town.wrong(rows, service.receipts) == []


@pytest.mark.slow
def test_a_renewal_with_a_broken_table_does_not_stop_what_runs(tmp_path: Path) -> None:
    with Town(tmp_path) as town:
        node = town.node()
        good = (tmp_path / "routes.yaml").read_text("utf-8")
        (tmp_path / "routes.yaml").write_text(good.replace("wolfsburg/bau", "wolfsburg/bauu"))
        node.send(signal.SIGUSR2)
        until(lambda: node.events("kept") > 0)

        with Service([node], 5) as service:
            service.reached(5)
        assert town.wrong(town.settle(5), service.receipts) == []
        (tmp_path / "routes.yaml").write_text(good)
        node.again()
        assert node.events("renewed") == 1


def test_two_processes_restarted_in_turn_lose_and_double_nothing(
    tmp_path: Path, database: str
) -> None:
    with Town(tmp_path, database) as town:
        nodes = [town.node(), town.node()]
        with Service(nodes, 240) as service:
            for number, node in enumerate([*nodes, *nodes]):
                service.reached(40 * (number + 1))
                assert node.stop() == 0
                node.start()
            service.reached(240)
        rows = town.settle(240)

        assert town.wrong(rows, service.receipts) == []


def test_what_a_killed_worker_had_in_hand_is_taken_over(tmp_path: Path, database: str) -> None:
    with Town(tmp_path, database) as town:
        first = town.node()
        town.procedure.gate.clear()
        with Service([first], 10, cases=10) as service:
            service.reached(10)
            assert town.procedure.begun.wait(60)
            second = town.node("worker")
            first.stop(signal.SIGKILL)
        town.procedure.gate.set()
        rows = town.settle(10)

        assert town.wrong(rows, service.receipts) == []
        assert second.events("recovered") > 0


@pytest.mark.slow
def test_a_long_delivery_keeps_its_lease(tmp_path: Path, database: str) -> None:
    with Town(tmp_path, database) as town:
        first, second = town.node(), town.node("worker")
        town.procedure.gate.clear()
        with Service([first, first], 1) as service:
            service.reached(1)
        assert town.procedure.begun.wait(60)
        begun = lease(database)
        # Renewed for more than a term: without that, the other one had taken it over by now.
        until(lambda: lease(database) > begun + 6_000_000, "renewed leases")
        town.procedure.gate.set()

        assert town.wrong(town.settle(1), service.receipts) == []
        assert first.events("recovered") + second.events("recovered") == 0


def lease(database: str) -> int:
    """Return the end of the one lease, in microseconds by the clock of the database."""
    with closing(create_engine(database, poolclass=NullPool).connect()) as connection:
        found = connection.execute(text("SELECT lease FROM deliveries WHERE state = 'working'"))
        return int(found.scalar_one())


@pytest.mark.parametrize("mode", [pytest.param("fast", marks=pytest.mark.slow), "kill"])
def test_a_database_that_restarts_costs_no_message(
    tmp_path: Path, postgres: Postgres, database: str, mode: str
) -> None:
    with Town(tmp_path, database) as town:
        nodes = [town.node(), town.node()]
        with Service(nodes, 150) as service:
            for reached in (30, 80):
                service.reached(reached)
                postgres.kill() if mode == "kill" else postgres.stop()
                postgres.start()
            service.reached(150)
        rows = town.settle(150)

        assert town.wrong(rows, service.receipts) == []
        assert service.refused == 0
        assert [node.process.poll() for node in nodes if node.process] == [None, None]
        assert [node.stop() for node in nodes] == [0, 0]


@pytest.mark.slow
def test_a_database_that_is_away_for_long_is_waited_for(
    tmp_path: Path, postgres: Postgres, database: str
) -> None:
    with Town(tmp_path, database) as town:
        node = town.node()
        town.procedure.gate.clear()
        with Service([node], 3, cases=3) as service:
            service.reached(3)
            assert town.procedure.begun.wait(60)
            postgres.stop()
            until(lambda: node.events("away") > 0)
            town.procedure.gate.set()
            until(lambda: len(town.procedure.filed) > 0)
            postgres.start()
        rows = town.settle(3)

        assert town.wrong(rows, service.receipts) == []
        assert node.events("away") == node.events("back") == 1


def test_a_start_waits_for_the_database(tmp_path: Path, postgres: Postgres, database: str) -> None:
    with Town(tmp_path, database) as town:
        postgres.stop()
        node = Node(tmp_path, town.environ, "all").start(wait=False)
        town.nodes.append(node)
        until(lambda: node.events("away") > 0)
        postgres.start()
        node.again()

        with Service([node], 3) as service:
            service.reached(3)
        assert town.wrong(town.settle(3), service.receipts) == []


def test_intake_and_workers_with_a_doorbell_share_the_work(
    tmp_path: Path, database: str, rabbitmq: RabbitMq, vhost: str
) -> None:
    with Town(tmp_path, database, XOEV_BROKER_QUEUE=rabbitmq.address(vhost)) as town:
        intake, workers = town.node("intake"), [town.node("worker"), town.node("worker")]
        with Service([intake], 100) as service:
            service.reached(100)
        rows = town.settle(100)

        assert town.wrong(rows, service.receipts) == []
        said = town.run("status", "--json")
        assert [name.split(":")[0] for name in json.loads(said)["processes"]] == [
            "intake", "worker", "worker",
        ]  # fmt: skip
        assert "broker      running: intake:" in town.run("status")
        assert intake.events("delivered") == 0
        assert sum(worker.events("delivered") for worker in workers) == 100
        assert [node.stop() for node in town.nodes] == [0, 0, 0]


def test_a_doorbell_that_dies_delays_and_loses_nothing(
    tmp_path: Path, database: str, rabbitmq: RabbitMq, vhost: str
) -> None:
    with Town(tmp_path, database, XOEV_BROKER_QUEUE=rabbitmq.address(vhost)) as town:
        intake, worker = town.node("intake"), town.node("worker")
        with Service([intake], 120) as service:
            service.reached(40)
            rabbitmq.kill()
            service.reached(80)
            # Without a doorbell the worker looks by itself.
            town.settle(80)
            rabbitmq.start()
            service.reached(120)
        rows = town.settle(120)

        assert town.wrong(rows, service.receipts) == []
        assert worker.events("disconnected") > 0


@pytest.mark.slow
def test_a_parser_at_its_end_renews_the_process_and_no_message_is_blamed(tmp_path: Path) -> None:
    with Town(tmp_path) as town:
        node = town.node()
        assert node.process is not None
        pid = node.process.pid
        flood(node)
        node.again()
        with Service([node], 10) as service:
            service.reached(10)
        rows = town.settle(10)

        assert town.wrong(rows, service.receipts) == []
        assert node.events("exhausted") == node.events("renewed") == 1
        assert node.process.pid == pid
        assert node.process.poll() is None


def flood(node: Node) -> None:
    """Send documents with ever new names until the parser takes no more."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/xml"}
    with httpx.Client(timeout=60, trust_env=False) as client:
        for number in range(200):
            names = (f"n{number:03d}{at:05d}".ljust(200, "y") for at in range(40_000))
            body = f"<r>{''.join(f'<{name}/>' for name in names)}</r>"
            url = f"http://127.0.0.1:{node.port}/v1/messages"
            if client.post(url, content=body.encode(), headers=headers).status_code == 503:
                return
    raise AssertionError("the dictionary was never full")
