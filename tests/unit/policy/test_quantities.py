"""Kubernetes quantities, against the Kubernetes client's own reading of them."""

from __future__ import annotations

from decimal import localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity as clients_parse_quantity

from remediator.policy.quantities import MAX_BYTES, format_bytes, format_quantity, parse_bytes, parse_quantity

SUFFIXES = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
NUMBERS = st.from_regex(r"\A\+?([0-9]{1,15}(\.[0-9]{0,12})?|\.[0-9]{1,12})\Z")
EXPONENTS = st.from_regex(r"\A[eE][+-]?[0-9]{1,2}\Z")


def clients_reading(text: str) -> Fraction:
    """What the Kubernetes client makes of a quantity, given decimals that are long enough for it."""
    with localcontext(prec=200):
        return Fraction(clients_parse_quantity(text))  # type: ignore[no-untyped-call]


@settings(max_examples=200, deadline=None)
@given(number=NUMBERS, suffix=st.sampled_from(SUFFIXES) | EXPONENTS)
def test_reads_what_the_client_reads(number: str, suffix: str) -> None:
    """Whatever we take, the Kubernetes client takes as the same number."""
    text = number + suffix
    expected = clients_reading(text)
    if expected > MAX_BYTES:
        with pytest.raises(ValueError, match="more than a memory quantity can hold"):
            parse_quantity(text)
    else:
        assert parse_quantity(text) == expected


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from("0123456789.+-eEinumkKMGTP _ÀNaf٣"), max_size=12))
def test_takes_nothing_that_the_client_refuses(text: str) -> None:
    """A text is a quantity, at or above zero and finite, for the client as well, or it is refused."""
    try:
        value = parse_quantity(text)
    except ValueError:
        return
    assert 0 <= value <= MAX_BYTES
    assert clients_reading(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20Gi", 20 * 2**30),
        ("1.5G", 1_500_000_000),
        ("128974848000m", 128_974_848),
        ("1E", 10**18),
        ("1e3", 1000),
        ("1E3", 1000),
        ("5.", 5),
        (".5Ki", 512),
        ("+1Ki", 1024),
        ("0", 0),
        ("7.999Ei", Fraction(7999, 1000) * 2**60),
    ],
)
def test_reads_the_notations_of_kubernetes(text: str, value: Fraction) -> None:
    """Every notation of the Kubernetes documentation gives its exact value."""
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("20G i", "20Gi"),
        ("20gib", "20Gi"),
        ("20GB", "20G or 20Gi"),
        ("20K", "20k or 20Ki"),
        ("20 gi", "20Gi"),
        ("1.5ki", "1.5Ki"),
        ("", "20Gi"),
        ("NaN", "20Gi"),
        ("inf", "20Gi"),
        ("-1Gi", "20Gi"),
        ("1e", "1E or 1Ei"),
        ("1e9999", "20Gi"),
        ("1Gi\n", "1Gi"),
        ("lots", "20Gi"),
        ("1" * 70, "20Gi"),
    ],
)
def test_refuses_with_what_to_write_instead(text: str, fix: str) -> None:
    """What is no quantity is refused with the quantity that was probably meant."""
    with pytest.raises(ValueError, match="is not a memory quantity; write ") as refused:
        parse_quantity(text)
    assert str(refused.value).endswith(f"; write {fix}")


@pytest.mark.parametrize("text", ["9223372036854775808", "8Ei", "9.3E", "1e19", "1e999", "99999999999999Gi"])
def test_refuses_more_than_kubernetes_can_hold(text: str) -> None:
    """2^63 and more is refused, and at once however large the exponent."""
    with pytest.raises(ValueError, match=r"2\^63"):
        parse_quantity(text)


@pytest.mark.parametrize(("text", "value"), [("0.1Gi", 107_374_183), ("1500m", 2), ("1n", 1), ("0", 0)])
def test_rounds_bytes_up(text: str, value: int) -> None:
    """A fraction of a byte counts as a byte, as in Kubernetes."""
    assert parse_bytes(text) == value


@pytest.mark.parametrize(
    ("value", "text"), [(20 * 2**30, "20Gi"), (1536 * 2**20, "1536Mi"), (1000, "1000"), (0, "0"), (2**60, "1Ei")]
)
def test_writes_exact_quantities(value: int, text: str) -> None:
    """The largest unit that divides the bytes is used, and none where none does."""
    assert format_quantity(value) == text


@settings(max_examples=100, deadline=None)
@given(value=st.integers(0, MAX_BYTES))
def test_written_quantities_are_read_back(value: int) -> None:
    """What is written exactly is read back as the same number of bytes."""
    assert parse_bytes(format_quantity(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1.4 * 2**30, "1.4 GiB"),
        (20 * 2**30, "20 GiB"),
        (123.4 * 2**20, "123 MiB"),
        (1023.9 * 2**20, "1 GiB"),
        (99.96 * 2**20, "100 MiB"),
        (-1536, "-1.5 KiB"),
        (2**63, "8 EiB"),
    ],
)
def test_writes_bytes_for_people(value: float, text: str) -> None:
    """Bytes are shown in the unit that leaves one to four digits, without needless zeros."""
    assert format_bytes(value) == text
