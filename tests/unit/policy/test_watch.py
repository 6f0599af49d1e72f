"""Noticing a new policy file: Kubernetes' swap of a ConfigMap volume, step by step."""

from __future__ import annotations

import os
from pathlib import Path

from remediator.policy import PolicyWatch
from tests.rig import volumes


def swap(volume: Path, content: str) -> None:
    """Do what the kubelet does to a ConfigMap's volume."""
    volumes.swap(volume, {"policy.yaml": volumes.File(content.encode(), 0o644)})


def test_sees_every_swap_of_a_configmap(tmp_path: Path) -> None:
    """Two swaps in a row are both seen, even with content of the same size, and nothing is seen in between."""
    swap(tmp_path, "a: 1")
    watch = PolicyWatch(tmp_path / "policy.yaml")
    assert watch.changed()
    assert not watch.changed()
    swap(tmp_path, "a: 2")
    assert watch.changed()
    assert not watch.changed()
    swap(tmp_path, "a: 3")
    assert watch.changed()
    assert not watch.changed()


def test_a_file_that_vanishes_is_believed_at_the_second_look(tmp_path: Path) -> None:
    """In a swap there may be no file for a moment; gone and there again within two looks is nothing new."""
    swap(tmp_path, "a: 1")
    watch = PolicyWatch(tmp_path / "policy.yaml")
    assert watch.changed()
    link = (tmp_path / "..data").readlink()
    (tmp_path / "..data").unlink()
    assert not watch.changed()
    (tmp_path / "..data").symlink_to(link)
    assert not watch.changed()
    (tmp_path / "..data").unlink()
    assert not watch.changed()
    assert watch.changed()
    assert not watch.changed()
    (tmp_path / "..data").symlink_to(link)
    assert watch.changed()


def test_sees_a_file_that_appears_later(tmp_path: Path) -> None:
    """A watch may begin before there is a file: the first look says changed, and so does its appearance."""
    watch = PolicyWatch(tmp_path / "policy.yaml")
    assert watch.changed()
    assert not watch.changed()
    (tmp_path / "policy.yaml").write_text("a: 1")
    assert [watch.changed() for _ in range(3)].count(True) == 1


def test_a_file_that_is_being_written_waits_until_it_rests(tmp_path: Path) -> None:
    """Each further write puts it off, and half a file is never offered for reading."""
    path = tmp_path / "policy.yaml"
    path.write_text("policies: []\nsafety: {paused: true}\n")
    watch = PolicyWatch(path)
    assert watch.changed()
    with path.open("w") as file:
        for part in ("policies: []\n", "safety: ", "{paused: true}\n"):
            file.write(part)
            file.flush()
            assert not watch.changed()
    assert [watch.changed() for _ in range(3)].count(True) == 1


def test_a_file_that_is_written_while_it_is_read_counts_as_not_read(tmp_path: Path) -> None:
    """What was read of it is thrown away, and it is offered again when it rests; a swap tears nothing."""
    path = tmp_path / "policy.yaml"
    path.write_text("a: 1")
    watch = PolicyWatch(path)
    assert watch.changed()
    assert not watch.is_torn()
    path.write_text("a: 12")
    assert watch.is_torn()
    assert watch.is_past()
    assert [watch.changed() for _ in range(3)].count(True) == 1
    volume = tmp_path / "volume"
    swap(volume, "a: 1")
    watch = PolicyWatch(volume / "policy.yaml")
    assert watch.changed()
    swap(volume, "a: 2")
    assert not watch.is_torn()
    assert watch.is_past()
    assert watch.changed()


def test_swaps_faster_than_looks_are_read_as_they_come(tmp_path: Path) -> None:
    """A new path is whole: with a swap before each look, each look offers what is there."""
    watch = PolicyWatch(tmp_path / "policy.yaml")
    for number in range(20):
        swap(tmp_path, f"a: {number}")
        swap(tmp_path, f"b: {number}")
        assert watch.changed()
        assert (tmp_path / "policy.yaml").read_text() == f"b: {number}"


def test_a_directory_in_its_place_is_offered_and_told(tmp_path: Path) -> None:
    """It is no file, and the reader says so."""
    path = tmp_path / "policy.yaml"
    path.write_text("a: 1")
    watch = PolicyWatch(path)
    watch.changed()
    path.unlink()
    path.mkdir()
    assert [watch.changed() for _ in range(3)].count(True) == 1


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
    assert [watch.changed() for _ in range(3)].count(True) == 1


def test_sees_that_a_file_became_readable(tmp_path: Path) -> None:
    """A change of mode counts, because it is how a file that could not be read is mended."""
    path = tmp_path / "policy.yaml"
    path.write_text("a: 1")
    path.chmod(0o000)
    watch = PolicyWatch(path)
    watch.changed()
    path.chmod(0o444)
    assert [watch.changed() for _ in range(3)].count(True) == 1


def test_a_loop_of_links_is_no_file(tmp_path: Path) -> None:
    """Links that lead nowhere are a file that is not there, not an error."""
    (tmp_path / "policy.yaml").symlink_to("policy.yaml")
    watch = PolicyWatch(tmp_path / "policy.yaml")
    assert watch.changed()
    assert not watch.changed()
