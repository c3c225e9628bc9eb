# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities in every form that was seen, exactly; and what cannot be read is quoted, never 0."""

from __future__ import annotations

import math
import typing as t
from fractions import Fraction

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator import quantities as emulated
from ansible_collections.poolgate.modelarts.plugins.module_utils import _quantity
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    UnreadableQuantityError,
    add_amounts,
    amount_to_number,
    amounts_to_numbers,
    canonical_amounts,
    canonical_resource,
    format_amount,
    parse_quantity,
    sum_of_amounts,
)
from hypothesis import given
from hypothesis import strategies as st

GIB = 2**30
GPU = "nvidia.com/gpu"
RESOURCES = ("cpu", "memory", GPU, "huawei.com/ascend-1980", "ephemeral-storage")


@pytest.mark.parametrize(
    ("resource", "value", "amount"),
    [
        # jobs
        ("cpu", "1 Cores", 1000),
        ("cpu", "0.5 Cores", 500),
        ("cpu", "1 Core", 1000),
        ("cpu", "12cores", 12000),
        ("memory", "6.52 GiB", 7000796693),  # 7000796692.48, rounded up as Kubernetes does
        ("memory", "6.52GiB", 7000796693),
        ("memory", "1 MiB", 2**20),
        # nodes
        ("cpu", "3920m", 3920),
        ("memory", "6270Mi", 6270 * 2**20),
        # metrics
        ("cpu", 5, 5000),
        ("memory", "15548Mi", 15548 * 2**20),
        ("memory", "64Gi", 64 * GIB),
        (GPU, "1073m", 1073),
        (GPU, 2, 2000),
        ("tnt004", 2, 2000),
        # flavors
        ("cpu", "8", 8000),
        ("memory", "32Gi", 32 * GIB),
        ("memory", "500Gi", 500 * GIB),
        ("memory", "8G", 8 * 10**9),
        ("memory", "32G", 32 * 10**9),
        # what Kubernetes writes besides
        ("memory", 1024, 1024),
        ("memory", "1024", 1024),
        ("memory", "1e3", 1000),
        ("memory", "1.5e3Ki", 1536000),
        ("memory", "1500m", 2),
        ("memory", "2Ti", 2**41),
        ("memory", "1Pi", 2**50),
        ("memory", "1k", 1000),
        ("cpu", "100u", 1),  # a tenth of a millicore
        ("cpu", "1n", 1),
        ("cpu", ".5", 500),
        ("cpu", "2.", 2000),
        ("cpu", 0.1, 100),
        ("cpu", 63.2, 63200),
        ("cpu", " 4 ", 4000),
        ("cpu", "2k", 2000000),
        (GPU, "0", 0),
        (GPU, 0, 0),
        ("ephemeral-storage", "50Gi", 50 * GIB),
        ("hugepages-2Mi", "4Gi", 4 * GIB),
    ],
)
def test_every_form(resource: str, value: t.Any, amount: int) -> None:
    assert parse_quantity(resource, value) == amount


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize(
    "value",
    [
        "", " ", "abc", "-1", "-1Gi", "+1", "1 2", "1,5", "1_000", "0x10", "Infinity", "nan", "1e999", "1e-999", "٣",
        "①", "1 GPU", "Gi", "1GiBs", "1B B", "1\x00", "9" * 41, None, True, False, [], {}, [1], {"cpu": 1}, b"1",
        float("nan"), float("inf"), -1, -0.5, "half",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_quoted(resource: str, value: t.Any) -> None:
    with pytest.raises(UnreadableQuantityError) as raised:
        parse_quantity(resource, value)
    said = str(raised.value)
    assert said.startswith(f"{resource} ")
    assert said in (f"{resource} {value!r}", f"{resource} {str(value)!r}") or said.endswith("...")
    assert len(said) < 90


@pytest.mark.parametrize("resource", ["cpu", "memory", GPU])
def test_a_number_without_end_cannot_be_read(resource: str) -> None:
    for value in (16**5000, -(16**5000), [16**5000], {"cpu": 16**5000}):
        with pytest.raises(UnreadableQuantityError, match=f"^{resource} a number with too many digits$"):
            parse_quantity(resource, value)
    assert parse_quantity("memory", 10**18) == 10**18
    with pytest.raises(UnreadableQuantityError, match=f"memory {10**18 + 1}"):
        parse_quantity("memory", 10**18 + 1)


@pytest.mark.parametrize(("resource", "value"), [("cpu", "1Gib"), ("cpu", "1 GiB"), (GPU, "1 Cores"), (GPU, "8 cards")])
def test_a_unit_of_another_resource(resource: str, value: str) -> None:
    with pytest.raises(UnreadableQuantityError):
        parse_quantity(resource, value)


@given(
    st.sampled_from(RESOURCES), st.one_of(st.text(max_size=12), st.floats(), st.integers(), st.none(), st.booleans())
)
def test_anything_is_read_or_refused(resource: str, value: t.Any) -> None:
    try:
        amount = parse_quantity(resource, value)
    except UnreadableQuantityError as error:
        assert str(error).startswith(resource)
    else:
        assert isinstance(amount, int)
        assert amount >= 0


@given(st.sampled_from(RESOURCES), st.integers(0, 10**15))
def test_a_number_in_facts_is_read_back_exactly(resource: str, amount: int) -> None:
    assert parse_quantity(resource, amount_to_number(resource, amount)) == amount


@given(st.sampled_from(RESOURCES), st.integers(0, 10**15), st.sampled_from((0.0, math.inf)), st.booleans())
def test_a_number_next_to_a_thousandth_is_read_as_its_text(resource: str, amount: int, to: float, down: bool) -> None:
    for number in (amount / 1000, math.nextafter(amount / 1000, to)):
        assert parse_quantity(resource, number, down=down) == parse_quantity(resource, repr(number), down=down)


@given(st.sampled_from(RESOURCES), st.integers(0, 10**15))
def test_text_for_people_never_says_more_than_there_is(resource: str, amount: int) -> None:
    read_back = parse_quantity(resource, format_amount(resource, amount))
    if resource in ("memory", "ephemeral-storage"):
        assert amount * 0.9 <= read_back <= amount + 1
    else:
        assert read_back == amount


@pytest.mark.parametrize(
    ("resource", "amount", "shown", "fact"),
    [
        (GPU, 24000, "24", 24),
        (GPU, 1073, "1.073", 1.073),
        ("cpu", 63200, "63.2", 63.2),
        ("cpu", 100000, "100", 100),
        ("cpu", 0, "0", 0),
        ("memory", 400 * GIB, "400Gi", 400 * GIB),
        ("memory", 7000796693, "6.5Gi", 7000796693),
        ("memory", 1023, "1023", 1023),
        ("memory", -512 * GIB, "-512Gi", -512 * GIB),
    ],
)
def test_text_and_number(resource: str, amount: int, shown: str, fact: float) -> None:
    assert format_amount(resource, amount) == shown
    assert amount_to_number(resource, amount) == fact
    assert isinstance(amount_to_number(resource, amount), int) == isinstance(fact, int)


@given(
    st.integers(0, 10**6),
    st.integers(0, 3),
    st.sampled_from(["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"]),
    st.sampled_from(["cpu", "memory", GPU]),
)
def test_exactly_as_fractions_say(digits: int, decimals: int, suffix: str, resource: str) -> None:
    factors = {"": Fraction(1), "m": Fraction(1, 1000), "k": Fraction(1000)}
    factors.update({unit: Fraction(1000) ** power for power, unit in enumerate("MGT", 2)})
    factors.update({f"{unit}i": Fraction(1024) ** power for power, unit in enumerate("KMGT", 1)})
    value = f"{digits // 10**decimals}.{digits % 10**decimals:0{decimals}d}" if decimals else str(digits)
    exact = Fraction(digits, 10**decimals) * factors[suffix] * (1 if resource == "memory" else 1000)
    if exact > 10**18 or (resource != "memory" and suffix.endswith("i")):
        with pytest.raises(UnreadableQuantityError):
            parse_quantity(resource, value + suffix)
    else:
        assert parse_quantity(resource, value + suffix) == math.ceil(exact)


@given(st.sampled_from(["cpu", "memory", GPU]), st.integers(0, 10**13))
def test_as_the_emulator_reads_its_own(resource: str, amount: int) -> None:
    """Another implementation, that shares no code with this one."""
    for form in (emulated.node_quantity, emulated.metric_quantity, emulated.job_quantity):
        written = form(resource, amount)
        assert abs(parse_quantity(resource, written) - emulated.parse_quantity(resource, written)) <= 1


@given(st.lists(st.tuples(st.sampled_from(RESOURCES), st.integers(0, 10**12)), max_size=8))
def test_sums(parts: list[tuple[str, int]]) -> None:
    total: dict[str, int] = {}
    for resource, amount in parts:
        add_amounts(total, {resource: amount})
    assert total == {name: sum(amount for other, amount in parts if other == name) for name, _amount in parts}
    assert list(sum_of_amounts([dict([part]) for part in parts]).items()) == list(total.items())
    assert amounts_to_numbers(total) == {name: amount_to_number(name, amount) for name, amount in total.items()}


def test_sums_of_many_names() -> None:
    tables = [{f"x/{number % 30}": number, "cpu": 1} for number in range(90)]
    total = sum_of_amounts(tables)
    assert total == {"cpu": 90, **{f"x/{number}": 3 * number + 90 for number in range(30)}}
    assert list(total)[:3] == ["x/0", "cpu", "x/1"]


def test_two_spellings_of_one_card_are_one_card() -> None:
    node = {"huawei.com/ascend-1980": 8000, "huawei.com/ascend-snt9": 8000, "cpu": 1000}
    assert canonical_amounts(node) == {"huawei.com/ascend-snt9": 8000, "cpu": 1000}
    assert canonical_amounts({"huawei.com/ascend-310": 3000, "huawei.com/ascend-snt3": 5000}, min) == {
        "huawei.com/ascend-snt3": 3000
    }
    assert canonical_amounts({GPU: 1}) == {GPU: 1}
    assert canonical_resource("huawei.com/ascend-310") == canonical_resource("huawei.com/ascend-snt3")
    assert canonical_resource("huawei.com/ascend-1980") == canonical_resource("huawei.com/ascend-snt9")
    assert canonical_resource("huawei.com/ascend-310") != canonical_resource("huawei.com/ascend-1980")


@pytest.mark.parametrize(
    ("resource", "value", "down", "up"),
    [
        ("nvidia.com/gpu", "7.9999", 7999, 8000),
        ("nvidia.com/gpu", 0.0001, 0, 1),
        ("cpu", "1999999u", 1999, 2000),
        ("memory", "0.3", 0, 1),
        ("memory", "6.52 GiB", 7000796692, 7000796693),
        ("cpu", "3920m", 3920, 3920),
        ("memory", "64Gi", 64 * 2**30, 64 * 2**30),
    ],
)
def test_what_there_is_is_rounded_down_and_what_is_taken_up(resource: str, value: t.Any, down: int, up: int) -> None:
    assert (parse_quantity(resource, value, down=True), parse_quantity(resource, value)) == (down, up)


def test_what_is_kept_of_a_quantity_has_no_name_of_a_resource() -> None:
    """A process that looks again and again would keep each name that it ever read."""
    _quantity._parse_quantity_text.cache_clear()
    for number in range(50):
        parse_quantity("x" * 1000 + str(number), "8")
    assert _quantity._parse_quantity_text.cache_info().currsize == 1


@pytest.mark.parametrize("resource", ["nvidia.com/gpu", "cpu"])
def test_cards_and_cores_are_not_counted_in_bytes(resource: str) -> None:
    with pytest.raises(UnreadableQuantityError):
        parse_quantity(resource, "8Gi")
