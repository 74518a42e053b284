"""Write the page of architectures: ``python -m tests.zoo.write_table > docs/networks.md``."""

from initsk.utils.markdown import escaped, markdown_table
from tests.zoo.table import Architecture, all_rows, built, outcomes_of, read

NAMES = ["family", "architecture", "package"]
READ = ["parameters", "filled", "kept", "left", "depth", "branches", "activation functions"]
INTRODUCTION = """\
# The networks

What `initsk.network.read` and `initialize` make of these networks. Networks of the package `torch` are written in
`tests/zoo/`; the others are built by the named library, most of them in small sizes, with random weights. The columns:

- parameters: the number of values in the network's parameters;
- filled, kept, left: the shares of these values after `initialize(module, "he_normal", X)`. Kept are normalizations
  and values that the author has set on purpose; left are frozen parameters and those whose use is not known;
- depth: the number of layers on the shortest path from an input to the output;
- branches: the number of residual branches;
- activation functions: those that follow layers.

The tests compare depth, branches, activation functions and kept values with the networks' definitions. The command
`python -m tests.zoo.write_table > docs/networks.md` writes this page. It needs `pip install -e '.[zoo]'`.
"""


def sorted_rows() -> list[Architecture]:
    """Return the rows in the order of the page."""
    return sorted(all_rows(), key=lambda row: (row.family.lower(), row.package, row.name.lower()))


def label(row: Architecture) -> list[str]:
    """Return the cells that need no library."""
    return [escaped(row.family), escaped(row.name), escaped(row.package)]


def page() -> str:
    """Return the page; every library must be installed."""
    cells = [label(row) + reading(row) for row in sorted_rows()]
    right = [title in READ[:-1] for title in NAMES + READ]
    return f"{INTRODUCTION}\n{markdown_table(NAMES + READ, cells, right)}\n"


def reading(row: Architecture) -> list[str]:
    """Return the cells that tell how a row's network is read."""
    module = built(row)
    graph = read(row, module)
    sizes = {name: parameter.numel() for name, parameter in module.named_parameters()}
    total = sum(sizes.values())
    outcomes = outcomes_of(row, module)
    shares = [
        sum(size for name, size in sizes.items() if outcomes.get(name) == outcome) / total
        for outcome in ("filled", "kept", "left")
    ]
    functions = escaped(", ".join(sorted(graph.activations)))
    return [f"{total:,}", *(f"{share:.1%}" for share in shares), str(graph.depth), str(graph.n_branches), functions]


if __name__ == "__main__":
    print(page(), end="")
