"""Parts of the builder of environments that need no installer."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "Sources/RunnerFiles/builder"
_package = types.ModuleType("_builder")
_package.__path__ = [str(_FOLDER)]
sys.modules.setdefault("_builder", _package)

from _builder import installers, project, reach, record, seal, verdict, volume
from _builder.output import LIMIT_BYTES, Output


def test_output_is_told_in_whole_lines_without_credentials(tmp_path: Path) -> None:
    path = tmp_path / "output"
    output = Output(str(path))
    output.take(b"Looking in https://user:sec")
    assert path.read_bytes() == b""
    output.take(b"ret@index.example/simple\nCollecting a (from -r /x/.slipway-tmp/r")
    output.take(b"equirements-0.txt (line 2))\nrest")
    output.say("done")
    assert path.read_text() == (
        "Looking in https://****@index.example/simple\nCollecting a\nrest\ndone\n"
    )
    assert "secret" not in output.text


def test_a_flood_ends_the_file_and_keeps_the_end(tmp_path: Path) -> None:
    path = tmp_path / "output"
    output = Output(str(path))
    mark = output.mark()
    for number in range(40_000):
        output.take(b"%08d %s\n" % (number, b"x" * 40))
    assert path.stat().st_size < LIMIT_BYTES + 100
    assert path.read_bytes().endswith(b"is left out]\n")
    assert output.since(mark).splitlines()[-1].startswith("00039999")
    later = output.mark()
    output.say("last")
    assert output.since(later) == "last\n"


@pytest.mark.parametrize(
    ("text", "kind", "culprit"),
    [
        (
            "ERROR: No matching distribution found for a==9 (from x)",
            "missing",
            "a==9",
        ),
        (
            "cause: Because there is no version of a==99 and you require a==99, we",
            "missing",
            "a==99",
        ),
        (
            "cause: Because zzz was not found in the package registry and you",
            "missing",
            "zzz",
        ),
        (
            "cause: Because a==1 needs to be downloaded from a registry and",
            "missing",
            "a==1",
        ),
        (
            "error: No solution found when resolving dependencies\n  cause: Because a==1 depends on b>=2",
            "conflict",
            "",
        ),
        (
            "Because the requested Python version (>=3.8) does not satisfy Python>=3.11 and a==1",
            "python",
            "Python>=3.11",
        ),
        ("cause: Hash mismatch for `a==1`", "hash", ""),
        (
            "cause: error sending request for url (http://x/)\n cause: tcp connect error",
            "offline",
            "",
        ),
        ("invalid peer certificate: UnknownIssuer", "certificate", ""),
        ("error: Failed to build `a==1`", "compile", "a==1"),
        ("Segmentation fault", "failed", ""),
    ],
)
def test_the_words_of_pip_and_uv_are_understood(
    text: str, kind: str, culprit: str
) -> None:
    assert verdict.judge(text) == {"kind": kind, "culprit": culprit}


def test_a_silent_server_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        began = time.monotonic()
        reason = reach.reason_unreachable({"index_url": url})
        assert reason is not None and "timed out" in reason
        assert time.monotonic() - began < reach.TOTAL_SECONDS


def test_a_server_that_says_anything_counts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        child = os.fork()
        if child == 0:
            connection, _ = server.accept()
            connection.recv(100)
            connection.sendall(b"x")
            os._exit(0)
        try:
            assert reach.reason_unreachable({"index_url": url}) is None
        finally:
            os.waitpid(child, 0)


def test_hashes_come_from_the_report_of_what_is_there(tmp_path: Path) -> None:
    digits = "0a" * 32
    item: dict[str, Any] = {
        "metadata": {"name": "Some_Package", "version": "1.0"},
        "download_info": {"archive_info": {"hashes": {"sha256": digits}}},
    }
    old: dict[str, Any] = {
        "metadata": {"name": "b", "version": "2"},
        "download_info": {"archive_info": {"hash": f"sha256={digits}"}},
    }
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"install": [item, old]}))
    versions = {"some-package": "1.0", "b": "2", "c": "3"}
    assert record.packages(versions, [str(report), str(tmp_path / "none")]) == [
        {"name": "b", "version": "2", "hashes": [f"sha256:{digits}"]},
        {"name": "c", "version": "3", "hashes": []},
        {"name": "some-package", "version": "1.0", "hashes": [f"sha256:{digits}"]},
    ]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"install": [1]}', '{"install": [{"metadata": null}]}']
)
def test_a_report_that_is_none_tells_nothing(tmp_path: Path, content: str) -> None:
    report = tmp_path / "report.json"
    report.write_text(content)
    link = tmp_path / "link.json"
    link.symlink_to("/etc/passwd")
    found = record.packages({"a": "1"}, [str(report), str(link)])
    assert found == [{"name": "a", "version": "1", "hashes": []}]


def test_a_project_is_copied_without_what_tools_keep_there(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in (
        "pyproject.toml",
        "src/a/__init__.py",
        "src/build/b.py",
        ".git/HEAD",
        "build/x",
        "a.egg-info/PKG-INFO",
        "src/a/__pycache__/x.pyc",
    ):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    (source / "link").symlink_to("/etc/passwd")
    os.mkfifo(source / "pipe")
    target = tmp_path / "target"
    made = project.copy(str(source), str(target))
    files = sorted(
        str(path.relative_to(target)) for path in target.rglob("*") if not path.is_dir()
    )
    assert files == ["link", "pyproject.toml", "src/a/__init__.py", "src/build/b.py"]
    assert (target / "link").is_symlink()
    assert set(made) == {str(target), *(str(path) for path in target.rglob("*"))}
    assert project.fault(str(source)) is None
    assert project.fault(str(target / "src")) is not None


def test_what_has_hashes_is_checked_and_nothing_is_smuggled_in() -> None:
    step = installers.Step(["a==1"], hashed=True, only_wheels=True, alone=True)
    assert step.options() == [
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--no-deps",
    ]
    assert step.lines(["/a b"]) == ["--find-links '/a b'", "a==1"]
    for text in ("--index-url x", " -e .", "a\n--pre"):
        with pytest.raises(ValueError, match="not a requirement"):
            installers.Step([text]).lines([])


def test_addresses_with_passwords_are_no_arguments() -> None:
    secret = "https://user:secret@index.example/simple"
    spec = {
        "target": "/t",
        "find_links": ["http://user:secret@links.example/"],
        "index_url": secret,
        "extra_index_urls": [secret],
        "cache": "/c",
        "ca_bundle": None,
    }
    step = installers.Step(["a"])
    for installer in (installers.Pip(), installers.UV("/bin/uv")):
        command = installer.command(spec, step, "/r.txt", "/report.json")
        assert "secret" not in " ".join(command)
        variables = installer.variables(spec, step, no_index=False)
        assert secret in variables.values()
        # The host alone, since it is named to be trusted.
        assert "links.example" in variables.values()
        offline = installer.variables(spec, step, no_index=True)
        assert secret not in offline.values()


_KEY = "0123456789abcdef01234567"


def test_a_copy_has_the_same_files_links_and_times(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "a/b").mkdir(parents=True)
    target.mkdir()
    (source / "a/run").write_text("x")
    (source / "a/run").chmod(0o6755)
    (source / "a/b/text").write_text("y")
    os.utime(source / "a/b/text", ns=(1, 1_234_567_890_123_456_789))
    os.link(source / "a/run", source / "again")
    os.symlink("/etc/passwd", source / "out")
    os.symlink("..", source / "up")
    os.mkfifo(source / "pipe")
    volume.copy(str(source), str(target), 1 << 20)
    names = sorted(str(path.relative_to(target)) for path in target.rglob("*"))
    assert names == ["a", "a/b", "a/b/text", "a/run", "again", "out", "up"]
    assert (target / "a/run").stat().st_mode & 0o7777 == 0o700
    assert (target / "again").stat().st_nlink == 1
    assert (target / "a/b/text").stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert os.readlink(target / "out") == "/etc/passwd"


@pytest.mark.parametrize("kind", ["hole", "entries"])
def test_a_copy_stops_at_its_limit(tmp_path: Path, kind: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    if kind == "hole":
        with open(source / "hole", "wb") as file:
            file.truncate(1 << 40)
    else:
        for number in range(300):
            (source / str(number)).touch()
    with pytest.raises(volume.TooLarge):
        volume.copy(str(source), str(target), 1 << 20)
    assert seal.measure(str(target)) < 1 << 20


def test_an_environment_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    source.mkdir()
    (root / _KEY / "torn").mkdir(parents=True)
    (source / "x.py").write_text("x = 1")
    spec: dict[str, Any] = {
        "source": str(source),
        "target": str(root),
        "name": _KEY,
        "draft": _KEY + ".tmp-1",
        "group": None,
        "max_bytes": 1 << 20,
    }
    result = volume.adopt(spec)
    assert result["ok"] and result["bytes"] >= 4096
    assert [path.name for path in root.iterdir()] == [_KEY]
    assert [path.name for path in (root / _KEY).iterdir()] == ["x.py"]
    result = volume.adopt({**spec, "max_bytes": 100})
    assert (result["ok"], result["kind"]) == (False, "too_large")
    assert [path.name for path in root.iterdir()] == [_KEY]
    for name in ("../" + _KEY, "lost+found", _KEY + "/x"):
        with pytest.raises(ValueError):
            volume.adopt({**spec, "name": name})


def test_a_survey_removes_what_is_not_wanted_and_ours(tmp_path: Path) -> None:
    wanted, other = _KEY, "f" * 24
    for name in (wanted, other + "/deep", other + ".tmp-1", "lost+found"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / (other + "-2")).touch()
    if os.geteuid() != 0:
        pytest.skip("only root gives the volume to root")
    (tmp_path / wanted).chmod(0o750)
    assert volume.survey(str(tmp_path), [wanted, "a" * 24], False) == [wanted]
    assert (tmp_path / wanted).stat().st_mode & 0o7777 == 0o050
    assert len(list(tmp_path.iterdir())) == 5
    assert volume.survey(str(tmp_path), [wanted], True) == [wanted]
    assert sorted(path.name for path in tmp_path.iterdir()) == [wanted, "lost+found"]
    assert tmp_path.stat().st_mode & 0o7777 == 0o711


def test_what_is_removed_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/kept").touch()
    os.symlink("other", tmp_path / "link")
    seal.remove_tree(str(tmp_path / "link"))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["kept", "other"]


@pytest.mark.parametrize("group", [60_001, None], ids=["group", "own"])
def test_the_owner_of_what_is_sealed_reads_it_only_where_no_group_does(
    tmp_path: Path, group: int | None
) -> None:
    if os.geteuid() != 0 and group is not None:
        pytest.skip("only root gives files away")
    target = tmp_path / "target"
    (target / "package").mkdir(parents=True)
    (target / "package/x.py").write_text("x = 1")
    # A second time, as what an image installed is sealed once more.
    for _ in range(2):
        assert seal.seal(str(target), group) >= 4096
    modes = [
        path.lstat().st_mode & 0o7777
        for path in (target, target / "package", target / "package/x.py")
    ]
    assert modes == [0o750 if group is None else 0o050, 0o550, 0o440]
    if group is not None:
        assert {target.stat().st_uid, target.stat().st_gid} == {0, group}
    seal.remove(str(tmp_path), ["target"])
    assert not target.exists()


def test_what_an_earlier_version_sealed_is_closed(tmp_path: Path) -> None:
    (tmp_path / _KEY).mkdir(mode=0o750)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept").chmod(0o750)
    (tmp_path / "link").symlink_to("kept")
    seal.close(str(tmp_path), [_KEY, "link", "gone"])
    assert (tmp_path / _KEY).stat().st_mode & 0o7777 == 0o050
    assert (tmp_path / "kept").stat().st_mode & 0o7777 == 0o750
    for name in ("..", "a/b"):
        with pytest.raises(ValueError, match="not a name"):
            seal.close(str(tmp_path), [name])
