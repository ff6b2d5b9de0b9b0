"""Templates compiled once and kept beside them, as Python keeps its modules: to compile all of them
takes each web process a second and a half, some of it while somebody waits for the first page.
"""

import sys
from contextlib import suppress
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache
from jinja2.bccache import Bucket
from jinja2.compiler import CodeGenerator, Frame
from jinja2.nodes import Expr, Impossible, TemplateData


def keep(jinja: Environment, templates: Path) -> None:
    """Let `jinja` keep what it compiles. Where it may not write, each process compiles anew."""
    jinja.optimized = False
    jinja.code_generator_class = _AsWritten
    if not sys.dont_write_bytecode:
        jinja.bytecode_cache = _Beside(str(templates / "__pycache__"))


class _AsWritten(CodeGenerator):
    """Works nothing out by calling our filters: what is kept depends on the template alone."""

    def _output_child_to_const(self, node: Expr, frame: Frame, finalize: object) -> str:
        if not isinstance(node, TemplateData):
            raise Impossible
        return str(super()._output_child_to_const(node, frame, finalize))  # type: ignore[arg-type]


class _Beside(FileSystemBytecodeCache):
    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):  # a folder of root's, or a full disk
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)
