"""How the pages are built: ``python -m sphinx -W --keep-going -b html docs docs/_build``.

Nothing here needs the network: no intersphinx, no fonts or scripts from elsewhere.
"""

from deepreservoir import __version__

project = "deepreservoir"
author = "the deepreservoir developers"
copyright = "2026, the deepreservoir developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

smartquotes = False  # quotation marks are part of values such as "auto"

autodoc_typehints = "none"  # the docstrings give types, in numpydoc's form
autosummary_generate = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # autosummary's template lists them
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = f"deepreservoir {version}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 3,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
# The pages are listed at the top; only the pages of single names need a list at the side.
html_sidebars = {
    name: []
    for name in (
        "index",
        "quickstart",
        "reservoirs",
        "models",
        "ranks",
        "sweeps",
        "analysis",
        "seed_gating",
        "concepts",
        "cli",
        "add_architecture",
        "api",
        "architecture",
        "benchmarks",
        "changelog",
    )
}
