"""The fast way to the canonical form says what the general way says, or nothing."""

from __future__ import annotations

import json
import random
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages.convex.canonical import by_any_layout, by_layout, canonicalise
from stages.convex.layouts import sampled
from stages.views import values

Form = tuple[str, int, str | None]
CONNECTION = duckdb.connect()
CONNECTION.execute(values())


def generally(texts: list[str]) -> dict[str, Form]:
    given_texts("general", texts)
    by_any_layout(CONNECTION, "general", "general_texts")
    return forms("general")


def by_layouts(texts: list[str], sample: list[str] | None = None) -> dict[str, Form]:
    """Those that fit the layout of a sample: of all of them, where none is given."""
    given_texts("fast", sample or texts)
    layout = sampled(CONNECTION, "fast_texts")
    assert layout
    given_texts("fast", texts)
    by_layout(CONNECTION, "fast", layout, "fast_texts")
    return forms("fast")


def given_texts(table: str, texts: list[str]) -> None:
    """What canonicalise() makes before it goes one way or the other."""
    CONNECTION.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} "
        "(text VARCHAR, canonical VARCHAR, size BIGINT, problem VARCHAR)"
    )
    CONNECTION.execute(f"CREATE OR REPLACE TEMP TABLE {table}_texts (text VARCHAR)")
    CONNECTION.execute(f"INSERT INTO {table}_texts SELECT DISTINCT unnest(?::VARCHAR[])", [texts])


def forms(table: str) -> dict[str, Form]:
    rows = CONNECTION.execute(f"SELECT text, canonical, size, problem FROM {table}").fetchall()
    assert len({row[0] for row in rows}) == len(rows)
    # What has a problem is a reject; its form is nobody's.
    return {row[0]: (row[1] if row[3] is None else "", row[2], row[3]) for row in rows}


# Few names, so that objects of one list have keys in common; some that no path or Convex takes.
names = st.sampled_from(["a", "b", "a.b", "it's", "[0]", "*", 'q"', "back\\", "$x", "_y", "é", ""])
numbers = st.sampled_from(
    ["0", "-0", "-0.0", "1", "-1", "1.0", "1e2", "0.1", "1E400", "-1e400", "1e-7", "1e15", "1e21",
     "9007199254740993", "123456789012345", "1234567890123456", "0.12345678901234567",
     "0.1000000000000000055511151231257827", "18446744073709551616", "99999999999999999999999"]
)  # fmt: skip
strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=4).map(json.dumps)
quoted = st.sampled_from(
    ['""', '"\\u0041\\/"', '"🎉"', '"1e400"', '" 12345678901234567890"', '"{"']
)
words = st.sampled_from(["null", "true", "false", "[]", "{}", " [ ] ", '"x"', "7"])
leaves = numbers | strings | quoted | words


def written(members: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)} :{value}" for name, value in members) + "}"


trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(names, inner), max_size=4).map(written)
    ),
    max_leaves=10,
)


@settings(max_examples=60)
@given(st.lists(trees, min_size=1, max_size=8))
@example(["null", '{"0":{}}'])
@example(['{"0": 1}', '{"0": "x"}', '{"0": true}', '{"0":{}}', "null"])
def test_a_layout_says_what_the_general_way_says(texts: list[str]) -> None:
    fast, general = by_layouts(texts), generally(texts)
    assert fast == {text: general[text] for text in fast}


@pytest.mark.parametrize("seed", range(8))
def test_a_layout_takes_all_records_of_an_application(seed: int) -> None:
    """Optional keys in any order, nested objects, lists of objects and of lists."""
    chance = random.Random(seed)

    def record(depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {"id": chance.randrange(10**6), "name": "é\n" * chance.randrange(3)}
        if chance.random() < 0.5:
            value["price"] = chance.choice([1.5, 2.0, None, 1e21, 0.1 + 0.2])
        if depth:
            value["of"] = chance.choice([record(depth - 1), {}, None])
            value["items"] = [record(depth - 1) for _ in range(chance.randrange(3))]
            value["tags"] = chance.choice([["a", "b"], [1, 2.5, None], []])
            value["grid"] = [[1.0, 2], []]
        members = list(value.items())
        chance.shuffle(members)
        return dict(members)

    texts = [json.dumps(record(1), ensure_ascii=chance.random() < 0.5) for _ in range(20)]
    assert by_layouts(texts) == generally(texts)


def test_what_is_not_as_the_sample_is_not_taken_for_it() -> None:
    """Same lengths, other content: the layout must not be believed."""
    usual = ['{"a":1,"b":{"c":"x"}}', '{"a":2,"b":{"c":"y"}}', '{"a":3,"b":{}}', '{"a":4}']
    odd = [
        '{"a":1,"a":1}', '{"a":1,"x":{}}', '{"a":1,"b":""}', '{"a":1,"b":[]}', '{"b":{"c":"x"}}',
        '{"a":1,"b":{"c":{}}}', '{"a":1,"b":{"c":"x","c":"x"}}', '["a"]', '{"a":"\\u0031"}', "{}",
        '{"\\u0061":1}', '{"a":[1]}', '{"a":NaN}', '{"a":-Infinity}',
    ]  # fmt: skip
    fast, general = by_layouts(usual + odd, usual), generally(usual + odd)
    assert set(fast) >= set(usual)
    assert fast == {text: general[text] for text in fast}


def test_many_texts_of_several_layouts() -> None:
    """Both ways together: most texts go by layouts, some by neither of the first."""
    texts = [json.dumps({"id": n, "of": {f"key{n % 3}": f"{n}"}}) for n in range(6000)]
    texts += [json.dumps({f"key {n}": n}) for n in range(300)] + ["[[[[[[[[1]]]]]]]]", '{"a\\n":1}']
    CONNECTION.execute("CREATE OR REPLACE TEMP TABLE many AS SELECT unnest(?) AS text", [texts])
    canonicalise(CONNECTION, "canonical", ["SELECT text FROM many"])
    assert forms("canonical") == generally(texts)
