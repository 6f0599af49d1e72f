"""A volume's files change as one, by way of the link that a kubelet renames."""

from __future__ import annotations

from pathlib import Path

from tests.rig.volumes import File, swap


def seen(folder: Path) -> dict[str, str]:
    """What somebody who mounts the folder finds in it."""
    return {entry.name: entry.read_text() for entry in folder.iterdir() if not entry.name.startswith("..")}


def test_a_change_is_a_renamed_link_and_what_is_gone_is_gone(tmp_path: Path) -> None:
    """Each state has a folder of its own, the one before is removed, and keys that vanish vanish."""
    folder = tmp_path / "policy"
    swap(folder, {"policy.yaml": File(b"one", 0o644), "more": File(b"1", 0o440)})
    first = (folder / "..data").readlink()
    assert seen(folder) == {"policy.yaml": "one", "more": "1"}
    assert (folder / "policy.yaml").readlink() == Path("..data/policy.yaml")
    assert (folder / "more").stat().st_mode & 0o777 == 0o440
    swap(folder, {"policy.yaml": File(b"two", 0o644)})
    assert seen(folder) == {"policy.yaml": "two"}
    assert (folder / "..data").readlink() != first
    assert not (folder / first).exists()


def test_nothing_happens_where_nothing_has_changed(tmp_path: Path) -> None:
    """Neither a new folder nor a new link: whoever watches sees no change; another mode is one."""
    folder, files = tmp_path / "policy", {"policy.yaml": File(b"one", 0o644)}
    swap(folder, files)
    first = (folder / "..data").readlink()
    swap(folder, files)
    assert (folder / "..data").readlink() == first
    swap(folder, {"policy.yaml": File(b"one", 0o600)})
    assert (folder / "..data").readlink() != first


def test_items_may_be_in_folders(tmp_path: Path) -> None:
    """A path with a slash is reached by a link to its first part."""
    swap(tmp_path, {"certificates/ca.crt": File(b"ca", 0o644)})
    assert (tmp_path / "certificates").is_symlink()
    assert (tmp_path / "certificates" / "ca.crt").read_text() == "ca"
