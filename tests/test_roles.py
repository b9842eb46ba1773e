"""Which processes may work on one store of one machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.roles import Role, lay, lock, owner, unlock


def test_an_intake_and_a_worker_work_side_by_side(tmp_path: Path) -> None:
    held = lock(tmp_path, Role.INTAKE) + lock(tmp_path, Role.WORKER)

    unlock(held)


@pytest.mark.parametrize("first", Role)
@pytest.mark.parametrize("second", Role)
def test_what_one_process_does_no_other_does(tmp_path: Path, first: Role, second: Role) -> None:
    held = lock(tmp_path, first)
    if {first, second} == {Role.INTAKE, Role.WORKER}:
        unlock(lock(tmp_path, second))
    else:
        with pytest.raises(ConfigError, match=f"another run .process {os.getpid()}. works on"):
            lock(tmp_path, second)
        # what it had got before it was refused is free again
        unlock(held)
        held = lock(tmp_path, second)
    unlock(held)


def test_the_state_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    lay(tmp_path / "far/state")

    assert (tmp_path / "far/state").stat().st_mode & 0o777 == 0o700


def test_a_state_folder_that_cannot_be_made_is_wrong_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=r"cannot be made .*check XOEV_BROKER_STATE"):
        lay(tmp_path / "file/state")


def test_the_name_of_a_process_on_a_shared_store_is_its_own() -> None:
    names = {owner(Role.ALL, True) for _ in range(3)}

    assert len(names) == 3
    assert all(f":{os.getpid()}:" in name for name in names)


def test_the_name_of_a_process_on_a_file_is_that_of_its_part() -> None:
    assert [owner(role, False) for role in Role] == ["intake", "worker", "worker"]
