# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of the collection, one nox session each; `make test` runs them all (see tests/run.py).

`nox -s units -- tests/unit/plugins/module_utils/test__quantity.py` hands what follows `--` to the tool of the session.
Whatever a session makes stays under .build/.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import antsibull_nox
import nox

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tests"))

from ansible_test import (
    BUILD,
    COLLECTION,
    CORE,
    CORES,
    OLDEST_PYTHON,
    THIS_PYTHON,
    close,
    close_all,
    collection_tree,
    integration_results,
    interpreters_path,
    junit_results,
    pip_settings,
    pythons_here,
    requirement,
    sanity_results,
    units_results,
)

os.environ["PATH"] = interpreters_path()

# nox installs with uv, which does not read what is set for pip. Sessions that call pip install it: uv leaves it out.
PACKAGE_INDEX = pip_settings().get("global", "index-url", fallback="")
if PACKAGE_INDEX:
    os.environ.setdefault("UV_DEFAULT_INDEX", PACKAGE_INDEX)
# pip compiles what it installs, uv does when it is told. Where Python may write no bytecode, every start would.
os.environ.setdefault("UV_COMPILE_BYTECODE", "1")

ANSIBLE_CORE = requirement(CORE)
ANSIBLE_LINT = "ansible-lint ~= 26.10"
ANSIBLE_RULEBOOK = "ansible-rulebook ~= 1.3.2"
JAVA = 17
# AWX's injector, of which there are pre-releases only, and the last community package that has the collection awx.awx.
AWX_PARTS = ("awx-plugins-core == 0.2.0a0", "awx-plugins-interfaces == 0.0.1a5")
AWX_COLLECTION = "ansible == 11.13.0"

# Without a network, Sphinx does not know the labels of Ansible's documentation, to which antsibull-docs links.
OFFLINE = "failed to reach any of the inventories"
ANSIBLE_LABEL = re.compile(
    r"undefined label: '(ansible_collections\.ansible\.builtin\.\w+|ansible_configuration_settings|action_plugins"
    r"|common_return_values)'"
)

nox.needs_version = ">=2025.5.1"
nox.options.envdir = str(BUILD / "nox")
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True


@nox.session
def sanity(session: nox.Session) -> None:
    """ansible-test sanity; the matrix runs it on every Python that the machine has."""
    close(session, *sanity_results(session, CORE, *session.posargs, python=THIS_PYTHON))


@nox.session
def units(session: nox.Session) -> None:
    """ansible-test units: the wire, the arithmetic, the emulator against the official SDK."""
    close(session, *units_results(session, CORE, THIS_PYTHON, *session.posargs))


@nox.session(name=f"units-{OLDEST_PYTHON}")
def units_oldest(session: nox.Session) -> None:
    """Modules and their client on the oldest Python that a target may have, where the matrix runs all units."""
    if not pythons_here([OLDEST_PYTHON]):
        session.skip(f"no Python {OLDEST_PYTHON} on this machine")
    print(f"not run on Python {OLDEST_PYTHON}, as the matrix does: the other units of module_utils")
    words = session.posargs or ["tests/unit/plugins/modules/", "tests/unit/plugins/module_utils/test_client.py"]
    close(session, *units_results(session, CORE, OLDEST_PYTHON, *words))


@nox.session
def integration(session: nox.Session) -> None:
    """ansible-test integration: playbooks, roles and the documentation's examples on the emulator."""
    close(session, *integration_results(session, CORE, THIS_PYTHON, *session.posargs))


