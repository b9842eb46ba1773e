"""The house keeps its shape: imports point down, modules have one name, functions stay small.

Every rule is a function from a repository root to complaints, `file:line: what is wrong`, so that
it can be tried on a small wrong tree as well as on ours. The picture: docs/explanation/.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Top to bottom. A module belongs to the longest name that fits it; it may import its own package
# and whatever stands in a lower line, never its own line or a higher one.
LEVELS = (
    ("cli",),
    ("standins",),
    ("service",),
    ("web", "doctor"),
    ("app",),
    ("poller", "kit"),
    ("worker", "intake"),
    ("impact", "preparer", "carrier", "batch", "proposals"),
    (
        "outcome",
        "senders",
        "hand",
        "repair",
        "upkeep",
        "watchdog",
        "rehearsal",
        "retention",
        "evidence",
        "offices",
        "scribe",
        "alerts",
    ),
    ("answers",),
    ("pipeline", "samples"),
    (
        "routes",
        "retry",
        "trace",
        "access",
        "statistics",
        "layout",
        "causes",
        "pulse",
        "pressure",
        "deadlines",
    ),
    ("catalog",),
    ("config", "records"),
    ("journal",),
    ("channels", "stores"),
    (
        "channels.channel",
        "stores.contract",
        "stores.custody",
        "stores.doorbell",
        "stores.mending",
        "stores.tree",
        "stores.lookout",
    ),
    ("settings", "xoev"),
    ("adapter", "difference"),
    ("saxon",),
    ("stylesheet", "formats"),
    ("step",),
    ("codes",),
    ("document", "head", "sealed", "listening", "maintenance"),
    ("message", "values", "certificates", "outage", "roles", "variables", "telemetry", "amqp"),
    ("logs", "errors", "fields", "bell", "notify", "metrics", "xslt3", "renewal"),
)
CONTRACTS = {"channels.channel", "stores.contract", "stores.custody", "stores.doorbell"}
CONTRACTS |= {"stores.mending", "stores.lookout", "stores.tree"}
MAY_NAME_CONCRETE = ("app", "cli.demo", "standins")
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "base", "misc"}
HEAVY = {"httpx", "pika", "requests", "xmlschema", "zeep"}
# What a pure function may need: no clock of its own, no file, network, process, chance or log.
PURE = {"__future__", "base64", "binascii", "collections", "csv", "dataclasses", "datetime"}
PURE |= {"decimal", "enum", "functools", "io", "itertools", "json", "math", "operator", "re"}
PURE |= {"string", "struct", "textwrap", "typing", "unicodedata", "zipfile", "zlib"}
BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.Match)
BRANCHES = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.IfExp, ast.ExceptHandler, ast.match_case)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Import:
    """One import of one of our modules: who, whom, in which line."""

    importer: str
    imported: str
    place: str


def sources(root: Path, folder: str = "broker") -> list[Path]:
    return sorted((root / folder).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def module(root: Path, path: Path) -> str:
    """Return the name below `broker`: `channels.soap`; empty for `broker/__init__.py`."""
    parts = path.relative_to(root / "broker").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def statements(path: Path, *, anywhere: bool = True) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the import statements of a file, those inside functions too unless told otherwise."""
    for node in ast.walk(tree(path)) if anywhere else tree(path).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def targets(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, bool]]:
    """Yield what an import statement names, absolute, and whether it may be an attribute only."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, False) for alias in node.names)
    else:
        start = node.module or ""
        if node.level:
            kept = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join([*kept, start]).rstrip(".")
        yield from ((f"{start}.{alias.name}", True) for alias in node.names)


@cache
def imports(root: Path) -> tuple[Import, ...]:
    """Return every import of our own modules, also those inside functions."""
    ours = {module(root, path): path for path in sources(root)}
    found = []
    for name, path in ours.items():
        package = ".".join(["broker", *path.relative_to(root / "broker").parent.parts])
        for node in statements(path):
            for target, attribute in targets(node, package):
                if target.split(".")[0] != "broker":
                    continue
                wanted = target.removeprefix("broker").lstrip(".")
                if attribute and wanted not in ours:
                    wanted = wanted.rpartition(".")[0]
                found.append(Import(name, wanted, f"{path.relative_to(root)}:{node.lineno}"))
    return tuple(dict.fromkeys(found))


def level(name: str) -> int | None:
    """Return the line of LEVELS a module stands in, 0 at the top."""
    fitting = [
        (len(entry), index)
        for index, line in enumerate(LEVELS)
        for entry in line
        if name == entry or name.startswith(f"{entry}.")
    ]
    return max(fitting)[1] if fitting else None


def package(name: str) -> str:
    return name.partition(".")[0]


def points_up(root: Path) -> list[str]:
    """A module imports only its own package and lower levels."""
    complaints = []
    for found in imports(root):
        if not found.importer or package(found.importer) == package(found.imported):
            continue
        if not found.imported:
            complaints.append(f"{found.place}: names of `broker` are for adapters; name the module")
            continue
        above, below = level(found.importer), level(found.imported)
        if above is not None and below is not None and above >= below:
            complaints.append(
                f"{found.place}: {found.importer} may not import {found.imported}, "
                "imports point down (see LEVELS)"
            )
    return complaints


def levelless(root: Path) -> list[str]:
    """Every module stands in LEVELS."""
    return [
        f"{path.relative_to(root)}:1: stands in no line of LEVELS; decide where it belongs"
        for path in sources(root)
        if module(root, path) and level(module(root, path)) is None
    ]


def concrete(root: Path) -> list[str]:
    """Only app.py names concrete channels and stores."""
    return [
        f"{found.place}: {found.importer} names {found.imported}; only app.py may name it"
        for found in imports(root)
        if package(found.imported) in {"channels", "stores"}
        and found.imported not in CONTRACTS
        and package(found.importer) != package(found.imported)
        and not found.importer.startswith(MAY_NAME_CONCRETE)
    ]


def cycles(root: Path) -> list[str]:
    """No module imports itself by way of others."""
    graph: dict[str, set[str]] = {}
    for found in imports(root):
        graph.setdefault(found.importer, set()).add(found.imported)

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            following = graph.get(waiting.pop(), set()) - seen
            seen |= following
            waiting += following
        return seen

    return [f"broker: {name} imports itself in a circle" for name in graph if name in reached(name)]


def heavy(root: Path) -> list[str]:
    """Heavy libraries are loaded at first use."""
    return [
        f"{path.relative_to(root)}:{node.lineno}: import {target} inside the function that needs it"
        for path in sources(root)
        for node in statements(path, anywhere=False)
        for target, _ in targets(node, "broker")
        if target.split(".")[0] in HEAVY
    ]


def impure(root: Path) -> list[str]:
    """Adapters import the names of `broker` and pure parts of the standard library."""
    return [
        f"{path.relative_to(root)}:{node.lineno}: an adapter may not import {target}"
        for path in sources(root, "adapters")
        for node in statements(path)
        for target, attribute in targets(node, "adapters")
        if target.split(".")[0] not in PURE
        and not (attribute and target.rpartition(".")[0] == "broker")
    ]


def misnamed(root: Path) -> list[str]:
    """No module is called utils, helpers, common, manager or base."""
    return [
        f"{path.relative_to(root)}:1: name it after what it does"
        for path in [*sources(root), *sources(root, "adapters")]
        if FORBIDDEN_NAMES & {path.stem, path.parent.name}
    ]


def wordy(root: Path) -> list[str]:
    """Four of five modules have a name of one word."""
    named = [path for path in sources(root) if path.stem != "__init__"]
    wordy = [str(path.relative_to(root)) for path in named if "_" in path.stem]
    return wordy if len(wordy) > len(named) / 5 else []


def long_files(root: Path) -> list[str]:
    """No file is longer than 500 lines."""
    counted = [(path, path.read_text("utf-8").count("\n")) for path in sources(root)]
    return [
        f"{path.relative_to(root)}:500: {n} lines, at most 500" for path, n in counted if n > 500
    ]


def tangled(root: Path) -> list[str]:
    """No function is longer than 50 lines, deeper than 3 blocks or more complex than 10."""
    complaints = []
    for path in sources(root):
        for node in ast.walk(tree(path)):
            if isinstance(node, Function):
                place = f"{path.relative_to(root)}:{node.lineno}: {node.name}"
                measured = (length(node), depth(node), complexity(node))
                words = ("lines", "blocks deep", "ways through")
                complaints += [
                    f"{place} has {value} {word}, at most {limit}"
                    for value, word, limit in zip(measured, words, (50, 3, 10), strict=True)
                    if value > limit
                ]
    return complaints


def length(node: Function) -> int:
    """Count the lines without the docstring."""
    text = ast.get_docstring(node, clean=False)
    return (
        (node.end_lineno or node.lineno) - node.lineno + 1 - (text.count("\n") + 1 if text else 0)
    )


def depth(node: ast.AST) -> int:
    """Count nested blocks; an `elif` is no deeper than its `if`."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        inner = depth(child) + (isinstance(child, BLOCKS) and not chained(node, child))
        deepest = max(deepest, inner)
    return deepest


