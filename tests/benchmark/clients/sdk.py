# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user of the official SDK would do: read page after page, and count the jobs by status."""

import json
import os
from collections import Counter

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmodelarts.v1 import ListWorkloadsRequest, ModelArtsClient

credentials = BasicCredentials(os.environ["KEY"], os.environ["SECRET"], os.environ["OS_PROJECT_ID"])
endpoint = os.environ["MODELARTS_ENDPOINT"]
client = ModelArtsClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()
jobs = []
while True:
    request = ListWorkloadsRequest(
        pool_name=os.environ["POOL"], sort="create_time", ascend=True, offset=str(len(jobs)), limit=500
    )
    page = client.list_workloads(request).items
    jobs += page
    if len(page) < 500:  # the SDK drops the total
        break
print(json.dumps({"total": len(jobs), "by_status": Counter(job.status for job in jobs)}))