def install_debian(package: str) -> None:
    """Install a package where root may: one session at a time, as apt-get does not wait for the lists of another."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for words in (["update"], ["install", "--yes", "--no-install-recommends", package]):
            quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
            subprocess.run(["apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=300", *words], check=False, env=quiet)


def find_chromium() -> str | None:
    """The browser, put there first where this may be done."""
    names = ("chromium", "chromium-browser", "google-chrome")
    if not any(map(shutil.which, names)):
        install_debian(names[0])
    return next((found for found in map(shutil.which, names) if found), None)


@nox.session
def browser(session: nox.Session) -> None:
    """The report's page in a real Chromium: what it loads, shows and says, and axe-core's rules of accessibility."""
    chromium = find_chromium()
    if chromium is None:
        print("not run: there is no Chromium, and only root on Debian installs it")
        session.skip("no Chromium")
    session.install(
        *(ANSIBLE_CORE, "pytest ~= 9.1", "playwright ~= 1.60", "axe-playwright-python ~= 0.1.7"),
        *("-r", "meta/ee-requirements.txt"),
    )
    tree = collection_tree(session)
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tree), *session.posargs)
    junit = tree / "tests" / "output" / "junit" / "browser.xml"
    session.run(
        *("python", "-B", *words, "--junitxml", str(junit), str(tree / "tests" / "browser")),
        env={"CHROMIUM": chromium, "PYTHONPATH": str(BUILD / session.name)},
        success_codes=[0, 1],
    )
    close(session, junit_results(tree).values(), "")


@nox.session
def mesh(session: nox.Session) -> None:
    """200 pools gated in slices over workers of ansible-runner, as AWX does; `-- each.yml` by a gate for each pool."""
    session.install(ANSIBLE_CORE, "ansible-runner ~= 2.4", "-r", "meta/ee-requirements.txt")
    tree = collection_tree(session)
    environment = {**own_folders(session), "PYTHONPATH": str(BUILD / session.name)}
    session.run("python", "-B", str(tree / "tests" / "mesh" / "run.py"), *session.posargs, env=environment)


@nox.session
def mypy(session: nox.Session) -> None:
    """mypy, strict, over everything that ships."""
    session.install(ANSIBLE_CORE, "mypy ~= 2.4", "types-requests", "types-PyYAML", "-r", "meta/ee-requirements.txt")
    collection_tree(session)
    with session.chdir(BUILD / session.name):
        session.run(
            *("mypy", "--config-file", str(ROOT / "mypy.ini"), "--cache-dir", "cache"),
            *(str(COLLECTION / name) for name in ("plugins", "playbooks/emulator", "extensions/eda/plugins")),
        )


@nox.session
def ruff(session: nox.Session) -> None:
    """ruff's rules and its format."""
    session.install("ruff ~= 0.17.6")
    cache = ("--cache-dir", str(BUILD / session.name))
    session.run("ruff", "check", *cache, ".")
    session.run("ruff", "format", "--check", *cache, ".")


def own_folders(session: nox.Session) -> dict[str, str]:
    """An environment in which tools find the session's copy of the collection, and leave the user's home alone."""
    place = str(BUILD / session.name)
    return {"ANSIBLE_COLLECTIONS_PATH": place, "ANSIBLE_HOME": place, "HOME": place}


@nox.session(name="ansible-lint")
def ansible_lint(session: nox.Session) -> None:
    """ansible-lint with the production profile and no rule skipped."""
    session.install(ANSIBLE_CORE, ANSIBLE_LINT)
    with session.chdir(collection_tree(session)):
        session.run("ansible-lint", "--profile", "production", "--strict", "--offline", env=own_folders(session))