def chained(node: ast.AST, child: ast.AST) -> bool:
    return isinstance(node, ast.If) and node.orelse == [child] and isinstance(child, ast.If)


def complexity(node: Function) -> int:
    """Count the ways through, as McCabe did."""
    inside = list(ast.walk(node))
    more = sum(len(part.values) - 1 for part in inside if isinstance(part, ast.BoolOp))
    filters = sum(len(part.ifs) for part in inside if isinstance(part, ast.comprehension))
    return 1 + sum(isinstance(part, BRANCHES) for part in inside) + more + filters


RULES = (
    points_up,
    levelless,
    concrete,
    cycles,
    heavy,
    impure,
    misnamed,
    wordy,
    long_files,
    tangled,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: Callable[[Path], list[str]]) -> None:
    complaints = rule(ROOT)

    assert not complaints, f"{rule.__doc__}\n" + "\n".join(complaints)


def test_the_page_on_architecture_shows_the_same_levels() -> None:
    page = (ROOT / "docs/explanation/architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| \d+ \| ([^|]+) \|", page, re.MULTILINE)

    assert [tuple(re.findall(r"`([^`]+)`", row)) for row in rows] == list(LEVELS)


def test_importing_broker_loads_no_library() -> None:
    code = "import sys, broker; print(*{'lxml', 'structlog', 'yaml'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == ""


