# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of the collection, one nox session each; `make test` runs them all (see tests/run.py).

`nox -s units -- tests/unit/plugins/module_utils/test_quantity.py` hands what follows `--` to the tool of the session.
Whatever a session makes stays under .build/.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t
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
    TOOLS,
    UV,
    close,
    close_all,
    collection_tree,
    install_core,
    integration_results,
    integration_targets,
    interpreters_path,
    junit_results,
    pip_settings,
    project_files,
    pythons_here,
    requirement,
    sanity_results,
    skipped_tests,
    units_results,
)

INTERPRETERS = interpreters_path()
os.environ["PATH"] = INTERPRETERS
# Every start of a Python that may write no bytecode compiles what it imports, and most sessions start hundreds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# nox installs with uv, which does not read what is set for pip. Sessions that call pip install it: uv leaves it out.
PACKAGE_INDEX = pip_settings().get("global", "index-url", fallback="")
if PACKAGE_INDEX:
    os.environ.setdefault("UV_DEFAULT_INDEX", PACKAGE_INDEX)

ANSIBLE_CORE = requirement(CORE)
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

SHARED = BUILD / "shared"  # has the copy of the collection that sessions share which do not write to it

Check = t.Callable[[nox.Session], None]


def shared(check: Check | None = None, /, **options: t.Any) -> t.Any:
    """A session in the environment of tests/tools.txt, which `make` has set up and in which nox runs, too."""
    if check is None:
        return functools.partial(shared, **options)

    @functools.wraps(check)
    def run(session: nox.Session) -> None:
        os.environ["PATH"] = os.pathsep.join([str(TOOLS), INTERPRETERS])
        check(session)

    return nox.session(python=False, **options)(run)


def own_folders(session: nox.Session, collections: Path = SHARED) -> dict[str, str]:
    """An environment in which tools find a copy of the collection, and leave the user's home alone."""
    place = BUILD / session.name
    place.mkdir(parents=True, exist_ok=True)
    return {
        **{"ANSIBLE_COLLECTIONS_PATH": str(collections), "PYTHONPATH": str(collections)},
        **{"ANSIBLE_HOME": str(place), "HOME": str(place), "NO_COLOR": "1"},
        "HYPOTHESIS_STORAGE_DIRECTORY": str(BUILD / "hypothesis"),  # its table of characters takes seconds to make
    }


# Files of tests mirror those of the code, so that two may have one name: they are imported by their paths.
UNITS = ("--import-mode=importlib", "tests/unit")


def run_pytest(session: nox.Session, *words: str, **environment: str) -> None:
    """Run pytest in the shared copy and close the session; a skipped test is a complaint, too."""
    environment = {**own_folders(session), **environment}
    report = BUILD / session.name / "junit.xml"
    report.unlink(missing_ok=True)
    with session.chdir(collection_tree(SHARED.name)):
        session.run(
            *("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}", *words),
            env=environment,
            success_codes=[0, 1],
        )
    results = junit_results(report)
    close(session, results.values(), skipped_tests(results))


def check_style(session: nox.Session) -> None:
    """ruff's format and its rules, and mypy, strict, over everything that ships."""
    cache = ("--cache-dir", str(BUILD / "ruff"))
    session.run("ruff", "format", "--check", *cache, ".")
    session.run("ruff", "check", *cache, ".")
    collection_tree(SHARED.name)
    with session.chdir(SHARED):
        session.run(
            *("mypy", "--config-file", str(ROOT / "mypy.ini"), "--cache-dir", str(BUILD / "mypy")),
            *(str(COLLECTION / name) for name in ("plugins", "playbooks/emulator", "extensions/eda/plugins")),
        )


@shared(default=False)
def tools(session: nox.Session) -> None:
    """Put what is in tests/tools.txt beside nox, where the sessions look for it."""
    files = ("-r", "tests/requirements.txt", "-r", "tests/tools.txt")
    session.run(UV, "pip", "install", "--quiet", "--python", sys.executable, *files, external=True)


@shared(default=False)
def quick(session: nox.Session) -> None:
    """What to run while working: format, lint, types, and the units that are not slow."""
    check_style(session)
    # Two for each core, as these tests wait for servers and processes half of their time.
    workers = 2 * (os.cpu_count() or 1)
    run_pytest(session, "-n", str(workers), "-m", "not slow", *(session.posargs or UNITS))


@shared(default=False)
def fix(session: nox.Session) -> None:
    """Format the code, and mend what ruff can."""
    cache = ("--cache-dir", str(BUILD / "ruff"))
    session.run("ruff", "check", "--fix", *cache, ".", success_codes=[0, 1])
    session.run("ruff", "format", *cache, ".")


