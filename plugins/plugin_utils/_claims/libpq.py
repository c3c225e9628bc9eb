# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs of PostgreSQL, as libpq reads them: what may be said of one, which secrets go with it, and whether it has TLS.

This plugin util is private to the collection.
"""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path
from urllib.parse import unquote

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import is_private_url
from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import is_secret_common_word

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SECRET_PARAMETERS = frozenset(
    ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
)
# Those of libpq 18. It repeats one that it does not know, which may be the end of a password with & in it.
_OTHER_PARAMETERS = """
    application_name channel_binding client_encoding connect_timeout dbname fallback_application_name gssdelegation
    gssencmode gsslib host hostaddr keepalives keepalives_count keepalives_idle keepalives_interval krbsrvname
    load_balance_hosts max_protocol_version min_protocol_version oauth_client_id oauth_issuer oauth_scope options
    passfile port replication require_auth requirepeer service servicefile ssl_max_protocol_version
    ssl_min_protocol_version sslcert sslcertmode sslcompression sslcrl sslcrldir sslkey sslkeylogfile sslmode
    sslnegotiation sslrootcert sslsni target_session_attrs tcp_user_timeout user
"""
_PARAMETERS = _SECRET_PARAMETERS.union(_OTHER_PARAMETERS.split())
# Nothing in it that another reader would take for the end of a part. libpq repeats an escape that it cannot read.
_UNREADABLE = re.compile(r"[\s\x00-\x1f\x7f#]|%(?![0-9A-Fa-f]{2})|%00")
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:]*)(?::[0-9]{0,5})?")
_DATABASE = re.compile(r"[^/@=:]*")
_ESCAPED_CHARACTER = re.compile(r"\\(.)")
# Of files that libpq reads as well; a user has a few lines there.
_LONGEST_FILE = 1_000_000


class DatabaseUrl(t.NamedTuple):
    """What a URL names: ``options`` are added to its own.

    ``secrets`` are hidden wherever they occur. ``weak_secrets`` are ordinary words, which cannot be.
    """

    shown: str
    secrets: tuple[str, ...]
    weak_secrets: tuple[str, ...]
    options: Mapping[str, str]
    has_time_limit: bool


def read_database_url(text: str, environment: Mapping[str, str] | None = None) -> DatabaseUrl:
    """Return what a URL names. Raises InputError, whose sentence has no part of it."""
    environment = os.environ if environment is None else environment
    head, _mark, query = text.partition("://")[2].partition("?")
    authority, _slash, database = head.partition("/")
    user, _at, places = authority.rpartition("@")
    read = [_PLACE.fullmatch(place) for place in places.split(",")]
    # Of two @, libpq takes the first for the end of the password, and asks DNS for what is behind it.
    if _UNREADABLE.search(text) or "@" in user or not all(read) or not _DATABASE.fullmatch(database):
        raise InputError(
            "The claim store is a URL of PostgreSQL that cannot be read. In its user and password, write @ as %40, "
            ": as %3A, / as %2F, ? as %3F, # as %23, & as %26 and % as %25."
        )
    parameters = _parameters_of(query)
    in_url = [unquote(user.partition(":")[2]), *(parameters.get(name, "") for name in _SECRET_PARAMETERS)]
    # Hiding such a word would change ordinary text, and not hiding it would print the password.
    if any(one and is_secret_common_word(one) for one in in_url):
        raise InputError(
            "The password in the URL of the store is too short, or an ordinary word: it could not be hidden in what is "
            "printed. Use PGPASSWORD, or another password."
        )
    service = _service_of(parameters, environment)
    in_place = [unquote(place[1].strip("[]")) for place in read if place]
    hosts = _hosts_asked(in_place, parameters, service or {}, environment)
    beside = {
        environment.get("PGPASSWORD", ""),
        *((service or {}).get(name, "") for name in _SECRET_PARAMETERS),
        *_passwords_in_file(None if service is None else hosts, parameters, service or {}, environment),
    } - {""}
    return DatabaseUrl(
        # Built from its parts: user, password and query are left out of all that is shown.
        f"postgresql://{places.lower()}{_slash}{database}",
        tuple(one for one in (*in_url, *beside) if one and not is_secret_common_word(one)),
        tuple(one for one in beside if is_secret_common_word(one)),
        _tls_options(hosts, parameters, service, environment),
        "connect_timeout" in parameters,
    )


def _parameters_of(query: str) -> dict[str, str]:
    """Return the parameters of a URL, of which libpq takes the last of a name. Raises InputError."""
    parameters: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        name, equals, value = pair.partition("=")
        # Not parse_qsl(): libpq leaves a plus as it is.
        parameters[unquote(name)] = unquote(value)
        is_known = unquote(name) in _PARAMETERS or pair == "ssl=true"
        if not is_known or not equals or "=" in value:
            raise InputError(
                "The URL of the store has a parameter that PostgreSQL does not know, or one without a value. Check its "
                "spelling, and write & in a value as %26 and = as %3D."
            )
    return parameters


def _hosts_asked(
    in_url: Sequence[str],
    parameters: Mapping[str, str],
    service: Mapping[str, str],
    environment: Mapping[str, str],
) -> list[str]:
    """Return all hosts and addresses that libpq may ask; an empty one is its socket."""
    named = parameters.get("host") or ",".join(in_url) or service.get("host") or environment.get("PGHOST", "")
    addresses = parameters.get("hostaddr") or service.get("hostaddr") or environment.get("PGHOSTADDR", "")
    return [*in_url, *named.split(","), *addresses.split(",")]


def _tls_options(
    hosts: Sequence[str],
    parameters: Mapping[str, str],
    service: Mapping[str, str] | None,
    environment: Mapping[str, str],
) -> dict[str, str]:
    """Return the sslmode where none is written: libpq itself would send a password in the clear to who asks for it."""
    written = (parameters.get("sslmode"), parameters.get("ssl"), environment.get("PGSSLMODE"))
    if any(written) or (service or {}).get("sslmode"):
        return {}
    # What is given to libpq beside the URL would be in the place of the service's own, which may be stricter.
    if service is None:
        raise InputError(
            "The claim store names a service of PostgreSQL that is in no file which can be read: set "
            "PGSERVICEFILE, or sslmode in the URL."
        )
    return {} if all(map(_is_of_this_machine, hosts)) else {"sslmode": "require"}


def _is_of_this_machine(host: str) -> bool:
    """Return whether a host is a loopback address or a socket; where none is named, it is a socket."""
    if not host or host.startswith(("/", "@")):
        return True
    try:
        return is_private_url(f"http://[{host}]" if ":" in host else f"http://{host}")
    except ValueError:
        return False


def _service_of(parameters: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str] | None:
    """Return the parameters of the service that is named, none where none is; None when they cannot be found."""
    name = parameters.get("service") or environment.get("PGSERVICE")
    if not name:
        return {}
    own = parameters.get("servicefile") or environment.get("PGSERVICEFILE") or _in_home(environment, ".pg_service.conf")
    # Where packages have the one of the machine, if no variable tells.
    folders = (environment.get("PGSYSCONFDIR", ""), "/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc")
    for path in (own, *(os.path.join(folder, "pg_service.conf") for folder in folders if folder)):
        found: dict[str, str] | None = None
        for line in _lines_of(path):
            if line.startswith("["):
                if found is not None:
                    break
                found = {} if line == f"[{name}]" else None
            elif found is not None and line.startswith("ldap"):
                return None  # its parameters are in a directory
            elif found is not None and not line.startswith("#"):
                key, _equals, value = line.partition("=")
                # libpq takes the first of a name there.
                found.setdefault(key.strip(), value.strip())
        if found is not None:
            return found
    return None


def _passwords_in_file(
    hosts: Sequence[str] | None,
    parameters: Mapping[str, str],
    service: Mapping[str, str],
    environment: Mapping[str, str],
) -> Iterator[str]:
    """Yield the passwords for these hosts, or for any, in the file that libpq looks in."""
    # Of its fields the host alone: for which port, database and user libpq asks comes from many places. A socket has
    # the name of this machine there.
    known = None if hosts is None else {"*", "localhost", *hosts}
    path = parameters.get("passfile") or service.get("passfile") or environment.get("PGPASSFILE")
    for line in _lines_of(path or _in_home(environment, ".pgpass")):
        # Host, port, database and user before it, in which a colon has a backslash.
        fields = re.split(r"(?<!\\):", line, maxsplit=4)
        is_for_host = known is None or _ESCAPED_CHARACTER.sub(r"\1", fields[0]) in known
        if len(fields) == 5 and not line.startswith("#") and is_for_host:
            yield fields[4]
            yield _ESCAPED_CHARACTER.sub(r"\1", fields[4])


def _in_home(environment: Mapping[str, str], name: str) -> str:
    return os.path.join(environment.get("HOME") or os.path.expanduser("~"), name)


def _lines_of(path: str) -> list[str]:
    try:
        with Path(path).open(encoding="utf-8", errors="surrogateescape") as file:
            return [line.strip() for line in file.read(_LONGEST_FILE).splitlines()]
    except (OSError, ValueError):
        return []  # libpq cannot read it either
