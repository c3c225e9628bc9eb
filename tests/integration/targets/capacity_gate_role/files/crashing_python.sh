#!/bin/sh
# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Ends as Python 3.8 does on the module.
echo "Traceback (most recent call last):" >&2
echo "  File \"modelarts_workload_info.py\", line 366, in <module>" >&2
echo "TypeError: 'type' object is not subscriptable" >&2
exit 1
