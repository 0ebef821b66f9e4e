"""No module of the package imports one above it, so there is no cycle."""

import ast
import re

import pytest
from simulator import REPOSITORY

PACKAGE = REPOSITORY / "bindings" / "python"

#: From the bottom up. A module imports only from the layers below its own.
LAYERS = (
    {"errors", "provider", "storage"},
    {"_native"},
    {"_auth", "_end", "_waiting"},
    {"_httpx", "_requests"},
    {"_dispatch"},
    {"__init__"},
    {"aiohttp", "gdal", "planet", "sentinelhub"},
    {"dask"},
)
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}


def imported(source: str, modules: set[str]) -> set[str]:
    """The modules of the package that a module imports: at the top, in functions, and for types."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "planetkey":
                module = rest.partition(".")[0]
                found.add(module if module in modules else "__init__")
    return found


def imports_of_package() -> dict[str, set[str]]:
    """What each module imports. The native one imports in Rust, and its stubs import too."""
    sources = {path.stem: path for path in (PACKAGE / "python" / "planetkey").glob("*.py*")}
    imports = {
        name: imported(path.read_text(encoding="utf-8"), set(sources))
        for name, path in sources.items()
        if path.suffix in {".py", ".pyi"}
    }
    rust = "".join(path.read_text(encoding="utf-8") for path in (PACKAGE / "src").glob("*.rs"))
    exceptions = re.findall(r"import_exception!\(planetkey\.(\w+),", rust)
    by_name = re.findall(r'\bimport\((?:intern!\(\w+, )?"planetkey(?:\.(\w+))?"', rust)
    assert exceptions
    imports["_native"] |= {name or "__init__" for name in exceptions + by_name}
    return imports


def violations(imports: dict[str, set[str]]) -> list[str]:
    return sorted(
        f"{module} imports {other}"
        for module, others in imports.items()
        for other in others
        if HEIGHT[other] >= HEIGHT[module]
    )


def test_every_module_has_a_layer() -> None:
    modules = {path.stem for path in (PACKAGE / "python" / "planetkey").glob("*.py*")} - {"py"}
    assert modules == set(HEIGHT)


def test_no_module_imports_upward() -> None:
    imports = imports_of_package()
    assert violations(imports) == []
    # The reader of imports finds those that there are.
    assert {"_auth"} <= imports["_requests"]
    assert {"_httpx", "_native", "_requests", "_waiting"} <= imports["_dispatch"]
    assert imports["_native"] == {"errors", "provider", "storage"}


@pytest.mark.parametrize(
    "source",
    [
        "from planetkey import Session",
        "import planetkey",
        "import planetkey.aiohttp",
        "from planetkey import _requests",
        "from planetkey._requests import modify",
        "def f():\n    from planetkey import _dispatch",
        "if TYPE_CHECKING:\n    from planetkey import Authorization",
    ],
)
def test_an_upward_import_is_found(source: str) -> None:
    assert violations({"_auth": imported(source, set(HEIGHT))}) != []


def test_allowed_imports_are_not_reported() -> None:
    assert violations({"_auth": imported("from planetkey.errors import Error", set(HEIGHT))}) == []


def in_cycles(uses: dict[str, set[str]]) -> set[str]:
    """The files that are in a cycle, or use one that is."""
    left = dict(uses)
    while free := [name for name, others in left.items() if not others & set(left)]:
        for name in free:
            del left[name]
    return set(left)


def test_no_cycle_between_the_files_in_rust() -> None:
    files = {file.stem: file for file in (PACKAGE / "src").glob("*.rs")}
    uses = {
        name: set(re.findall(r"\bcrate::(\w+)", file.read_text(encoding="utf-8"))) & set(files)
        for name, file in files.items()
    }
    assert {"errors", "storage"} <= uses["waiting"]
    assert in_cycles(uses) == set()
    assert in_cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"a", "b", "c"}
