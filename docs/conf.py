"""How the pages are built: ``python -m sphinx -W --keep-going -b html docs docs/_build``.

Nothing here needs the network: no intersphinx, no fonts or scripts from elsewhere.
"""

from sphinx_gallery.sorting import ExplicitOrder

from deepreservoir import __version__

project = "deepreservoir"
author = "the deepreservoir developers"
copyright = "2026, the deepreservoir developers"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "examples", "sg_execution_times.rst"]
templates_path = ["_templates"]

# The examples are executed by every build, so that what they print and draw is current.
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": ExplicitOrder(
        [
            "plot_classifier.py",
            "plot_regressor.py",
            "plot_seed_gating.py",
            "plot_rank_search.py",
            "plot_series_classifier.py",
            "plot_forecast.py",
            "plot_nvar.py",
            "*",
        ]
    ),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "write_computation_times": False,
    "show_signature": False,
    "remove_config_comments": True,
}

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
# Without a mode, the theme reports an error on every visitor's console.
html_context = {"default_mode": "auto"}
html_favicon = "_static/icon.svg"
html_theme_options = {
    "navigation_with_keys": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 5,  # all parts of the documentation, in one row
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Wide tables and listings need the room at the side; the pages of single names and the examples,
# which are in folders, have a list there.
html_sidebars = {"*": []}
