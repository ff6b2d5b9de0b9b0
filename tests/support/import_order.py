"""The contract "imports go down": import-linter's own layers cannot name `app.*.models`."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class ImportOrder(Contract):
    """Every module is in one layer and imports only from it and those below.

    `layers` goes from the top down, each a line of patterns. A pattern covers a module and what is
    inside it; `*` stands for one name. The most exact pattern decides, so every module has a place
    as soon as there is an `app.*`.
    """

    type_name = "import_order"

    layers = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        layers = [line.split() for line in self.layers]  # type: ignore[attr-defined]
        depth = {module: _layer_of(module, layers) for module in graph.modules}
        wrong = sorted(
            f"{importer} (layer {depth[importer] + 1}) imports {imported} ({depth[imported] + 1})"
            for importer in graph.modules
            for imported in graph.find_modules_directly_imported_by(importer)
            if depth[importer] > depth[imported]
        )
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["wrong"]:
            output.print_error(line)


def _layer_of(module: str, layers: list[list[str]]) -> int:
    """The place of the layer that a module is in, 0 at the top. Raises ValueError."""
    found = [
        (_exactness(pattern), place)
        for place, patterns in enumerate(layers)
        for pattern in patterns
        if _covers(pattern.split("."), module.split("."))
    ]
    if not found:
        raise ValueError(f"no layer in pyproject.toml covers {module}")
    return max(found)[1]


def _covers(pattern: list[str], module: list[str]) -> bool:
    shared = zip(pattern, module, strict=False)
    return len(pattern) <= len(module) and all(want in ("*", name) for want, name in shared)


def _exactness(pattern: str) -> tuple[int, int]:
    return len(pattern.split(".")), -pattern.count("*")
