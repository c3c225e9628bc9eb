# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: benchmark_memory
short_description: Returns facts that it does not have to read from an API
description: What ansible-core costs for an answer of that size.
author: poolgate.modelarts contributors
options:
  path:
    description: A file that C(marshal) wrote.
    type: path
    required: true
"""

import marshal

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule({"path": {"type": "path", "required": True}})
    with open(module.params["path"], "rb") as stream:
        module.exit_json(changed=False, **marshal.load(stream))


if __name__ == "__main__":
    main()
