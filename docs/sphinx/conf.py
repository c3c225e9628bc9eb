# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx builds the documentation site; `antsibull-docs sphinx-init` has made the first of it."""

from __future__ import annotations

project = title = html_title = html_short_title = "poolgate.modelarts"
copyright = "The poolgate.modelarts contributors"  # noqa: A001 - the name that Sphinx reads

extensions = ["sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
default_role = "any"
highlight_language = "YAML+Jinja"
pygments_style = "ansible"

html_theme = "sphinx_ansible_theme"
html_theme_options = {
    "documentation_home_url": "https://github.com/poolgate/poolgate.modelarts",
    "show_extranav": False,
    "topbar_links": {
        "Repository": "https://github.com/poolgate/poolgate.modelarts",
        "Issues": "https://github.com/poolgate/poolgate.modelarts/issues",
        "Ansible": "https://docs.ansible.com/",
    },
}
html_copy_source = False
html_css_files = ["site.css"]
html_show_sphinx = False
html_static_path = ["static"]
html_use_index = False
html_use_smartypants = False

# Without a network, words that name a page of Ansible's documentation are no links. See the session site of noxfile.py.
intersphinx_mapping = {"ansible": ("https://docs.ansible.com/projects/ansible/latest/", None)}
intersphinx_timeout = 5
