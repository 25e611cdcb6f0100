"""How pip and uv are called."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import sys
from typing import Any
from urllib.parse import urlsplit

# From this version on pip tells where each package came from.
_PIP_REPORTS = (22, 2)


class Step:
    """One call of an installer.

    Parameters
    ----------
    requirements
        What to install.
    project
        A source tree to install with them.
    hashed
        Whether everything is checked against a hash.
    only_wheels
        Whether no package may run code of its own.
    cached
        Whether the cache may be used.
    alone
        Whether what they depend on is left out.
    """

    def __init__(
        self,
        requirements: list[str],
        project: str | None = None,
        hashed: bool = False,
        only_wheels: bool = False,
        cached: bool = True,
        alone: bool = False,
    ) -> None:
        self.requirements = requirements
        self.project = project
        self.hashed = hashed
        self.only_wheels = only_wheels
        self.cached = cached
        self.alone = alone

    def lines(self, find_links: list[str]) -> list[str]:
        """Return the lines of a requirements file.

        Parameters
        ----------
        find_links
            Where wheels lie besides the index.
        """
        lines = ["--find-links " + shlex.quote(place) for place in find_links]
        for text in self.requirements:
            if text.lstrip().startswith("-") or not text.isprintable():
                raise ValueError("not a requirement: " + repr(text))
            lines.append(text)
        return lines

    def options(self) -> list[str]:
        """Return the options that pip and uv have in common."""
        options = []
        if self.hashed:
            options.append("--require-hashes")
        if self.only_wheels:
            options += ["--only-binary", ":all:"]
        if self.alone:
            options.append("--no-deps")
        return options + ([self.project] if self.project else [])


class Pip:
    """The pip of this interpreter."""

    name = "pip"

    def __init__(self) -> None:
        self.version = importlib.metadata.version("pip")
        numbers = self.version.split(".")[:2]
        self.reports = tuple(int(n) for n in numbers if n.isdigit()) >= _PIP_REPORTS

    def lines(self, spec: dict[str, Any], step: Step) -> list[str]:
        """Return the lines of the requirements file of a step."""
        return step.lines(spec["find_links"])

    def command(
        self, spec: dict[str, Any], step: Step, requirements: str, report: str
    ) -> list[str]:
        """Return the command of a step; it writes what it did to ``report``."""
        command = [
            sys.executable,
            "-I",
            "-m",
            "pip",
            "install",
            "--target",
            spec["target"],
            "--requirement",
            requirements,
            "--no-input",
            "--no-compile",
            "--disable-pip-version-check",
            "--progress-bar=off",
            "--retries=2",
            "--timeout=15",
        ]
        if self.reports:
            command += ["--report", report]
        return command + step.options()

    def variables(
        self, spec: dict[str, Any], step: Step, no_index: bool
    ) -> dict[str, str]:
        """Return pip's variables; addresses may hold passwords, so none is an argument."""
        # Its advice is for people who install into their system.
        variables = {"PIP_ROOT_USER_ACTION": "ignore"}
        if spec.get("cache") and step.cached:
            variables["PIP_CACHE_DIR"] = spec["cache"]
        else:
            variables["PIP_NO_CACHE_DIR"] = "1"
        if spec.get("ca_bundle"):
            for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
                variables[name] = spec["ca_bundle"]
        extra = list(spec.get("extra_index_urls") or [])
        if no_index:
            variables["PIP_NO_INDEX"] = "1"
        else:
            if spec.get("index_url"):
                variables["PIP_INDEX_URL"] = spec["index_url"]
            if extra:
                variables["PIP_EXTRA_INDEX_URL"] = " ".join(extra)
        # The operator named these addresses without encryption; pip wants to hear it twice.
        plain = _plain_hosts(spec)
        if plain:
            variables["PIP_TRUSTED_HOST"] = " ".join(plain)
        return variables


class UV:
    """The uv that the image has.

    Parameters
    ----------
    path
        Its program.
    """

    name = "uv"
    version = ""

    def __init__(self, path: str) -> None:
        self._path = path

    def lines(self, spec: dict[str, Any], step: Step) -> list[str]:
        """Return the lines of the requirements file of a step."""
        return step.lines([])

    def command(
        self, spec: dict[str, Any], step: Step, requirements: str, report: str
    ) -> list[str]:
        """Return the command of a step; uv writes no report."""
        return [
            self._path,
            "pip",
            "install",
            "--target",
            spec["target"],
            "--python",
            sys.executable,
            "--requirement",
            requirements,
            "--no-progress",
            "--color=never",
            # Files of the cache must not be those that are sealed.
            "--link-mode=copy",
        ] + step.options()

    def variables(
        self, spec: dict[str, Any], step: Step, no_index: bool
    ) -> dict[str, str]:
        """Return uv's variables; addresses may hold passwords, so none is an argument."""
        variables = {
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_HTTP_TIMEOUT": "15",
            "UV_HTTP_RETRIES": "2",
        }
        if spec.get("cache") and step.cached:
            variables["UV_CACHE_DIR"] = os.path.join(spec["cache"], "uv")
        else:
            variables["UV_NO_CACHE"] = "1"
        if spec.get("ca_bundle"):
            variables["SSL_CERT_FILE"] = spec["ca_bundle"]
        if spec["find_links"]:
            variables["UV_FIND_LINKS"] = ",".join(spec["find_links"])
        if no_index:
            variables["UV_NO_INDEX"] = "1"
            variables["UV_OFFLINE"] = "1"
        else:
            if spec.get("index_url"):
                variables["UV_DEFAULT_INDEX"] = spec["index_url"]
            extra = spec.get("extra_index_urls") or []
            if extra:
                variables["UV_INDEX"] = " ".join(extra)
        plain = _plain_hosts(spec)
        if plain:
            variables["UV_INSECURE_HOST"] = " ".join(plain)
        return variables


def choose(wanted: str) -> Pip | UV | None:
    """Return the installer that is wanted; None when it is not here.

    Parameters
    ----------
    wanted
        ``pip``, ``uv``, or ``auto`` for uv where it is here and pip otherwise.
    """
    uv = _find_uv() if wanted != "pip" else None
    if uv is not None:
        return UV(uv)
    if wanted == "uv" or importlib.util.find_spec("pip") is None:
        return None
    return Pip()


def shared_variables(spec: dict[str, Any], scratch: str) -> dict[str, str]:
    """Return the variables that every installer gets.

    Parameters
    ----------
    spec
        The specification.
    scratch
        A folder of the user.
    """
    kept = ("PATH", "LANG", "LC_ALL", "TZ")
    variables = {name: os.environ[name] for name in kept if name in os.environ}
    # On the disk: wheels can be larger than memory, and moving them costs nothing.
    variables["TMPDIR"] = scratch
    variables["HOME"] = (
        os.environ.get("HOME", scratch) if spec.get("user") is None else scratch
    )
    if spec.get("proxy"):
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            variables[name] = spec["proxy"]
    return variables


def _find_uv() -> str | None:
    found = shutil.which("uv")
    if found is not None:
        return found
    if importlib.util.find_spec("uv") is None:
        return None
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    return beside if os.access(beside, os.X_OK) else None


def _plain_hosts(spec: dict[str, Any]) -> list[str]:
    addresses = [spec.get("index_url") or ""]
    addresses += list(spec.get("extra_index_urls") or []) + spec["find_links"]
    return sorted(
        {
            urlsplit(url).netloc.rpartition("@")[2]
            for url in addresses
            if url.startswith("http://")
        }
    )