def some_targets(session: nox.Session, scripts: bool) -> None:
    """Run the targets of ansible-test integration that are scripts, or those that are roles, or what is asked for."""
    words = session.posargs or [name for name, is_script in integration_targets().items() if is_script == scripts]
    close(session, *integration_results(session, THIS_PYTHON, *words))


@shared
def integration(session: nox.Session) -> None:
    """ansible-test integration: plays and roles on the emulator."""
    some_targets(session, scripts=False)


@shared
def units(session: nox.Session) -> None:
    """The units: the wire, the arithmetic, the emulator against the official SDK; all tries with EFFORT=full."""
    run_pytest(session, "-n", "2", *(session.posargs or UNITS))


@shared(name="integration-scripts")
def integration_scripts(session: nox.Session) -> None:
    """ansible-test integration: the documentation's examples and pipelines, and a search for secrets."""
    some_targets(session, scripts=True)


@shared
def sanity(session: nox.Session) -> None:
    """ansible-test sanity; the matrix runs it on every Python that the machine has."""
    close(session, *sanity_results(session, *session.posargs, python=THIS_PYTHON))


@shared
def attacks(session: nox.Session) -> None:
    """Servers made to hold a read for long, or to fill its memory: both are measured, in a process for each."""
    run_pytest(session, *(session.posargs or ["tests/attacks"]))


@shared(name="ansible-lint")
def ansible_lint(session: nox.Session) -> None:
    """ansible-lint with the production profile and no rule skipped."""
    with session.chdir(collection_tree(SHARED.name)):
        session.run("ansible-lint", "--profile", "production", "--strict", "--offline", env=own_folders(session))


@shared(name=f"units-{OLDEST_PYTHON}")
def units_oldest(session: nox.Session) -> None:
    """Modules and their client on the oldest Python that a target may have, where the matrix runs all units."""
    if not pythons_here([OLDEST_PYTHON]):
        session.skip(f"no Python {OLDEST_PYTHON} on this machine")
    print(f"not run on Python {OLDEST_PYTHON}, as the matrix does: the other units of module_utils")
    # Those in which the standard library, the memory of objects and libraries of the oldest Python matter.
    of_utils = ("_api/test_calls.py", "_api/test_documents.py", "_http/", "_login/")
    words = session.posargs or [
        "tests/unit/plugins/modules/",
        *(f"tests/unit/plugins/module_utils/{one}" for one in of_utils),
    ]
    close(session, *units_results(session, OLDEST_PYTHON, *words))


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


@shared
def browser(session: nox.Session) -> None:
    """The report's page in a real Chromium: what it loads, shows and says, and axe-core's rules of accessibility."""
    chromium = find_chromium()
    if chromium is None:
        print("not run: there is no Chromium, and only root on Debian installs it")
        session.skip("no Chromium")
    run_pytest(session, *(session.posargs or ["tests/browser"]), CHROMIUM=chromium)


def has_postgresql() -> bool:
    """Whether there are the programs of a PostgreSQL server, put there first where this may be done."""

    def is_there() -> bool:
        return any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb") is not None

    if not is_there():
        install_debian("postgresql")
    return is_there()


def run_claims(session: nox.Session, **environment: str) -> None:
    """Run the tests of claims on SQLite and on a PostgreSQL of their own."""
    if not has_postgresql():
        print("not run: there is no PostgreSQL, and only root on Debian installs it")
        session.skip("no PostgreSQL")
    libraries = ("psycopg[binary] ~= 3.2", "psycopg2-binary ~= 2.9")
    session.install(ANSIBLE_CORE, "-r", "meta/ee-requirements.txt", *libraries, "hypothesis", "pytest ~= 9.1")
    run_pytest(session, *(session.posargs or ["tests/claims"]), **environment)


@nox.session
def claims(session: nox.Session) -> None:
    """Claims on real stores: a 25th of the races, and of the processes that are killed."""
    run_claims(session)


@nox.session(name="claims-races", default=False, tags=["matrix"])
def claims_races(session: nox.Session) -> None:
    """Claims on real stores: 16 processes that ask 150 times, and 200 that are killed."""
    run_claims(session, EFFORT="full")


@shared(name="claims-model", default=False)
def claims_model(session: nox.Session) -> None:
    """The model of claims: every order of two deployers, and a million random moves of more; a quarter of an hour."""
    run_pytest(session, "-n", "2", *(session.posargs or ["tests/unit/claims"]), EFFORT="full")


@shared
def mesh(session: nox.Session) -> None:
    """80 pools gated in slices over workers of ansible-runner, as AWX does; `-- each.yml` by a gate for each pool."""
    run = collection_tree(SHARED.name) / "tests" / "mesh" / "run.py"
    session.run("python", str(run), *session.posargs, env=own_folders(session))


@shared
def style(session: nox.Session) -> None:
    """ruff's format and its rules, and mypy, strict, over everything that ships."""
    check_style(session)


