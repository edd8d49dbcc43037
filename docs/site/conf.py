"""The pages of docs/ as a site: `make docs-site`. It loads nothing from elsewhere."""

project = "stages"
html_title = "stages: Supabase → Convex"
extensions = ["myst_parser", "sphinx_copybutton"]
root_doc = "site/index"
exclude_patterns = ["images"]
html_theme = "furo"
myst_heading_anchors = 4
# What pages link to outside of docs/ is in the repository only.
suppress_warnings = ["myst.xref_missing"]
html_copy_source = False
html_show_sphinx = False
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
# The first page stands in a folder, beside this file.
html_extra_path = ["start"]
