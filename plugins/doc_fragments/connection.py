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
      - Base URL of ModelArts, like V(https://modelarts.eu-de.otc.t-systems.com). A version and a project ID at its end
        are dropped. The rest of the path is kept.
      - If it is omitted, the URL comes from the service catalog of the login (only with O(password) or O(cloud)), else
        from O(region).
      - V(http) is allowed only for a loopback address.
      - The environment variable is E(MODELARTS_ENDPOINT).
    type: str
  region:
    description:
      - Region, like V(eu-de). It determines the addresses of ModelArts and IAM if O(endpoint) and O(auth_url) are
        omitted.
      - V(eu-de), V(eu-nl) and V(eu-ch2) are regions of Open Telekom Cloud. Every other region counts as one of Huawei
        Cloud. The guide on authentication lists the addresses.
      - The environment variables are E(MODELARTS_REGION), E(OS_REGION_NAME) and E(HW_REGION_NAME).
    type: str
  project_id:
    description:
      - ID of the project that the pools belong to.
      - With O(password) or O(cloud), it defaults to the project of the login. Otherwise IAM looks the ID up by
        O(project_name), or by O(region) if O(project_name) is omitted as well.
      - The environment variables are E(MODELARTS_PROJECT_ID), E(OS_PROJECT_ID), E(HW_PROJECT_ID) and
        E(HUAWEICLOUD_SDK_PROJECT_ID).
    type: str
  workspace_id:
    description:
      - ID of the workspace whose pools are listed. Pools are listed to find one by its display name, and to read all
        pools.
      - If it is omitted, the API lists the default workspace, V(0).
      - A pool ID is found in any workspace.
      - The environment variable is E(MODELARTS_WORKSPACE_ID).
    type: str
    version_added: 1.1.0
  auth_token:
    description:
      - An IAM token that the caller already has. It is used as it is and cannot be renewed.
      - The environment variables are E(OS_TOKEN) and E(OS_AUTH_TOKEN).
    type: str
  access_key:
    description:
      - Access key (AK). It signs the requests together with O(secret_key), without a login.
      - The environment variables are E(OS_ACCESS_KEY), E(HW_ACCESS_KEY) and E(HUAWEICLOUD_SDK_AK). Access key, secret
        key and security token all come from the first prefix (C(OS_), C(HW_), C(HUAWEICLOUD_SDK_)) that sets both keys.
    type: str
  secret_key:
    description:
      - Secret key (SK) of O(access_key). It is never sent.
      - The environment variables are E(OS_SECRET_KEY), E(HW_SECRET_KEY) and E(HUAWEICLOUD_SDK_SK).
    type: str
  security_token:
    description:
      - Security token of a temporary O(access_key).
      - It belongs to its key pair. A token from a lower level than the one that completes the pair is ignored.
      - The environment variables are E(OS_SECURITY_TOKEN), E(HW_SECURITY_TOKEN) and
        E(HUAWEICLOUD_SDK_SECURITY_TOKEN).
    type: str
  auth_url:
    description:
      - URL of IAM, with or without C(/v3), like V(https://iam.eu-de.otc.t-systems.com/v3).
      - It is required with O(username) and ignored with O(cloud).
      - With O(auth_token) and O(access_key) it only serves to look up a project ID. It then defaults to the address
        that belongs to O(region).
      - V(http) is allowed only for a loopback address.
      - The environment variables are E(OS_AUTH_URL) and E(HW_AUTH_URL).
    type: str
  username:
    description:
      - Name of the user who logs in to IAM.
      - It requires O(password), O(auth_url), O(domain_name), and either O(project_id) or O(project_name).
      - It needs the Python library C(keystoneauth1).
      - The environment variable is E(OS_USERNAME).
    type: str
  password:
    description:
      - Password of O(username).
      - A secret that could not be hidden without changing the facts is refused. This concerns every secret option. Such
        a secret is a number, a text of fewer than four characters, or a word that every response of ModelArts contains,
        like V(train).
      - The environment variable is E(OS_PASSWORD).
    type: str
  domain_name:
    description:
      - Name of the domain (the account) that O(username) and the project belong to.
      - The environment variables are E(OS_USER_DOMAIN_NAME), E(OS_DOMAIN_NAME) and E(HW_DOMAIN_NAME).
    type: str
  project_name:
    description:
      - Name of the project, in place of O(project_id). It is ignored with O(cloud).
      - The highest level that names a project, by ID or by name, decides. Lower levels then supply neither.
      - The environment variables are E(OS_PROJECT_NAME), E(OS_TENANT_NAME) and E(HW_PROJECT_NAME).
    type: str
  cloud:
    description:
      - Name of an entry of C(clouds.yaml). The file is looked up in the
        L(locations of openstacksdk, https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html).
      - The entry supplies the login. It also supplies O(region), O(validate_certs) and O(ca_path) if these are omitted.
      - It needs the Python library C(openstacksdk).
      - The environment variable is E(OS_CLOUD).
    type: str
  validate_certs:
    description:
      - If V(true), the TLS certificates of ModelArts and IAM are verified.
      - The default is V(true).
      - The environment variable is E(MODELARTS_VALIDATE_CERTS).
    type: bool
  ca_path:
    description:
      - File or directory with the certificates of the trusted authorities. They replace those that C(requests) trusts.
      - In a directory, the files must have the names that C(openssl rehash) gives them.
      - C(~) and environment variables are expanded, unless the name of the variable suggests a secret.
      - The environment variables are E(MODELARTS_CA_PATH) and E(OS_CACERT).
    type: str
  timeout:
    description:
      - Timeout of a request in seconds, from opening its connection to the last byte of the response. It must be above
        V(0) and at most V(3600).
      - The default is V(30).
      - The environment variable is E(MODELARTS_TIMEOUT).
    type: float
  max_retries:
    description:
      - Maximum number of retries of a request. A request is retried if it is throttled, ends in a server error, or gets
        no response.
      - The maximum is V(1000).
      - The default is V(4).
      - The environment variable is E(MODELARTS_MAX_RETRIES).
    type: int
  connections:
    description:
      - Maximum number of parallel requests, from V(1) to V(100). Each has a connection of its own.
      - There are never more connections than pages to read.
      - The default is V(8).
      - The environment variable is E(MODELARTS_CONNECTIONS).
    type: int
notes:
  - Connection options come from several levels. The option itself takes precedence. It can be set in the task, in
    C(module_defaults) of the action group C(poolgate.modelarts.modelarts), or in an inventory file.
  - The second level is the Ansible variable C(modelarts_<option>). The action plugins, the role and the lookup read it.
    The inventory plugin reads it only as an extra variable. A plain module does not read it.
  - The third level is the environment of the host that the code runs on. This is the target host for a module, and the
    controller for lookup and inventory plugins.
  - The last level is the section C([modelarts]) of C(ansible.cfg), for lookup and inventory plugins only.
  - An empty value counts as omitted. If several environment variables of an option are set, the first one listed
    counts.
  - >-
    There are four ways to log in, in this order: O(auth_token), O(access_key) with O(secret_key), O(username) with
    O(password), and O(cloud). The highest level that names one of these options decides the way. If that level names
    several, the first in this order counts. Lower levels only add the missing options of that way. A way that is still
    incomplete then is an error. No other way is tried.
  - Proxies come from the usual environment variables. SOCKS proxies are not supported. Redirects are errors, so that
    credentials reach no other host.
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
      - No diff is returned.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
"""
