"""Sphinx configuration of the manual. `docs/site/build` sets DOCS_BUILD and runs Sphinx."""

import os
import sys
from pathlib import Path

BUILD = Path(os.environ["DOCS_BUILD"])
# The Python package with its stubs instead of the native module: signatures and docstrings,
# nothing to compile.
sys.path.insert(0, str(BUILD / "python"))

project = "planetkey"
author = "the planetkey authors"
copyright = author
version = release = os.environ["DOCS_VERSION"]

extensions = ["myst_parser", "breathe", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
nitpicky = True
# What the standard libraries and other packages define.
nitpick_ignore_regex = [
    ("c:identifier", r"(u?int\d+_t|size_t|bool|char|void|ptrdiff_t)"),
    ("cpp:identifier", r"(std|detail|T|CURL|List|Setter|curl|planetkey_|u?int\d+_t|size_t|gdal).*"),
    ("cpp:identifier", r"PLANETKEY_.*"),
    ("cpp:.*", r"(std::|detail::|planetkey_).*"),
    ("py:class", r"(?!planetkey).*"),
    ("py:exc", r"(?!planetkey).*"),
    ("py:obj", r"(?!planetkey).*"),
    ("py:data", r".*"),
]

# Doxygen takes the words "planetkey.h" in a comment for a link.
suppress_warnings = ["ref.ref"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 6

breathe_projects = {"planetkey": str(BUILD / "doxygen" / "xml")}
breathe_default_project = "planetkey"
breathe_domain_by_extension = {"h": "c", "hpp": "cpp"}
breathe_show_include = False
c_id_attributes = ["PLANETKEY_API", "PLANETKEY_NODISCARD"]
cpp_id_attributes = ["PLANETKEY_API", "PLANETKEY_NODISCARD"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_mock_imports = [
    "aiohttp",
    "distributed",
    "httpx",
    "planet",
    "requests",
    "sentinelhub",
    "yarl",
]
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
c_maximum_signature_line_length = 88
cpp_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"planetkey {release}"
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_theme_options = {"navigation_with_keys": False}
html_search_language = "en"
pygments_style = "default"


def examples(_app, _what, _name, _object, _options, lines) -> None:
    """Makes an example, which docstrings indent without a mark, a literal block."""
    found: list[str] = []
    before = ""
    for number, line in enumerate(lines):
        starts = line.startswith("    ") and number > 0 and not lines[number - 1].strip()
        if starts and not before.startswith("    ") and not before.endswith("::"):
            found += ["::", ""]
        found.append(line)
        before = line if line.strip() else before
    lines[:] = found


def setup(app) -> None:
    app.connect("autodoc-process-docstring", examples, priority=100)