@nox.session
def docs(session: nox.Session) -> None:
    """antsibull-docs over the documentation of plugins and roles, antsibull-changelog over the fragments."""
    session.install(ANSIBLE_CORE, "antsibull-docs ~= 2.28", "antsibull-changelog ~= 0.36")
    with session.chdir(collection_tree(session)):
        session.run(
            *("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "all", "."),
            env=own_folders(session),
        )
        session.run("antsibull-changelog", "lint", env=own_folders(session))


@nox.session
def site(session: nox.Session) -> None:
    """The documentation site, in .build/site/html: reference and guides, without a warning of ours."""
    session.install(
        ANSIBLE_CORE, "antsibull-docs ~= 2.28", "ansible-pygments", "sphinx ~= 9.0", "sphinx-ansible-theme ~= 0.10"
    )
    tree, place = collection_tree(session), BUILD / session.name
    source = place / "rst"
    source.mkdir(mode=0o755, exist_ok=True)
    config = tree / "docs" / "sphinx"
    session.run(
        *("antsibull-docs", "--config-file", str(config / "antsibull-docs.cfg"), "collection", "--use-current"),
        *("--fail-on-error", "--cleanup", "everything", "--squash-hierarchy", "--dest-dir", str(source)),
        "poolgate.modelarts",
        env=own_folders(session),
    )
    output = str(
        session.run(
            *("sphinx-build", "-b", "html", "-E", "-q", "-c", str(config), str(source), str(place / "html")),
            env={**own_folders(session), "NO_COLOR": "1"},
            silent=True,
        )
    )
    print(output)
    if OFFLINE in output:
        print("not run: the links to Ansible's documentation, as there is no way to docs.ansible.com")
    warnings = re.findall(r"^.*\b(?:WARNING|ERROR): .*$", output, re.MULTILINE)
    ours = [warning for warning in warnings if OFFLINE not in warning and not ANSIBLE_LABEL.search(warning)]
    if ours:
        session.error("\n".join(ours))
    print(f"{place / 'html' / 'index.html'}")


@nox.session(name="galaxy-importer")
def galaxy_importer(session: nox.Session) -> None:
    """Build the artifact and import it as Galaxy does, with the tags that certification asks for."""
    session.install(ANSIBLE_CORE, ANSIBLE_LINT, "galaxy-importer ~= 0.4.44")
    tree = collection_tree(session)
    place = BUILD / session.name
    for artifact in place.glob("*.tar.gz"):
        artifact.unlink()
    environment = {**own_folders(session), "GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true"}
    session.run("ansible-galaxy", "collection", "build", "--output-path", str(place), str(tree), env=environment)
    (artifact,) = place.glob("*.tar.gz")
    with session.chdir(place):
        log = str(session.run("python", "-m", "galaxy_importer.main", artifact.name, env=environment, silent=True))
    print(log)
    complaints = re.findall(r"^(?:ERROR|WARNING|CRITICAL).*", log, re.MULTILINE)
    if complaints:
        session.error("\n".join(complaints))


def has_java() -> bool:
    """Whether there is a Java for the rule engine of ansible-rulebook, put there first where this may be done."""
    if not shutil.which("java"):
        install_debian("openjdk-17-jre-headless")
    if not shutil.which("java"):
        return False
    said = subprocess.run(["java", "-version"], capture_output=True, check=False, text=True).stderr
    version = re.search(r'version "(\d+)', said)
    return version is not None and int(version.group(1)) >= JAVA


@nox.session
def rulebook(session: nox.Session) -> None:
    """The real ansible-rulebook with the event source of the built collection, and the guide on events."""
    if not has_java():
        print(f"not run: ansible-rulebook needs Java {JAVA} or later, as of Debian's openjdk-{JAVA}-jre-headless")
        session.skip("no Java")
    session.install(ANSIBLE_CORE, ANSIBLE_RULEBOOK, "pytest ~= 9.0", "-r", "meta/ee-requirements.txt")
    tree = collection_tree(session)
    place = BUILD / session.name / "installed"
    shutil.rmtree(place, ignore_errors=True)
    galaxy = ("ansible-galaxy", "collection")
    own = {**own_folders(session), "ANSIBLE_COLLECTIONS_PATH": str(place)}
    session.run(*galaxy, "build", "--output-path", str(place), str(tree), env=own)
    (artifact,) = place.glob("*.tar.gz")
    session.run(*galaxy, "install", "--offline", "--collections-path", str(place), str(artifact), env=own)
    report = tree / "tests" / "output" / "junit" / f"{session.name}.xml"
    with session.chdir(tree):
        session.run(
            *("python", "-m", "pytest", "-p", "no:cacheprovider", "--noconftest", f"--junit-xml={report}"),
            *("tests/rulebook", *session.posargs),
            env={"ANSIBLE_COLLECTIONS_PATH": str(place)},
            success_codes=(0, 1),
        )
    close(session, junit_results(tree).values(), "")


@nox.session
def awx(session: nox.Session) -> None:
    """What extensions/awx has, on parts of AWX: its collection, its injector, ansible-runner and ansible-builder."""
    session.install(
        *(ANSIBLE_CORE, *AWX_PARTS, "ansible-builder ~= 3.2", "ansible-runner ~= 2.4", "pip", "pytest ~= 9.0"),
        *("-r", "meta/ee-requirements.txt"),
    )
    tree = collection_tree(session)
    place = BUILD / session.name
    collections_path = place / "installed"
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(collections_path), "ANSIBLE_HOME": str(place / "home")}
    if not (collections_path / "ansible_collections" / "awx" / "awx").is_dir():
        session.run("pip", "download", "--quiet", "--no-deps", "--dest", str(place), AWX_COLLECTION)
        with zipfile.ZipFile(*place.glob("ansible-*.whl")) as package:
            names = [name for name in package.namelist() if name.startswith("ansible_collections/awx/awx/")]
            package.extractall(collections_path, names)
    for file in place.glob("poolgate-*.tar.gz"):
        file.unlink()
    session.run("ansible-galaxy", "collection", "build", "--output-path", str(place), str(tree), env=environment)
    (artifact,) = place.glob("poolgate-*.tar.gz")
    install = ("ansible-galaxy", "collection", "install", "--offline", "--force", "--collections-path")
    session.run(*install, str(collections_path), str(artifact), env=environment)
    with session.chdir(tree):
        session.run(
            *("pytest", "-q", "-p", "no:cacheprovider", "--junitxml", "tests/output/junit/awx.xml"),
            *("-o", f"pythonpath={collections_path} tests tests/integration/targets/guides"),
            *(session.posargs or ["tests/awx"]),
            env={**environment, "COLLECTION_ARTIFACT": str(artifact)},
            success_codes=[0, 1],
        )
    results = junit_results(tree)
    close(session, results.values(), "\n".join(name for name, result in results.items() if result != "passed"))


