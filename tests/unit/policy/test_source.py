"""From YAML to a positioned tree: YAML 1.2 values, and bounded time on whatever it is given."""

from __future__ import annotations

import contextlib
import time

import pytest
import yaml

from remediator.errors import PolicyError
from remediator.policy import source
from remediator.policy.nodes import Listing, Mapping, Place, locate, plain
from remediator.policy.source import MAX_BYTES, MAX_DEPTH, MAX_VALUES, read, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("01:00", "01:00"),
        ("on", "on"),
        ("no", "no"),
        ("y", "y"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("true", True),
        ("FALSE", False),
        ("12", 12),
        ("-3", -3),
        ("0o14", 12),
        ("0x1F", 31),
        ("012", 12),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("-.Inf", float("-inf")),
        ("~", None),
        ("", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("20Gi", "20Gi"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_values_without_quotes_follow_yaml_1_2(text: str, value: object) -> None:
    """What surprised people in YAML 1.1 (sexagesimals, yes and no, dates) is text."""
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_quoted_values_are_text() -> None:
    """Quotes make text of anything, in every style of quoting."""
    tree, problems = read("a: '1'\nb: \"true\"\nc: |\n  12\nd: >-\n  null\n", file="p")
    assert plain(tree) == {"a": "1", "b": "true", "c": "12\n", "d": "null"}
    assert problems == []


def test_every_value_knows_its_place() -> None:
    """Keys, values, lists and mappings carry line, column and path, all counted as an editor does."""
    tree, _ = read("a: 1\npolicies:\n  - {name: ü, b: 2}\n  - name: x\n", file="p")
    assert tree.keys["policies"] == Place(2, 1, "policies")
    assert locate(tree, ("policies",)).place == Place(3, 3, "policies")
    assert locate(tree, ("policies", 0, "b")).place == Place(3, 18, "policies[0].b")
    assert locate(tree, ("policies", 1)).place == Place(4, 5, "policies[1]")
    assert locate(tree, ("policies", 1, "name")).place == Place(4, 11, "policies[1].name")


def test_paths_stay_right_beside_values_that_are_refused() -> None:
    """An item or value that can't be used leaves the places and paths of its neighbours as they were."""
    tree, problems = read("list: [*a, b]\nnothing:\n? [x]\n: y\nlast: z\n", file="p")
    items = locate(tree, ("list",))
    assert isinstance(items, Listing)
    assert [item.place.path for item in items.items] == ["list[1]"]
    assert tree.unusable == {"nothing"}
    assert plain(tree) == {"list": ["b"], "last": "z"}
    assert [problem.line for problem in problems] == [1, 2, 3]


def test_a_byte_order_mark_and_windows_line_ends_are_welcome() -> None:
    """Files saved by Windows editors are read, and their lines are counted right."""
    tree, problems = read(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", file="p")
    assert plain(tree) == {"a": 1, "b": 2}
    assert tree.keys["b"] == Place(2, 1, "b")
    assert problems == []


HOSTILE = {
    "billion laughs": "a: &a [x, x]\n" + "".join(f"k{i}: &k{i} [*a, *a, *a]\n" for i in range(9000)),
    "a mebibyte of [": "[" * MAX_BYTES,
    "a mebibyte of {": "{" * MAX_BYTES,
    "dashes": "- " * (MAX_BYTES // 2),
    "question marks": "? " * (MAX_BYTES // 2),
    "colons": "a: " * (MAX_BYTES // 3),
    "an open quote": "a: '" + "x" * (MAX_BYTES - 10),
    "escapes": 'a: "' + "\\x41" * (MAX_BYTES // 4 - 10) + '"',
    "one long key": "k" * (MAX_BYTES - 10) + ": 1",
    "one long value": "k: " + "9" * (MAX_BYTES - 10),
    "many keys": "".join(f"k{i}: x\n" for i in range(80_000)),
    "one key many times": "a: x\n" * 200_000,
    "a long flow list": "a: [" + "x," * (MAX_BYTES // 2 - 10) + "]",
    "tag directives": "".join(f"%TAG !a{i}! x\n" for i in range(70_000)) + "--- a",
    "tags": "a: [" + "!x y," * 200_000 + "]",
    "documents": "---\n" * (MAX_BYTES // 4),
    "stairs": "\n".join(" " * i + "a:" for i in range(1400)),
    "nothing but lines": "\n" * MAX_BYTES,
    "comments": "#" * MAX_BYTES,
    "a block of spaces": "a: |\n" + " " * (MAX_BYTES - 10),
    "too long": "a" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_in_no_time(text: str) -> None:
    """Whatever a mebibyte holds, it is read or refused with a PolicyError within seconds of CPU on any machine."""
    began = time.process_time()
    with contextlib.suppress(PolicyError):
        read(text, file="p")
    # It takes half a second at most; what grew with the square of the size would take hours.
    assert time.process_time() - began < 6


def test_depth_is_bounded() -> None:
    """So many levels are read, and one more is refused where it begins."""
    deep = "a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    tree, problems = read(deep, file="p")
    assert isinstance(tree, Mapping)
    assert problems == []
    with pytest.raises(PolicyError, match="nested deeper than 32 levels") as refused:
        read("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH, file="p")
    assert refused.value.problems[0].column == 3 + MAX_DEPTH


def test_the_number_of_values_is_bounded() -> None:
    """One value too many ends the reading, with everything that was found before."""
    with pytest.raises(PolicyError, match="more than 20000 values") as refused:
        read("a:\nb: [" + "x, " * MAX_VALUES + "]", file="p")
    assert refused.value.problems[0].message.startswith("there is no value here")


def test_reads_without_the_c_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML was built without libyaml, the same file gives the same tree and the same places."""
    text = "a: 'x'\nb: [1, {c: no}]\n? d\n: &e f\n"
    expected = read(text, file="p")
    monkeypatch.setattr(source, "_LOADER", yaml.SafeLoader)
    assert read(text, file="p") == expected
