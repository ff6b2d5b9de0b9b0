"""The wheel of this project, and an environment in which nothing else of it is.

chairtime = installed(built(folder), folder / "venv")
"""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tests.support.processes import ROOT, program

_BUILD = "from hatchling.build import build_wheel; print(build_wheel({folder!r}))"


def built(folder: Path, project: Path = ROOT) -> Path:
    """The wheel of a project's folder, made into this one."""
    code = _BUILD.format(folder=str(folder))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, check=True, capture_output=True, text=True
    )
    return folder / done.stdout.split()[-1]


def installed(wheel: Path, folder: Path) -> str:
    """The path of its `chairtime`, once it is in a new environment, with no index at hand.

    What it needs is that of this Python: only folders of packages are lent, so that no checkout is.
    """
    venv.create(folder, symlinks=True)
    install = "-m pip install --disable-pip-version-check --no-index --no-deps -q"
    python = ["--python", str(folder / "bin" / "python")]
    subprocess.run(
        [pip_python(), *install.split()[:2], *python, *install.split()[2:], str(wheel)], check=True
    )
    for name in ("granian", "huey_consumer"):  # which else come with their packages
        _, _, code = Path(program(name)).read_text().partition("\n")
        script = folder / "bin" / name
        script.write_text(f"#!{folder / 'bin' / 'python'}\n{code}")
        script.chmod(0o755)
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    paths = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    (Path(paths) / "lent.pth").write_text("\n".join(libraries))
    return str(folder / "bin" / "chairtime")


def pip_python() -> str:
    """A Python that has pip: an environment of ours has none, and needs none."""
    return str(Path(sys.base_prefix) / "bin" / "python3")