@shared
def prose(session: nox.Session) -> None:
    """The English of the pages: proselint, and rules of our own on sentences."""
    session.run("python", "tests/prose/lint.py", *session.posargs)
    run_pytest(session, "-o", "pythonpath=tests/prose", "tests/prose")


@shared
def site(session: nox.Session) -> None:
    """The documentation, linted, and its site in .build/site/html: reference and guides, without a warning of ours."""
    place = BUILD / session.name
    source = place / "rst"
    # ansible-doc lists no roles where a path has ansible_collections twice, as below a clone at its place for Ansible.
    with tempfile.TemporaryDirectory() as collections:
        tree = Path(shutil.copytree(collection_tree(SHARED.name), Path(collections) / COLLECTION, symlinks=True))
        environment = own_folders(session, Path(collections))
        source.mkdir(mode=0o755, exist_ok=True)
        config = tree / "docs" / "sphinx"
        with session.chdir(tree):
            session.run(
                *("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "all", "."),
                env=environment,
            )
            session.run("antsibull-changelog", "lint", env=environment)
        session.run(
            *("antsibull-docs", "--config-file", str(config / "antsibull-docs.cfg"), "collection", "--use-current"),
            *("--fail-on-error", "--cleanup", "everything", "--squash-hierarchy", "--dest-dir", str(source)),
            "poolgate.modelarts",
            env=environment,
        )
        # antsibull-docs takes over pages alone.
        shutil.copytree(tree / "docs" / "docsite" / "rst" / "images", source / "docsite" / "images", dirs_exist_ok=True)
        words = ("sphinx-build", "-b", "html", "-E", "-q", "-c", str(config), str(source), str(place / "html"))
        output = str(session.run(*words, env=environment, silent=True))
    print(output)
    if OFFLINE in output:
        print("not run: the links to Ansible's documentation, as there is no way to docs.ansible.com")
    warnings = re.findall(r"^.*\b(?:WARNING|ERROR): .*$", output, re.MULTILINE)
    ours = [warning for warning in warnings if OFFLINE not in warning and not ANSIBLE_LABEL.search(warning)]
    if ours:
        session.error("\n".join(ours))
    print(f"{place / 'html' / 'index.html'}")


def built_artifact(session: nox.Session) -> Path:
    """Build the artifact where no session has done so of these files, and return it."""
    place, tree = BUILD / "artifact", collection_tree(SHARED.name)
    content = hashlib.sha256()
    for file in project_files():
        content.update(f"{file}\0".encode() + (ROOT / file).read_bytes())
    folder = place / content.hexdigest()
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(folder.glob("*.tar.gz")):
            for earlier in place.glob("*/"):
                shutil.rmtree(earlier)
            words = ("ansible-galaxy", "collection", "build", "--output-path", str(folder), str(tree))
            session.run(*words, env=own_folders(session))
        (artifact,) = folder.glob("poolgate-*.tar.gz")
        # A copy, as the next session may be one of other files.
        (BUILD / session.name).mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(artifact, BUILD / session.name))


