# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: modelarts_pools
short_description: Use the dedicated resource pools of a ModelArts project as hosts
version_added: 1.0.0
author:
  - The poolgate.modelarts contributors (@poolgate)
description:
  - Makes a host of each dedicated resource pool of a project, so that one play gates many pools side by side. It
    supports ModelArts of Huawei Cloud and of Open Telekom Cloud.
  - It calls the APIs "Querying a Resource Pool List", "Querying Nodes" and "Querying Resource Pool Monitoring".
  - The name of the inventory file must end with C(modelarts_pools.yml) or C(modelarts_pools.yaml).
extends_documentation_fragment:
  - poolgate.modelarts.connection
  - poolgate.modelarts.connection.plugins
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description:
      - Must be V(poolgate.modelarts.modelarts_pools).
    type: str
    required: true
    choices: [poolgate.modelarts.modelarts_pools]
  pool_name:
    description:
      - Pools that become hosts, each by ID or by display name. By default, all pools of the workspace.
      - An ID needs only the permission C(modelarts:pool:get) on that pool. A display name is looked up in the list of
        the pools of O(workspace_id), which needs C(modelarts:pool:list).
      - A display name that matches several pools is an error. The message lists them.
      - A name may be a template. A number counts as its text. Quote a name that YAML reads as something else, like
        V(no).
    type: list
    elements: str
    default: []
  include_capacity:
    description:
      - If V(true), the nodes and the runtime metrics of the pools are read as well.
      - A gate reads them again. If you only gate the hosts, V(false) saves one request for each pool.
    type: bool
    default: true
