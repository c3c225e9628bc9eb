# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a requests script would do: read page after page, and count the jobs by status."""

import json
import os
from collections import Counter

import requests

session = requests.Session()
session.headers["X-Auth-Token"] = os.environ["OS_AUTH_TOKEN"]
url = f"{os.environ['MODELARTS_ENDPOINT']}/v2/{os.environ['OS_PROJECT_ID']}/pools/{os.environ['POOL']}/workloads"
jobs = []
while True:
    query = {"sort": "create_time", "ascend": "true", "offset": len(jobs), "limit": 500}
    response = session.get(url, params=query, timeout=30)
    response.raise_for_status()
    page = json.loads(response.content)  # response.json() would take the slower simplejson, which the SDK brings along
    jobs += page["items"]
    if len(jobs) >= page["total"]:
        break
print(json.dumps({"total": len(jobs), "by_status": Counter(job["status"] for job in jobs)}))