def installed_artifact(session: nox.Session, collections: Path) -> Path:
    """Install the artifact into this folder as a user does, and return it."""
    environment = {**own_folders(session), "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    artifact = built_artifact(session)
    words = ("install", "--offline", "--force", "--collections-path", str(collections), str(artifact))
    session.run("ansible-galaxy", "collection", *words, env=environment)
    return artifact


@nox.session(name="galaxy-importer")
def galaxy_importer(session: nox.Session) -> None:
    """Import the artifact as Galaxy does, with the tags that certification asks for."""
    session.install(ANSIBLE_CORE, "galaxy-importer ~= 0.4.44")
    artifact = installed_artifact(session, BUILD / session.name / "installed")
    # The session ansible-lint does it with all files, not only with those of the artifact.
    flags = {"CHECK_REQUIRED_TAGS": "true", "RUN_ANSIBLE_LINT": "false"}
    environment = {**own_folders(session), **{f"GALAXY_IMPORTER_{name}": value for name, value in flags.items()}}
    with session.chdir(artifact.parent):
        log = str(session.run("python", "-m", "galaxy_importer.main", artifact.name, env=environment, silent=True))
    print(log)
    complaints = re.findall(r"^(?:ERROR|WARNING|CRITICAL).*", log, re.MULTILINE)
    if complaints:
        session.error("\n".join(complaints))
    if "Importer processing completed successfully" not in log:
        session.error("the importer did not come to its end")


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
    """The real ansible-rulebook with the event source of the installed artifact, and the guide on events."""
    if not has_java():
        print(f"not run: ansible-rulebook needs Java {JAVA} or later, as of Debian's openjdk-{JAVA}-jre-headless")
        session.skip("no Java")
    session.install(ANSIBLE_CORE, ANSIBLE_RULEBOOK, "pytest ~= 9.1", "-r", "meta/ee-requirements.txt")
    installed = BUILD / session.name / "installed"
    shutil.rmtree(installed, ignore_errors=True)
    installed_artifact(session, installed)
    words = ("--noconftest", *(session.posargs or ["tests/rulebook"]))
    run_pytest(session, *words, ANSIBLE_COLLECTIONS_PATH=str(installed), PYTHONPATH="")


@nox.session
def awx(session: nox.Session) -> None:
    """What extensions/awx has, on parts of AWX: its collection, its injector, ansible-runner and ansible-builder."""
    session.install(
        *(ANSIBLE_CORE, *AWX_PARTS, "ansible-builder ~= 3.2", "ansible-runner ~= 2.4", "pip", "pytest ~= 9.1"),
        *("-r", "meta/ee-requirements.txt"),
    )
    place = BUILD / session.name
    installed = place / "installed"
    if not (installed / "ansible_collections" / "awx" / "awx").is_dir():
        session.run("pip", "download", "--quiet", "--no-deps", "--dest", str(place), AWX_COLLECTION)
        with zipfile.ZipFile(*place.glob("ansible-*.whl")) as package:
            names = [name for name in package.namelist() if name.startswith("ansible_collections/awx/awx/")]
            package.extractall(installed, names)
    artifact = installed_artifact(session, installed)
    words = ("-o", f"pythonpath={installed} tests tests/integration/targets/guides")
    own = {"ANSIBLE_COLLECTIONS_PATH": str(installed), "PYTHONPATH": "", "COLLECTION_ARTIFACT": str(artifact)}
    run_pytest(session, *words, *(session.posargs or ["tests/awx"]), **own)


def shown_output(text: str) -> str:
    """The lines without what differs from run to run: times, ages, and how often a waiting gate has looked."""
    text = re.sub(r" +\(nodes read .*\)|\d\d:\d\d:\d\dZ \d:\d\d:\d\d/|waited \d+ s, \d+ attempts?", "~", text)
    return "\n".join(["", *(line for line, _same in itertools.groupby(text.strip().splitlines())), ""])


@shared
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
    follow = collection_tree(SHARED.name) / "tests" / "integration" / "targets" / "guides" / "run_guides.py"
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
        session.install(requirement(core), "-r", "meta/ee-requirements.txt", "hypothesis", "pytest ~= 9.1")
        run_pytest(session, *(session.posargs or ["tests/unit/faults/test_text_stays_text.py"]))

    play.__doc__ = f"Everything in one play with ansible-core {core}, as what differs between cores shows there."


# The oldest, and the newest, as what is between them lies between them in what differs, too.
for each in (next(iter(CORES)), list(CORES)[-1]):
    add_play(each)


@shared(default=False, tags=["matrix"])
def thorough(session: nox.Session) -> None:
    """The units with all that is made up at random, of which the other sessions try a 25th."""
    run_pytest(session, "-n", "2", *(session.posargs or UNITS), EFFORT="full")


def matrix_pythons(core: str) -> list[str]:
    """The Pythons of this machine on which the matrix runs the units with an ansible-core.

    These are all that CORE has, and of every other core the oldest and the newest: differences between Pythons show
    with any core, and differences between cores on any Python.
    """
    newest = int(CORES[core][-1][2:])
    here = pythons_here(f"3.{minor}" for minor in range(int(OLDEST_PYTHON[2:]), newest + 1))
    return here if core == CORE else list(dict.fromkeys((here[0], here[-1])))


def add_core(core: str) -> None:
    """Add the session of the matrix that runs the tests with one ansible-core."""
    controllers = pythons_here(CORES[core])

    @nox.session(name=f"core-{core}", python=controllers[0] if controllers else False, default=False, tags=["matrix"])
    def matrix(session: nox.Session) -> None:
        wanted = session.posargs or [OLDEST_PYTHON, *CORES[core]]
        absent = [python for python in wanted if not pythons_here([python])]
        if absent:
            print(f"not run with ansible-core {core}, as not on this machine: Python {', '.join(absent)}")
        if not controllers:
            session.skip(f"no Python {' or '.join(CORES[core])} on this machine")
        install_core(session, core)
        runs = {}
        if not session.posargs:
            runs["sanity"] = sanity_results(session)
        here = pythons_here(session.posargs) if session.posargs else matrix_pythons(core)
        for python in here:
            runs[f"units on Python {python}"] = units_results(session, python)
        # Once for each core: plays differ by the core, and what differs by the Python the units show.
        for python in [one for one in here if one in controllers][-1:]:
            runs[f"integration on Python {python}"] = integration_results(session, python, "--venv")
        close_all(session, runs)

    matrix.__doc__ = f"ansible-test with ansible-core {core}: sanity, units and integration."


for each in CORES:
    add_core(each)


# extra-checks and license-check
antsibull_nox.load_antsibull_nox_toml()