notes:
  - The name of a host is the ID of its pool. An ID is unique, does not change, and has no character with a meaning in
    host patterns. A display name can be any text, and several pools can share one. To address pools by display name,
    see O(keyed_groups) in the examples.
  - The plugin sets only the variables C(modelarts_pool), C(ansible_connection) and C(ansible_python_interpreter) of a
    host. C(modelarts_pool) is an entry of RV(poolgate.modelarts.modelarts_pool_info#module:pools). The other two are
    V(local) and the interpreter of the controller, because tasks cannot log in to a pool. Override them with
    O(compose).
  - A pool is left out with a warning if its ID is C(localhost), the name of a group, or the name of a host from another
    inventory source. List this source after the others, because it only knows the sources that were read before it.
  - A group is left out with a warning if it already has hosts that are not pools, or if it has the name of a host. An
    empty group of another source takes pools only if its name begins with C(modelarts_) or with the prefix of
    O(keyed_groups).
  - All hosts are in the group C(modelarts_pools). Each is also in C(modelarts_phase_<phase>), in
    C(modelarts_job_type_<type>) for each enabled type, in C(modelarts_flavor_<flavor>) for each flavor of its nodes,
    and in C(modelarts_queue_strategy_<strategy>). Underscores replace the characters that a group name cannot have. A
    value that the API does not return makes no group.
  - A pool whose nodes or metrics cannot be read still becomes a host. Its C(modelarts_pool.errors) lists the failures,
    and a warning gives the number of such pools.
  - An inventory reads the Ansible variables C(modelarts_<option>) only as extra variables. Connection options in the
    inventory file may be templates. From ansible-core 2.19 on, these templates can use C(omit). The connection serves
    only to read the inventory and is in no variable of a host. Modules and gates need a connection of their own.
  - With O(cache=true), the pools are cached and the credentials are not. Pools of another project, endpoint or login
    are cached separately. A result with a transient error is not cached. C(--flush-cache) reads the pools again.
seealso:
  - module: poolgate.modelarts.modelarts_pool_info
"""

EXAMPLES = r"""
# modelarts_pools.yml: this line alone makes every pool a host, with the connection from the environment
plugin: poolgate.modelarts.modelarts_pools

# Take a token from a variable of the pipeline.
auth_token: "{{ lookup('ansible.builtin.env', 'CI_MODELARTS_TOKEN') }}"

# Make hosts of two pools only.
pool_name:
  - train-a100
  - npu-dev

# Cache the pools for one minute.
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: .cache
cache_timeout: 60

# Group pools by display name (pool_train_a100), by free cards, and by failures to read them.
compose:
  idle_gpus: modelarts_pool.capacity.free['nvidia.com/gpu'] | default(0)
groups:
  with_idle_gpus: idle_gpus | int > 0
  not_read_whole: modelarts_pool.errors | length > 0
keyed_groups:
  - prefix: pool
    key: modelarts_pool.display_name
"""

import hashlib
import os
import platform
import typing as t

from ansible import constants
from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client, check_pool_of_call
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import PoolFacts
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.check_options import check_options
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.clouds import read_cloud
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    CONNECTION_OPTIONS,
    environment_level,
    login_method_of_options,
    merge_levels,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools_and_capacity
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line, sentence
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._connection_options import (
    config_level,
    template_option_values,
    templated_variables_level,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._names import given_pool_names
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._pool_groups import PoolGroups
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._trust import as_template, as_text

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible.inventory.data import InventoryData
    from ansible.parsing.dataloader import DataLoader
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import DocumentError
    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import OptionSpec

SUFFIXES = ("modelarts_pools.yml", "modelarts_pools.yaml")
GROUP = "modelarts_pools"

_ROUNDS = 200_000
_HIDDEN: OptionSpec = {"type": "str", "no_log": True}
_LONGEST_GROUP = 100  # characters; the longest flavor that is public has 40


class InventoryPool(PoolFacts, total=False):
    """A pool; ``errors`` are there where its capacity was read."""

    errors: list[DocumentError]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "poolgate.modelarts.modelarts_pools"

    inventory: InventoryData  # parse() sets it

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(SUFFIXES)

    def set_options(
        self,
        task_keys: object = None,
        var_options: Mapping[str, object] | None = None,
        direct: Mapping[str, object] | None = None,
    ) -> None:
        """Without connection options and names of pools: Ansible would convert them before they are templated."""
        raw = dict.fromkeys([*CONNECTION_OPTIONS, "pool_name"])
        super().set_options(task_keys, var_options, {**(direct or {}), **raw})

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        try:
            self._refuse_unknown_options(config)
            pools = self._cached_or_read_pools(path, self._connection_options(config), self._pool_names(config), cache)
        except ModelArtsError as error:
            request = f" Request ID: {error.request_id}." if error.request_id else ""
            raise AnsibleParserError(sentence(error.message + request)) from None
        self.inventory.add_group(GROUP)
        self._pool_groups = PoolGroups(self.inventory, GROUP, self._group_prefixes(), self._warn_of_group)
        added = []
        try:
            for pool in pools:
                host = str(pool["pool_name"])
                complaint = self._why_no_host_name(host)
                if complaint:
                    self.display.warning(sentence(f"A pool of ModelArts was left out of the inventory: {complaint}"))
                else:
                    added.append(host)
                    self._add_pool_as_host(pool)
        # With strict, an expression may fail: a play must not take some of the pools for all.
        except Exception:
            for one in filter(None, map(self.inventory.hosts.get, added)):
                self.inventory.remove_host(one)
            raise
        self._warn_of_unread_pools(pools)

    def _refuse_unknown_options(self, config: Mapping[str, object]) -> None:
        """Ansible itself passes over an option that it does not know."""
        unknown = [str(name) for name in config if name not in self.option_definitions]
        if unknown:
            known = ", ".join(sorted(self.option_definitions))
            raise InputError(f"There is no option {one_line(unknown[0], 60)}. Known options are: {known}.")

    def _connection_options(self, config: Mapping[str, object]) -> dict[str, object]:
        given = {name: config[name] for name in CONNECTION_OPTIONS if name in config}
        return merge_levels(
            template_option_values(given, self.templar),
            templated_variables_level(self._vars or {}, self.templar),
            environment_level(os.environ),
            config_level(constants.config.get_config_value("CONFIG_FILE")),
        )

    def _pool_names(self, config: Mapping[str, object]) -> list[str]:
        given = {"pool_name": config["pool_name"]} if "pool_name" in config else {}
        return given_pool_names("pool_name", template_option_values(given, self.templar).get("pool_name"))

    def _cached_or_read_pools(
        self, path: str, options: Mapping[str, object], names: list[str], cache: bool
    ) -> list[InventoryPool]:
        """Return the pools from the cache, else from the API; ``cache`` is false when the user flushes it."""
        capacity = self.get_option("include_capacity")
        if not self.get_option("cache"):
            return _read_inventory_pools(options, names, capacity)
        key = f"{self.get_cache_key(path)}_{_inventory_cache_key(options, names, capacity)}"
        kept = self.cache.get(key) if cache else None
        if _is_readable_inventory_cache(kept):
            return kept
        pools = _read_inventory_pools(options, names, capacity)
        if not any(error.get("transient") for pool in pools for error in pool.get("errors", ())):
            self.cache[key] = pools
        return pools

    def _why_no_host_name(self, host: str) -> str:
        """Return why the ID of a pool cannot be the name of a host, or nothing.

        The host of a pool has the connection local, so another host of that name would run its tasks on the controller.
        """
        try:
            check_pool_of_call(host)
        except InputError as error:
            return error.message
        known = self.inventory.hosts.get(host)
        if known is not None and GROUP not in {group.name for group in known.groups}:
            return f"{host} is already a host of another inventory source."
        if host in self.inventory.groups:
            # Its variables would become those of the group, and all hosts of it would have the connection local.
            return f"{host} is the name of a group."
        if host in constants.LOCALHOST:
            return f"{host} is the controller itself."
        return ""

    def _add_pool_as_host(self, pool: InventoryPool) -> None:
        host = str(pool["pool_name"])
        self.inventory.add_host(host, group=GROUP)
        variables = {
            "modelarts_pool": as_text(pool),
            "ansible_connection": as_template("local"),
            "ansible_python_interpreter": as_template("{{ ansible_playbook_python }}"),
        }
        for name, value in variables.items():
            self.inventory.set_variable(host, name, value)
        for group in _inventory_groups_of_pool(pool):
            self._pool_groups.add_host(host, group=self._pool_groups.add_group(group))
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        # These names come from the API; those of composed groups are the user's.
        own, self.inventory = self.inventory, t.cast("InventoryData", self._pool_groups)
        try:
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)
        finally:
            self.inventory = own

    def _group_prefixes(self) -> list[str]:
        """Return how names of groups begin that the user has chosen for pools."""
        keyed = [one for one in self.get_option("keyed_groups") or () if isinstance(one, dict) and one.get("prefix")]
        return ["modelarts_", *(f"{one['prefix']}{one.get('separator', '_')}" for one in keyed)]

    def _warn_of_group(self, complaint: str) -> None:
        self.display.warning(sentence(f"A group of ModelArts pools was left out of the inventory: {complaint}"))

    def _warn_of_unread_pools(self, pools: Sequence[InventoryPool]) -> None:
        errors = [pool["errors"][0]["msg"] for pool in pools if pool.get("errors")]
        if errors:
            count = f"{len(errors)} of {len(pools)} pools"
            where = "see modelarts_pool.errors of these hosts"
            self.display.warning(sentence(f"{count} could not be read completely, {where}. The first: {errors[0]}"))


def _read_inventory_pools(options: Mapping[str, object], names: list[str], capacity: bool) -> list[InventoryPool]:
    connection = connect(options, where=platform.node())
    with Client(connection) as client:
        facts = read_pools_and_capacity(client, names, include_capacity=capacity, clock=client.now)
    return t.cast("list[InventoryPool]", connection.without_secrets(facts)["pools"])


def _is_readable_inventory_cache(kept: object) -> t.TypeGuard[list[InventoryPool]]:
    """Return whether the kept pools are as they are read today: the file may be of another release, or damaged."""
    shapes: dict[str, type | tuple[type, ...]] = {
        "pool_name": str,
        "phase": (str, type(None)),
        "job_types": (dict, type(None)),
        "flavors": list,
        "queue_strategy": (str, type(None)),
    }
    return isinstance(kept, list) and all(
        isinstance(pool, dict)
        and PoolFacts.__annotations__.keys() <= pool.keys()
        and all(isinstance(pool[name], shape) for name, shape in shapes.items())
        and all(isinstance(flavor, dict) and isinstance(flavor.get("flavor"), str) for flavor in pool["flavors"])
        and all(isinstance(error, dict) and "msg" in error for error in pool.get("errors", ()))
        for pool in kept
    )


def _inventory_cache_key(options: Mapping[str, object], names: list[str], capacity: bool) -> str:
    """Return what an answer depends on: the question and the login, as sixteen hexadecimal digits.

    Two logins may see different pools. The digest names a file of the cache, so the secret goes in through many rounds
    of PBKDF2, which make each guess cost a tenth of a second.
    """
    given = sorted((name, str(value)) for name, value in options.items())
    given += _inventory_login_of_cloud(options)
    public = [(name, value) for name, value in given if not CONNECTION_OPTIONS.get(name, _HIDDEN).get("no_log")]
    question = repr((public, names, capacity)).encode()
    return hashlib.pbkdf2_hmac("sha256", repr(given).encode(), question, _ROUNDS, 8).hex()


def _inventory_login_of_cloud(options: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the login and the settings behind the name in ``cloud``, which another user may have for another one."""
    given = check_options(merge_levels(options), platform.node())
    if login_method_of_options(given) != "cloud":
        return []
    cloud = read_cloud(given["cloud"], given, platform.node())
    behind = {**cloud.plugin.get_cache_id_elements(), **cloud.settings}
    return sorted((f"{name} of the cloud", str(value)) for name, value in behind.items())


def _inventory_groups_of_pool(pool: InventoryPool) -> Iterator[str]:
    named = [
        *[("phase", pool["phase"])],
        *[("job_type", kind) for kind, state in (pool["job_types"] or {}).items() if state == "Enabled"],
        *[("flavor", flavor["flavor"]) for flavor in pool["flavors"]],
        *[("queue_strategy", pool["queue_strategy"])],
    ]
    for what, name in named:
        if name:
            yield to_safe_group_name(f"modelarts_{what}_{name[:_LONGEST_GROUP]}", force=True, silent=True)
