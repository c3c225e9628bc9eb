# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plugin hands to an inventory: text of the API stays text, on every ansible-core, and ours may be a template.

From ansible-core 2.19 on, a text is no template unless it is trusted; before, it is one unless it is marked as unsafe.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

try:
    from ansible.template import trust_as_template
except ImportError:
    from ansible.utils.unsafe_proxy import wrap_var

    def as_template(text: str) -> str:
        """The text, which a template may render."""
        return text

    def as_text(value: t.Any) -> t.Any:
        """The value, in which no text is a template."""
        return wrap_var(value)

else:

    def as_template(text: str) -> str:
        """The text, which a template may render."""
        return trust_as_template(text)

    def as_text(value: t.Any) -> t.Any:
        """The value, in which no text is a template."""
        return value
