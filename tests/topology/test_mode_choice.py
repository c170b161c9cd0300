"""A mode and its options in one word."""

from __future__ import annotations

import pytest

from lab.foundation.errors import WrongUseError
from lab.topology.mode_choice import ModeChoice
from lab.topology.plan import Plan


@pytest.mark.parametrize(
    ("word", "choice"),
    [
        ("macvlan", ModeChoice("macvlan")),
        ("macvlan:host_shim=false", ModeChoice("macvlan", {"host_shim": False})),
        ("x:a=true:b=-3:c=text", ModeChoice("x", {"a": True, "b": -3, "c": "text"})),
    ],
)
def test_a_word_and_back(word: str, choice: ModeChoice) -> None:
    assert ModeChoice.parse(word) == choice
    assert str(choice) == word


@pytest.mark.parametrize("word", ["macvlan:", "macvlan:host_shim", "macvlan:=false", "macvlan:host_shim="])
def test_what_is_no_option_is_refused(word: str) -> None:
    with pytest.raises(WrongUseError, match="does not name a mode with options"):
        ModeChoice.parse(word)


def test_only_a_choice_without_options_leaves_the_topology_its_own(plan: Plan) -> None:
    without_shim = plan.in_mode(ModeChoice("macvlan", {"host_shim": False}))
    assert without_shim.choice == ModeChoice("macvlan", {"host_shim": False})
    assert without_shim.in_mode(ModeChoice("macvlan")) == without_shim
    assert without_shim.in_mode(ModeChoice("macvlan", {"host_shim": True})).mode_options == {
        "host_shim": True
    }
    assert without_shim.in_mode(ModeChoice("routed")).mode_options == {}