def shown_output(text: str) -> str:
    """The lines without what differs from run to run: times, ages, and how often a waiting gate has looked."""
    text = re.sub(r" +\(nodes read .*\)|\d\d:\d\d:\d\dZ \d:\d\d:\d\d/|waited \d+ s, \d+ attempts?", "~", text)
    return "\n".join(["", *(line for line, _same in itertools.groupby(text.strip().splitlines())), ""])


@nox.session(python=False)
def demo(session: nox.Session) -> None:
    """`make demo`, which installs the artifact as a user does and runs its demo, and what the README shows of it."""
    output = str(session.run("make", "demo", external=True, silent=True))
    print(output)
    printed = shown_output(output)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    excerpts = [excerpt for block in blocks for excerpt in block.split("\n\n")]
    results = ["passed" if shown_output(each) in printed else "failed" for each in excerpts]
    close(session, results, "README.md shows what `make demo` does not print" if "failed" in results else "")


def contributing_result(session: nox.Session, command: str) -> str:
    """Whether CONTRIBUTING.md gives a command that there is. To run it would be every check a second time."""
    call, _separator, words = command.partition(" -- ")
    dry = call.replace("make ", "make --dry-run ").replace(".build/venv/bin/nox", f"{sys.executable} -m nox --list")
    targets = ROOT / "tests" / "integration" / "targets"
    try:
        session.run(*dry.split(), external=True, silent=True)
        named = [word for word in words.split() if "/" in word or (call.endswith(" integration") and word[0] != "-")]
        there = all((ROOT / word).exists() or (targets / word).is_dir() for word in named)
    except nox.command.CommandFailed:
        there = False
    print(f"{'ok' if there else 'FAIL'} CONTRIBUTING.md: {command}")
    return "ok" if there else "FAIL"


