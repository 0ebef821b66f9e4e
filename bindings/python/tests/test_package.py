"""The package as it is installed: version, contents, documentation, logging."""

import copy
import inspect
import logging
import modulefinder
import re
import subprocess
import sys
import typing
from importlib import metadata
from pathlib import Path

import planetkey
import planetkey.errors
import planetkey.storage
import pytest
from planet_simulator import Simulator, finish
from planetkey import _native
from simulator import REPOSITORY

PACKAGE = REPOSITORY / "bindings" / "python"


def test_the_installed_wheel_is_tested() -> None:
    assert not Path(planetkey.__file__).is_relative_to(PACKAGE)


def test_one_version_everywhere() -> None:
    manifest = (REPOSITORY / "Cargo.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"$', manifest, re.MULTILINE)
    assert version is not None
    assert planetkey.__version__ == metadata.version("planetkey") == version[1]


def test_i9_10_no_free_threaded_python_is_promised() -> None:
    """A wheel for the stable ABI cannot be loaded there."""
    classifiers = metadata.metadata("planetkey").get_all("Classifier") or []
    assert not [classifier for classifier in classifiers if "Free Threading" in classifier]


def test_the_wheel_is_typed_and_holds_no_sources() -> None:
    files = {str(file) for file in metadata.files("planetkey") or ()}
    assert {"planetkey/py.typed", "planetkey/_native.pyi", "planetkey/errors.py"} <= files
    assert not [file for file in files if file.endswith((".rs", ".toml", "requirements-test.txt"))]


def test_the_wheel_serves_every_python_from_3_10() -> None:
    wheel = metadata.distribution("planetkey").read_text("WHEEL")
    assert wheel is not None
    assert "Tag: cp310-abi3-" in wheel


def test_everything_public_is_documented() -> None:
    for name in planetkey.__all__:
        thing = getattr(planetkey, name)
        # A string and an alias have no docstring of their own.
        if isinstance(thing, str) or name == "TokenProvider":
            continue
        assert inspect.getdoc(thing), name
        if thing.__module__ == "planetkey":
            for member, value in vars(thing).items():
                if not member.startswith("_"):
                    assert inspect.getdoc(value), f"{name}.{member}"


def test_the_stubs_have_the_documentation() -> None:
    run = subprocess.run(
        [sys.executable, str(PACKAGE / "stub-docs"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_i10_29_annotations_can_be_looked_up_at_run_time() -> None:
    for module in (planetkey.errors, planetkey.storage):
        for name in module.__all__:
            thing = getattr(module, name)
            typing.get_type_hints(thing)
            for value in vars(thing).values():
                if inspect.isfunction(value):
                    typing.get_type_hints(value)


def test_i10_29_immutable_objects_can_be_copied() -> None:
    session = planetkey.Session.from_api_key("PLAK0123456789")
    status = session.status()
    for thing in (
        status,
        status.sources[0],
        status.hosts[0],
        session.authorize("https://api.planet.com/"),
    ):
        assert copy.copy(thing) is thing
        assert copy.deepcopy([thing])[0] is thing
    for name in ("Prompt", "LoginResult", "LogoutResult"):
        assert {"__copy__", "__deepcopy__"} <= set(vars(getattr(planetkey, name)))


def test_i10_14_a_frozen_program_holds_what_native_code_imports(tmp_path: Path) -> None:
    """PyInstaller and similar tools see only the imports of Python modules."""
    sources = "".join(file.read_text(encoding="utf-8") for file in (PACKAGE / "src").glob("*.rs"))
    names = set(re.findall(r'\.import\((?:intern!\(py, )?"([\w.]+)"', sources)) | {"logging"}
    assert {"ctypes", "json", "os"} <= names
    program = tmp_path / "program.py"
    program.write_text("import planetkey\n", encoding="utf-8")
    finder = modulefinder.ModuleFinder()
    finder.run_script(str(program))
    assert names - set(finder.modules) - set(sys.builtin_module_names) - {"builtins"} == set()


def test_all_is_all() -> None:
    protocols = {"LockingTokenStorage", "TokenProvider", "TokenRequest", "TokenStorage"}
    imported = {"annotations", "errors", "gdal", "provider", "storage", "TYPE_CHECKING"}
    public = {name for name in vars(planetkey) if not name.startswith("_")} - imported
    assert public | protocols | {"__version__"} == set(planetkey.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        planetkey.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert sorted(planetkey.__all__) == planetkey.__all__


def test_importing_loads_little() -> None:
    script = (
        "import sys, planetkey; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.split()
    heavy = {
        "aiohttp",
        "anyio",
        "asyncio",
        "email",
        "http",
        "httpx",
        "json",
        "logging",
        "multiprocessing",
        "requests",
        "ssl",
        "typing",
        "urllib",
    }
    assert not heavy & set(loaded)


def test_log_records_arrive_without_secrets(
    simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    session = simulator.m2m()
    simulator.script(
        "m2m.token", {"token_response": {"remove": ["scope"], "claims": {"note": "100%s"}}}
    )
    simulator.settings(date_offset_s=-86_400)
    with caplog.at_level(logging.DEBUG):
        token = session.access_token()
    records = [record for record in caplog.records if record.name == "planetkey"]
    assert "clock" in caplog.text
    assert any(record.levelno == logging.WARNING for record in records)
    assert {record.name for record in caplog.records} <= {"planetkey", "urllib3.connectionpool"}
    for secret in (token, simulator.client_secret):
        assert secret not in caplog.text


def test_silent_without_a_logging_configuration(simulator: Simulator) -> None:
    simulator.settings(date_offset_s=-86_400)
    script = "import planetkey; planetkey.Session.from_defaults().access_token()"
    assert finish(simulator.python(script)) == (0, "", "")


def test_the_readme_example_works_as_printed(simulator: Simulator) -> None:
    readme = (PACKAGE / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    # The simulator's proxy leads the real host names to it.
    process = simulator.python(example, real_names=True)
    code, output, errors = finish(process)
    assert (code, errors) == (0, "")
    first, second = output.splitlines()
    assert first.startswith("200 with the api_key from ")
    assert second.startswith("200 with the access_token from ")


def test_native_names_are_private() -> None:
    assert planetkey.Session is _native.Session
    assert not hasattr(planetkey, "exception_classes")
