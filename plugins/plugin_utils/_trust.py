# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the values that a plugin hands to Ansible is a template, and what is text, on every ansible-core.

From 2.19 on, text is text unless it is trusted; before, it is a template unless it is marked as unsafe.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

try:
    from ansible.template import trust_as_template
except ImportError:
    from ansible.utils.unsafe_proxy import wrap_var

    trust_as_template = None  # type: ignore[assignment]

Facts = dict[str, t.Any]


def template(text: str) -> str:
    """Text of ours that Ansible renders."""
    return text if trust_as_template is None else trust_as_template(text)


def plain_text(facts: Facts) -> Facts:
    """Facts of the API, keys included, that Ansible never renders."""
    return wrap_var(facts) if trust_as_template is None else facts
