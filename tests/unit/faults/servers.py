# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints that cannot be talked to: nobody listens, certificates that are not to be trusted, no such name."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import typing as t
from pathlib import Path

from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .plan import Entry, pool, pool_id

UNREACHABLE = (
    "connection refused",
    "certificate of an unknown authority",
    "certificate expired",
    "certificate of another host",
    "no such name in DNS",
)
POOL = pool_id(0, "any")

_NO_SUCH_NAME = """
import socket
_real = socket.getaddrinfo
def getaddrinfo(host, *arguments, **options):
    if str(host).endswith(".invalid"):
        raise socket.gaierror(-2, "Name or service not known")
    return _real(host, *arguments, **options)
socket.getaddrinfo = getaddrinfo
"""


def certificate(
    file: Path, name: str = "127.0.0.1", ends_in_hours: float = 1.0, starts_in_hours: float = -48.0
) -> Path:
    """A certificate that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(hours=starts_in_hours))
        .not_valid_after(now + datetime.timedelta(hours=ends_in_hours))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return file


def no_such_names(folder: Path) -> None:
    """For processes with this folder on PYTHONPATH: names under .invalid do not exist, whatever this network says."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_NO_SUCH_NAME)


@contextlib.contextmanager
def unreachable(folder: Path) -> t.Iterator[dict[str, Entry]]:
    """Options of a connection to an endpoint of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        found = {UNREACHABLE[0]: {"endpoint": f"http://127.0.0.1:{nobody.getsockname()[1]}"}}
        given: dict[str, tuple[Path, dict[str, str]]] = {
            UNREACHABLE[1]: (certificate(folder / "unknown.pem"), {}),
            UNREACHABLE[2]: (certificate(folder / "expired.pem", ends_in_hours=-1), {"ca_path": "expired.pem"}),
            UNREACHABLE[3]: (certificate(folder / "other.pem", name="other.example"), {"ca_path": "other.pem"}),
        }
        for name, (file, options) in given.items():
            emulator = stack.enter_context(Emulator({"pools": [pool(POOL)]}, tls_cert=file))
            found[name] = {"endpoint": emulator.endpoint}
            if options:
                found[name]["ca_path"] = str(folder / options["ca_path"])
        found[UNREACHABLE[4]] = {"endpoint": "https://modelarts.invalid"}
        yield {name: {**options, "auth_token": "a-token", "project_id": "p1"} for name, options in found.items()}
