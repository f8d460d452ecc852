"""YAML of users: plain values, no growth by aliases, no depth."""

from __future__ import annotations

import pytest

from polynya import recipes
from polynya.errors import PolynyaError, UsageError
from polynya.io import yaml_text


def read(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return yaml_text.read(path, expected="a recipe")


def test_plain_values_and_a_few_aliases(tmp_path):
    assert read(tmp_path, "a: &x [1, 2]\nb: *x\nc: {d: *x}\n") == {"a": [1, 2], "b": [1, 2], "c": {"d": [1, 2]}}


def test_every_recipe_of_the_package_is_read():
    assert all(recipes.load(name).name for name in recipes.names())


GROWING = "a0: &a0 [x, x]\n" + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 9))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GROWING, "holds more than 20000 values, aliases written out"),
        ("a: " + "[" * 31 + "]" * 31, "lists more than 30 deep"),
        ("a: " + "[" * 5000, "lists more than 30 deep"),
        ("a: &a [*a]", r"\*a holds itself"),
        ("a: !!python/object/apply:os.system ['true']", "cannot be read as YAML"),
        ("a: 2020-99-99", "cannot be read as YAML"),
        ("? [a]\n: 1", "cannot be read as YAML"),
        ("a: *b", "cannot be read as YAML"),
        (f"a: '{'x' * (1 << 20)}'", "holds more than 1 MB"),
        ("\x00", "cannot be read as YAML"),
    ],
)
def test_what_is_rejected(tmp_path, text, words):
    with pytest.raises(PolynyaError, match=rf"^a\.yaml: .*{words}.*; expected") as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)


def test_text_that_is_no_utf_8_is_an_error_of_usage(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"a: \xff")
    with pytest.raises(UsageError, match=r"a\.yaml: is not text in UTF-8"):
        recipes.load(tmp_path / "a.yaml")
