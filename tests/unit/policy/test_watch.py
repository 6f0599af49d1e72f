"""Noticing a new policy file: Kubernetes' swap of a ConfigMap volume, step by step."""

from __future__ import annotations

import os
from pathlib import Path

from remediator.policy import PolicyWatch


def swap(volume: Path, *, version: int, content: str) -> None:
    """Do what the kubelet's atomic writer does: a new directory, then ``..data`` renamed onto it."""
    directory = volume / f"..2026_01_01_00_00_{version:02}"
    directory.mkdir()
    (directory / "policy.yaml").write_text(content)
    old = (volume / "..data").readlink() if (volume / "..data").is_symlink() else None
    (volume / "..data_tmp").symlink_to(directory.name)
    (volume / "..data_tmp").rename(volume / "..data")
    if not (volume / "policy.yaml").is_symlink():
        (volume / "policy.yaml").symlink_to("..data/policy.yaml")
    if old:
        (volume / old / "policy.yaml").unlink()
        (volume / old).rmdir()


def test_sees_every_swap_of_a_configmap(tmp_path: Path) -> None:
    """Two swaps in a row are both seen, even with content of the same size, and nothing is seen in between."""
    swap(tmp_path, version=1, content="a: 1")
    watch = PolicyWatch(tmp_path / "policy.yaml")
    assert watch.changed()
    assert not watch.changed()
    swap(tmp_path, version=2, content="a: 2")
    assert watch.changed()
    assert not watch.changed()
    swap(tmp_path, version=3, content="a: 3")
    assert watch.changed()
    assert not watch.changed()


def test_sees_a_file_vanish_and_come_back(tmp_path: Path) -> None:
    """A file that is gone has changed once, and once more when it is there again."""
    path = tmp_path / "policy.yaml"
    path.write_text("a: 1")
    watch = PolicyWatch(path)
    assert watch.changed()
    path.unlink()
    assert watch.changed()
    assert not watch.changed()
    path.write_text("a: 1")
    assert watch.changed()
    assert not watch.changed()


def test_sees_a_file_that_appears_later(tmp_path: Path) -> None:
    """A watch may begin before there is a file: the first look says changed, and so does its appearance."""
    watch = PolicyWatch(tmp_path / "policy.yaml")
    assert watch.changed()
    assert not watch.changed()
    (tmp_path / "policy.yaml").write_text("a: 1")
    assert watch.changed()


def test_sees_an_edit_in_place_that_keeps_size_and_time(tmp_path: Path) -> None:
    """A file written over with as many bytes and its old time set again is still seen, by its change time."""
    path = tmp_path / "policy.yaml"
    path.write_text("a: 1")
    watch = PolicyWatch(path)
    watch.changed()
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        path.write_text("a: 2")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert watch.changed()


def test_sees_that_a_file_became_readable(tmp_path: Path) -> None:
    """A change of mode counts, because it is how a file that could not be read is mended."""
    path = tmp_path / "policy.yaml"
    path.write_text("a: 1")
    path.chmod(0o000)
    watch = PolicyWatch(path)
    watch.changed()
    path.chmod(0o444)
    assert watch.changed()


def test_a_loop_of_links_is_no_file(tmp_path: Path) -> None:
    """Links that lead nowhere are a file that is not there, not an error."""
    (tmp_path / "policy.yaml").symlink_to("policy.yaml")
    watch = PolicyWatch(tmp_path / "policy.yaml")
    assert watch.changed()
    assert not watch.changed()
