# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What leaves for where text may become a template: inventories, events, artifacts. Text of the API stays text.

From ansible-core 2.19 on, a text is no template unless it is trusted; before, it is one unless it is marked as unsafe.

This plugin util is private to the collection.
"""

from __future__ import annotations

_PUNCTUATION = frozenset(" ._-:/@+,;()=~*")
_LONGEST_TEXT = 300
_LARGEST = 2**63 - 1

try:
    from ansible.template import is_trusted_as_template, trust_as_template
except ImportError:
    from ansible.utils.unsafe_proxy import wrap_var

    def as_template(text: str) -> str:
        """Return the text as one that a template may render."""
        return text

    def as_text(value: object) -> object:
        """Return the value, in which no text is a template."""
        return wrap_var(value)

    def is_template(text: str) -> bool:
        """Return whether Ansible renders the text."""
        return not hasattr(text, "__UNSAFE__")

else:

    def as_template(text: str) -> str:
        """Return the text as one that a template may render."""
        return trust_as_template(text)

    def as_text(value: object) -> object:
        """Return the value, in which no text is a template."""
        return value

    def is_template(text: str) -> bool:
        """Return whether Ansible renders the text."""
        return is_trusted_as_template(text)


def inert(value: object) -> object:
    """Return the same facts with nothing in them, in keys or values, that a template could be made of.

    Ansible renders extra variables. ansible-rulebook hands a whole event on as the extra variable ``ansible_eda``, and
    AWX hands on artifacts as extra variables, so a job or a resource that is named like a template would be executed.
    Every character but letters, digits and some punctuation becomes ``?``, long text is cut with a ``?`` at its end,
    and numbers fit the 64 bits of the rule engine. A text without ``?`` is as the API gave it.
    """
    if isinstance(value, dict):
        return {_inert_text(str(key)): inert(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [inert(one) for one in value]
    if isinstance(value, str):
        return _inert_text(value)
    # NaN and infinity are no JSON, and fail the comparison as well.
    if isinstance(value, (int, float)) and not -_LARGEST <= value <= _LARGEST:
        return None
    return value


def _inert_text(text: str) -> str:
    # Cut first: a name may be as long as an answer, and each character that is looked at takes memory.
    start = text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "?"
    return "".join(c if c.isalnum() or c in _PUNCTUATION else "?" for c in start)
