"""A site with one answered application, and the bundle about it as the command writes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from broker.cli.desk import opened
from broker.cli.evidence import evidence
from broker.intake import Intake
from broker.journal.checkpoint import Signer
from broker.message import Direction
from broker.stores.contract import Filter
from tests import messages, site
from tests.evidence.stock import Stock


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """Return what was built once for all tests; nobody changes it."""
    with pytest.MonkeyPatch.context() as patch:
        return made(tmp_path_factory.mktemp("evidence"), patch)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stock:
    """Return one of its own, which a test may change."""
    return made(tmp_path, monkeypatch)


def made(folder: Path, patch: pytest.MonkeyPatch) -> Stock:
    """Send an application, answer it, and write the bundle."""
    built = site.build(folder)
    for name, value in (built.environ | {"USER": "revision", "LANG": "C.UTF-8"}).items():
        patch.setenv(name, value)
    app = built.app()
    request = messages.request("wolfsburg")
    id = Intake(app).accept(request, "bauportal", "test").id
    app.close()
    built.work()
    built.answer("wolfsburg", messages.reply(built.out("wolfsburg")[0].stem))
    built.work()
    with opened() as desk:
        found = desk.store.rows(Filter(direction=Direction.ANSWER))
        signer = Signer.open(desk.settings.journal_key, desk.settings.origin)
    target = folder / "bundle.zip"
    evidence(target, "a test asks", id, actor="Erika Beispiel")
    assert os.stat(target).st_mode & 0o077 == 0
    return Stock(built, id, found[0].id, request, target.read_bytes(), signer)
