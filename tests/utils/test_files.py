"""Atomic writing: a reader sees the old file or the new one, and no draft is left for ever."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from initsk.exceptions import InvalidParameterError
from initsk.utils.files import as_path, write_atomic

DRAFT = f".page.html.{'0f' * 16}"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_writing_leaves_the_old_file(tmp_path):
    path = write_atomic(tmp_path / "page.html", "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "\ud800")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["page.html"]


def test_without_replace_an_existing_file_stays(tmp_path):
    path = tmp_path / "page.html"
    for content in ("first", "second"):
        write_atomic(path, content, replace=False)
    assert path.read_text() == "first"
    assert names(tmp_path) == ["page.html"]


def test_a_draft_that_was_left_is_removed_and_one_in_use_stays(tmp_path):
    for name in (DRAFT, ".page.html.mine", f".other.html.{'0f' * 16}"):
        (tmp_path / name).touch()
    with (tmp_path / DRAFT).open("rb") as used:
        fcntl.flock(used, fcntl.LOCK_EX)
        write_atomic(tmp_path / "page.html", "new")
        assert DRAFT in names(tmp_path)
    write_atomic(tmp_path / "page.html", "new")
    assert names(tmp_path) == [f".other.html.{'0f' * 16}", ".page.html.mine", "page.html"]


def test_names_as_long_as_the_system_allows(tmp_path):
    for name in ("a" * 255, "é" * 127):
        assert write_atomic(tmp_path / name, "text").read_text() == "text"
    with pytest.raises(OSError, match="too long"):
        write_atomic(tmp_path / ("a" * 256), "text")


def test_a_link_is_followed_and_other_kinds_are_refused(tmp_path):
    (tmp_path / "link.html").symlink_to(tmp_path / "page.html")
    assert write_atomic(tmp_path / "link.html", "new") == tmp_path / "link.html"
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "page.html").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "folder").mkdir()
    for name, kind in (("pipe", "a pipe"), ("null", "a device"), ("folder", "a folder")):
        with pytest.raises(OSError, match=f"it is {kind}; allowed: a regular file"):
            write_atomic(tmp_path / name, "text")
    assert names(tmp_path) == ["folder", "link.html", "null", "page.html", "pipe"]
    assert not os.path.isfile("/dev/null")


def test_threads_write_one_file(tmp_path):
    texts = [str(i) * 10_000 for i in range(8)]
    threads = [threading.Thread(target=write_atomic, args=(tmp_path / "page.html", text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "page.html").read_text() in texts
    assert names(tmp_path) == ["page.html"]


WRITER = """
import sys
from initsk.utils.files import write_atomic
print("ready", flush=True)
while True:
    write_atomic(sys.argv[1], b"a" * 2_000_000)
"""


def test_a_killed_process_leaves_a_whole_file_and_a_draft_until_the_next_writing(tmp_path):
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "page.html"], stdout=subprocess.PIPE)
        process.stdout.readline()
        while not (tmp_path / "page.html").exists():
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert (tmp_path / "page.html").read_bytes() == b"a" * 2_000_000
    write_atomic(tmp_path / "page.html", "new")
    assert names(tmp_path) == ["page.html"]


class InBytes:
    def __fspath__(self):
        return b"folder"


@pytest.mark.parametrize("path", [None, 1, "", b"folder", InBytes()])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InvalidParameterError, match=r"folder=.* is not allowed \(a path\)"):
        as_path(path, "folder")


def test_a_name_that_begins_with_a_tilde_is_a_name():
    assert as_path("~no-such-user/x") == Path("~no-such-user/x")
    assert as_path("~") == Path.home()
