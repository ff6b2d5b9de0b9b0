"""Templates that were compiled once: kept beside them, and only as they are written."""

from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

from app.dashboard import compiled


def environment(folder: Path, word: str) -> Environment:
    jinja = Environment(loader=FileSystemLoader(folder), autoescape=True)
    jinja.filters["shown"] = lambda text: f"{word}:{text}"
    compiled.keep(jinja, folder)
    return jinja


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    (tmp_path / "page.html").write_text("<b>{{ 'a<b' | shown }}</b>")
    return tmp_path


def test_what_is_kept_has_nothing_of_the_program_in_it(folder: Path) -> None:
    assert environment(folder, "old").get_template("page.html").render() == "<b>old:a&lt;b</b>"
    assert len(list((folder / "__pycache__").iterdir())) == 1
    assert environment(folder, "new").get_template("page.html").render() == "<b>new:a&lt;b</b>"


def test_another_text_is_compiled_anew(folder: Path) -> None:
    environment(folder, "x").get_template("page.html")
    (folder / "page.html").write_text("other")
    assert environment(folder, "x").get_template("page.html").render() == "other"


def test_where_nothing_may_be_written_each_is_compiled_anew(folder: Path) -> None:
    jinja = environment(folder, "x")
    compiled.keep(jinja, Path("/proc"))
    assert jinja.get_template("page.html").render() == "<b>x:a&lt;b</b>"
