# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options, as every module and plugin of the collection documents them."""

from __future__ import annotations


class ModuleDocFragment:
    """``connection`` for modules; with ``connection.plugins`` for lookup and inventory plugins."""

    DOCUMENTATION = r"""
options:
  endpoint:
    description:
      - Base URL of ModelArts, like V(https://modelarts.eu-de.otc.t-systems.com). A version and a project at its end are
        dropped, and nothing else of its path.
      - When not given, the service catalog of the login is asked (O(password) or O(cloud)), and then O(region).
      - Only a loopback address may be V(http).
      - From the environment, E(MODELARTS_ENDPOINT).
    type: str
  region:
    description:
      - Region, like V(eu-de). It gives the addresses of ModelArts and IAM when O(endpoint) and O(auth_url) do not.
      - The regions V(eu-de), V(eu-nl) and V(eu-ch2) are taken for Open Telekom Cloud's, every other for Huawei Cloud's.
        The guide on authentication has the addresses.
      - From the environment, E(MODELARTS_REGION), E(OS_REGION_NAME) or E(HW_REGION_NAME).
    type: str
  project_id:
    description:
      - ID of the project that the pools belong to.
      - When not given, it is the project of the login (O(password) or O(cloud)), or the one that IAM knows by the name
        O(project_name), and without that by the name O(region).
      - From the environment, E(MODELARTS_PROJECT_ID), E(OS_PROJECT_ID), E(HW_PROJECT_ID) or
        E(HUAWEICLOUD_SDK_PROJECT_ID).
    type: str
  workspace_id:
    description:
      - ID of the workspace whose pools are listed. A list is needed where pools are given by display name, and where
        all pools are asked for.
      - When not given, the API lists the default workspace, V(0).
      - A pool that is given by its ID is found in any workspace.
      - From the environment, E(MODELARTS_WORKSPACE_ID).
    type: str
    version_added: 1.1.0
  auth_token:
    description:
      - A token of IAM that the caller already has. It is used as it is, and cannot be renewed.
      - From the environment, E(OS_TOKEN) or E(OS_AUTH_TOKEN).
    type: str
  access_key:
    description:
      - Access key (AK). Requests are signed with it and O(secret_key); no login takes place.
      - From the environment, E(OS_ACCESS_KEY), E(HW_ACCESS_KEY) or E(HUAWEICLOUD_SDK_AK). A vendor that names both keys
        gives all of access key, secret key and security token.
    type: str
  secret_key:
    description:
      - Secret key (SK) of O(access_key). It is never sent.
      - From the environment, E(OS_SECRET_KEY), E(HW_SECRET_KEY) or E(HUAWEICLOUD_SDK_SK).
    type: str
  security_token:
    description:
      - Security token of a temporary O(access_key).
      - It belongs to its key pair, so one that is given at a level below the one that completes the pair is not used.
      - From the environment, E(OS_SECURITY_TOKEN), E(HW_SECURITY_TOKEN) or E(HUAWEICLOUD_SDK_SECURITY_TOKEN).
    type: str
  auth_url:
    description:
      - URL of IAM, with or without C(/v3), like V(https://iam.eu-de.otc.t-systems.com/v3).
      - Required with O(username). With O(auth_token) and O(access_key) it is only asked for the ID of a project, and is
        known from O(region) when not given. Not used with O(cloud).
      - Only a loopback address may be V(http).
      - From the environment, E(OS_AUTH_URL) or E(HW_AUTH_URL).
    type: str
  username:
    description:
      - Name of the user who logs in to IAM. O(password), O(auth_url), O(domain_name) and one of O(project_id) and
        O(project_name) are required with it.
      - Needs the Python library C(keystoneauth1).
      - From the environment, E(OS_USERNAME).
    type: str
  password:
    description:
      - Password of O(username).
      - Hiding a word that is in every answer of ModelArts, like V(train), a number, or a text of fewer than four
        characters would change the facts, so these are refused, also as any other secret.
      - From the environment, E(OS_PASSWORD).
    type: str
  domain_name:
    description:
      - Name of the domain (the account) of O(username), and of the project.
      - From the environment, E(OS_USER_DOMAIN_NAME), E(OS_DOMAIN_NAME) or E(HW_DOMAIN_NAME).
    type: str
  project_name:
    description:
      - Name of the project, in place of O(project_id). Not used with O(cloud).
      - The level that names a project, by ID or by name, decides it; a level below fills in neither of the two.
      - From the environment, E(OS_PROJECT_NAME), E(OS_TENANT_NAME) or E(HW_PROJECT_NAME).
    type: str
  cloud:
    description:
      - Name of an entry of C(clouds.yaml), which is looked for where
        L(openstacksdk looks for it, https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html).
      - The entry gives the login, and O(region), O(validate_certs) and O(ca_path) when these are not given.
      - Needs the Python library C(openstacksdk).
      - From the environment, E(OS_CLOUD).
    type: str
  validate_certs:
    description:
      - Whether to verify the TLS certificates of ModelArts and IAM.
      - V(true) when not given.
      - From the environment, E(MODELARTS_VALIDATE_CERTS).
    type: bool
  ca_path:
    description:
      - File or folder with the certificates of the authorities to trust, in place of those that C(requests) trusts.
      - In a folder they have the names that C(openssl rehash) gives them.
      - From the environment, E(MODELARTS_CA_PATH) or E(OS_CACERT).
    type: path
  timeout:
    description:
      - Seconds that a request may take, from its connection to the last byte of the answer; above V(0), and V(3600) at
        most.
      - V(30) when not given.
      - From the environment, E(MODELARTS_TIMEOUT).
    type: float
  max_retries:
    description:
      - How often a request is repeated that was throttled, met an error of the server, or got no answer.
      - V(1000) at most.
      - V(4) when not given.
      - From the environment, E(MODELARTS_MAX_RETRIES).
    type: int
  connections:
    description:
      - How many requests may be under way at once, each on a connection of its own, from V(1) to V(100).
      - There are never more than there are pages to read.
      - V(8) when not given.
      - From the environment, E(MODELARTS_CONNECTIONS).
    type: int
notes:
  - Connection options come from several levels. From the highest to the lowest, these are the option itself (in the
    task, in C(module_defaults) of the action group C(poolgate.modelarts.modelarts), or in an inventory file); the
    Ansible variable C(modelarts_<option>), which the action, the role and the lookup read, the inventory plugin where
    it is an extra variable, and a plain module not; the environment of the host that the code runs on, which for a
    module is its target and for lookup and inventory plugins the controller; and for these plugins the section
    C([modelarts]) of C(ansible.cfg). An empty value counts as not given.
  - There are four ways to log in, which are O(auth_token); O(access_key) with O(secret_key); O(username) with
    O(password); and O(cloud). The highest level that names any of them decides which one is used, in this order
    within one level, and lower levels only fill in what it lacks. If something is still lacking then, that is an
    error, and never a reason to try another way.
  - Proxies are taken from the usual environment variables, except for SOCKS. Redirects are errors, so that credentials
    reach no other host.
requirements:
  - requests >= 2.28
  - keystoneauth1 >= 5.0 (only for O(username) and O(password))
  - openstacksdk >= 1.0 (only for O(cloud))
"""

    PLUGINS = r"""
options:
  endpoint:
    env:
      - name: MODELARTS_ENDPOINT
    ini:
      - section: modelarts
        key: endpoint
    vars:
      - name: modelarts_endpoint
  region:
    env:
      - name: MODELARTS_REGION
      - name: OS_REGION_NAME
      - name: HW_REGION_NAME
    ini:
      - section: modelarts
        key: region
    vars:
      - name: modelarts_region
  project_id:
    env:
      - name: MODELARTS_PROJECT_ID
      - name: OS_PROJECT_ID
      - name: HW_PROJECT_ID
      - name: HUAWEICLOUD_SDK_PROJECT_ID
    ini:
      - section: modelarts
        key: project_id
    vars:
      - name: modelarts_project_id
  workspace_id:
    env:
      - name: MODELARTS_WORKSPACE_ID
    ini:
      - section: modelarts
        key: workspace_id
    vars:
      - name: modelarts_workspace_id
  auth_token:
    env:
      - name: OS_TOKEN
      - name: OS_AUTH_TOKEN
    ini:
      - section: modelarts
        key: auth_token
    vars:
      - name: modelarts_auth_token
  access_key:
    env:
      - name: OS_ACCESS_KEY
      - name: HW_ACCESS_KEY
      - name: HUAWEICLOUD_SDK_AK
    ini:
      - section: modelarts
        key: access_key
    vars:
      - name: modelarts_access_key
  secret_key:
    env:
      - name: OS_SECRET_KEY
      - name: HW_SECRET_KEY
      - name: HUAWEICLOUD_SDK_SK
    ini:
      - section: modelarts
        key: secret_key
    vars:
      - name: modelarts_secret_key
  security_token:
    env:
      - name: OS_SECURITY_TOKEN
      - name: HW_SECURITY_TOKEN
      - name: HUAWEICLOUD_SDK_SECURITY_TOKEN
    ini:
      - section: modelarts
        key: security_token
    vars:
      - name: modelarts_security_token
  auth_url:
    env:
      - name: OS_AUTH_URL
      - name: HW_AUTH_URL
    ini:
      - section: modelarts
        key: auth_url
    vars:
      - name: modelarts_auth_url
  username:
    env:
      - name: OS_USERNAME
    ini:
      - section: modelarts
        key: username
    vars:
      - name: modelarts_username
  password:
    env:
      - name: OS_PASSWORD
    ini:
      - section: modelarts
        key: password
    vars:
      - name: modelarts_password
  domain_name:
    env:
      - name: OS_USER_DOMAIN_NAME
      - name: OS_DOMAIN_NAME
      - name: HW_DOMAIN_NAME
    ini:
      - section: modelarts
        key: domain_name
    vars:
      - name: modelarts_domain_name
  project_name:
    env:
      - name: OS_PROJECT_NAME
      - name: OS_TENANT_NAME
      - name: HW_PROJECT_NAME
    ini:
      - section: modelarts
        key: project_name
    vars:
      - name: modelarts_project_name
  cloud:
    env:
      - name: OS_CLOUD
    ini:
      - section: modelarts
        key: cloud
    vars:
      - name: modelarts_cloud
  validate_certs:
    env:
      - name: MODELARTS_VALIDATE_CERTS
    ini:
      - section: modelarts
        key: validate_certs
    vars:
      - name: modelarts_validate_certs
  ca_path:
    env:
      - name: MODELARTS_CA_PATH
      - name: OS_CACERT
    ini:
      - section: modelarts
        key: ca_path
    vars:
      - name: modelarts_ca_path
  timeout:
    env:
      - name: MODELARTS_TIMEOUT
    ini:
      - section: modelarts
        key: timeout
    vars:
      - name: modelarts_timeout
  max_retries:
    env:
      - name: MODELARTS_MAX_RETRIES
    ini:
      - section: modelarts
        key: max_retries
    vars:
      - name: modelarts_max_retries
  connections:
    env:
      - name: MODELARTS_CONNECTIONS
    ini:
      - section: modelarts
        key: connections
    vars:
      - name: modelarts_connections
"""

    ACTIONGROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/poolgate.modelarts.modelarts) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - poolgate.modelarts.modelarts
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details:
      - This module only reads, and does the same in check mode.
  diff_mode:
    description: Returns details on what has changed, or needs changing in C(check_mode), when in diff mode.
    support: N/A
    details:
      - This module changes nothing.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
"""