@nox.session
def readme(session: nox.Session) -> None:
    """Every command and example of the README files, on the emulator; that the commands for contributors are there."""
    session.install(ANSIBLE_CORE, "pip", "-r", "meta/ee-requirements.txt")
    tree = collection_tree(session)
    follow = tree / "tests" / "integration" / "targets" / "guides" / "run_guides.py"
    command = ("python", str(follow), "--readme")
    output = str(session.run(*command, env=own_folders(session), silent=True, success_codes=[0, 1]))
    print(output)
    results = re.findall(r"^(ok|FAIL) ", output, re.MULTILINE)
    commands = re.findall(r"^\$ (.+)$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    results += [contributing_result(session, each) for each in commands]
    complaint = "a README says what does not hold" if "FAIL" in results else ""
    close(session, ["passed" if result == "ok" else "failed" for result in results], complaint)


def add_play(core: str) -> None:
    """Add the session that runs everything in one play with an ansible-core that is not CORE."""
    mine = THIS_PYTHON if THIS_PYTHON in CORES[core] else next(iter(pythons_here(CORES[core])), None)

    @nox.session(name=f"play-{core}", python=mine or False)
    def play(session: nox.Session) -> None:
        if mine is None:
            print(f"not run with ansible-core {core}: no Python {' or '.join(CORES[core])} on this machine")
            session.skip("no Python")
        session.install(requirement(core), "-r", "meta/ee-requirements.txt", "hypothesis", "pytest")
        tree = collection_tree(session)
        folders = own_folders(session)
        with session.chdir(tree):
            output = session.run(
                *("python", "-m", "pytest", "-p", "no:cacheprovider", "tests/unit/faults/test_text_stays_text.py"),
                env={**folders, "PYTHONPATH": folders["ANSIBLE_COLLECTIONS_PATH"]},
                silent=True,
                success_codes=[0, 1],
            )
        print(output)
        close(session, ["passed" if re.search(r"= \d+ passed in ", str(output)) else "failed"], "")

    play.__doc__ = f"Everything in one play with ansible-core {core}, as what differs between cores shows there."


# The oldest, and the newest, as what is between them lies between them in what differs, too.
for each in (next(iter(CORES)), list(CORES)[-1]):
    add_play(each)


def add_core(core: str) -> None:
    """Add the session of the matrix that runs the tests with one ansible-core."""
    controllers = pythons_here(CORES[core])

    @nox.session(name=f"core-{core}", python=controllers[0] if controllers else False, default=False, tags=["matrix"])
    def matrix(session: nox.Session) -> None:
        newest = CORES[core][-1]
        targets = [f"3.{minor}" for minor in range(int(OLDEST_PYTHON[2:]), int(newest[2:]) + 1)]
        wanted = session.posargs or targets
        absent = [python for python in wanted if python not in pythons_here(wanted)]
        if absent:
            print(f"not run with ansible-core {core}, as not on this machine: Python {', '.join(absent)}")
        if not controllers:
            session.skip(f"no Python {' or '.join(CORES[core])} on this machine")
        runs = {}
        if not session.posargs:
            runs["sanity"] = sanity_results(session, core)
        for python in pythons_here(wanted):
            runs[f"units on Python {python}"] = units_results(session, core, python)
            if python in controllers:
                runs[f"integration on Python {python}"] = integration_results(session, core, python)
        close_all(session, runs)

    matrix.__doc__ = f"ansible-test with ansible-core {core}, on every Python that it and the machine have."


for each in CORES:
    add_core(each)


# extra-checks and license-check
antsibull_nox.load_antsibull_nox_toml()
