"""Where our files are that are no Python: templates, static files, migrations.

In a wheel they are within the package (`hatch_build.py`), in a checkout beside it.
"""

from pathlib import Path

_PACKAGE = Path(__file__).parent

IS_CHECKOUT = not (_PACKAGE / "templates").is_dir()
"""Whether this runs from the project's own folder, whatever folder one is in."""

ROOT = _PACKAGE.parent if IS_CHECKOUT else _PACKAGE


def state_dir() -> Path:
    """Where the state is kept unless one says so: `var` in a checkout, else the user's own data."""
    if IS_CHECKOUT:
        return Path("var")
    from platformdirs import user_data_path

    return user_data_path("chairtime")


def hidden_by() -> Path | None:
    """A package in this folder that our programs would import in our place; None if there is none.

    Granian and Huey look for what they run in the folder where they are started.
    """
    for other in (Path("app"), Path("app.py")):
        is_package = other.is_file() or (other / "__init__.py").is_file()
        if is_package and not other.samefile(_PACKAGE):
            return other.absolute()
    return None
