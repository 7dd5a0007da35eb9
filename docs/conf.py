"""How Sphinx builds these pages: `make docs`, or `sphinx-build -W -n docs out/docs`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # `tables`, which write the reference, and the code they read

import meanfleet  # noqa: E402

project = "meanfleet"
author = "meanfleet maintainers"
copyright = "meanfleet maintainers, Apache-2.0"
version = release = meanfleet.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "tables", "mathml"]
source_suffix = {".md": "markdown"}
smartquotes = False  # -- is part of options
nitpicky = True  # a reference that leads nowhere is an error
# But not types in signatures: numpy's pages are elsewhere, and not every internal class has a page.
nitpick_ignore_regex = [("py:(class|exc)", r".*")]
default_role = "code"  # `names` in docstrings
autodoc_member_order = "bysource"
autodoc_type_aliases = {"FloatArray": "FloatArray"}
napoleon_use_ivar = True
myst_heading_anchors = 3
myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
html_math_renderer = "mathml"
suppress_warnings = ["config.cache"]

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["math.css"]
html_title = f"meanfleet {release}"
html_show_sphinx = False
html_copy_source = False
