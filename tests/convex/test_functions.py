"""This repository's functions are those that init writes."""

from __future__ import annotations

import pytest

from tests.convex.functions import CONVEX, texts


@pytest.mark.parametrize("name", texts())
def test_this_repository_has_the_functions_of_the_package(name: str) -> None:
    assert (CONVEX / name).read_text("utf-8") == texts()[name], "make functions"