TANGLE = "def f(a):\n" + "".join(f"{' ' * 4 * n}if a:\n" for n in range(1, 5)) + " " * 20 + "pass\n"
WRONG = (
    (points_up, "broker/message.py", "from broker.xoev import head\n", "imports point down"),
    (points_up, "broker/worker.py", "def f():\n    import broker.intake\n", "imports point down"),
    (points_up, "broker/xoev/head.py", "from ..cli import run\n", "imports point down"),
    (points_up, "broker/routes.py", "from broker import Adapter\n", "are for adapters"),
    (levelless, "broker/thing.py", "", "in no line of LEVELS"),
    (concrete, "broker/worker.py", "from broker.channels.soap import Soap\n", "only app.py"),
    (concrete, "broker/cli/run.py", "from broker.stores import sqlite\n", "only app.py"),
    (cycles, "broker/xoev/head.py", "from . import tail\n", "in a circle"),
    (heavy, "broker/channels/soap.py", "import zeep\n", "inside the function"),
    (impure, "adapters/x/bau/adapter.py", "from broker.message import Facts\n", "may not import"),
    (impure, "adapters/x/bau/adapter.py", "import socket\n", "may not import"),
    (misnamed, "broker/utils.py", "", "what it does"),
    (long_files, "broker/app.py", "\n" * 501, "at most 500"),
    (tangled, "broker/app.py", "def f():\n" + "    pass\n" * 50, "has 51 lines"),
    (tangled, "broker/app.py", TANGLE, "4 blocks deep"),
    (tangled, "broker/app.py", f"def f(a):\n    return {' or '.join('a' * 11)}\n", "11 ways"),
)


@pytest.mark.parametrize(("rule", "path", "text", "complaint"), WRONG)
def test_a_breach_is_named_with_its_place(
    tmp_path: Path, rule: Callable[[Path], list[str]], path: str, text: str, complaint: str
) -> None:
    around = {"broker/intake.py", "broker/cli/run.py", "broker/stores/sqlite.py"}
    files = {**dict.fromkeys(around, ""), "broker/xoev/tail.py": "from . import head\n"}
    for name, content in {**files, "broker/xoev/head.py": "", path: text}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, "utf-8")

    assert any(complaint in found and found.count(":") for found in rule(tmp_path)), rule(tmp_path)


def test_an_allowed_tree_has_no_complaints(tmp_path: Path) -> None:
    (tmp_path / "broker/channels").mkdir(parents=True)
    (tmp_path / "adapters/x").mkdir(parents=True)
    (tmp_path / "broker/channels/channel.py").write_text("from broker.errors import Busy\n")
    (tmp_path / "broker/app.py").write_text("from broker.channels.channel import Channel\n")
    (tmp_path / "broker/errors.py").write_text("")
    (tmp_path / "adapters/x/adapter.py").write_text("import csv\nfrom broker import Adapter\n")

    assert [complaint for rule in RULES for complaint in rule(tmp_path)] == []
