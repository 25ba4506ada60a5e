"""Settings: what every settings class refuses, and how a command makes settings."""

import dataclasses
import math

import pytest

import dil_teach
from dil_teach.commands.options import Training
from dil_teach.training.settings import budget, check_settings

PUBLIC = [getattr(dil_teach, n) for n in dil_teach.__all__ if n.endswith("Settings")]
FLOATS = [
    (kind, field.name)
    for kind in PUBLIC
    for field in dataclasses.fields(kind)
    if isinstance(field.default, float)
]


@dataclasses.dataclass(frozen=True)
class Smoothing:
    """Settings without a seed."""

    weight: float = 0.5
    offset: float = 0.0
    steps: int = 10

    def __post_init__(self) -> None:
        check_settings(self, steps=1, weight=0)

    quick = budget("For a lesson.")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": 0}, "expected steps at least 1, got 0"),
        ({"weight": -0.1}, "expected weight at least 0, got -0.1"),
        ({"weight": math.nan}, "expected weight at least 0, got nan"),
        ({"weight": math.inf}, "expected a finite weight, got inf"),
        ({"offset": math.nan}, "expected a finite offset, got nan"),
        ({"offset": -math.inf}, "expected a finite offset, got -inf"),
    ],
)
def test_small_and_infinite_values_and_nan_are_refused(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=f"^settings: {said}$"):
        Smoothing(**wrong)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("kind", "name"), FLOATS)
def test_every_settings_class_refuses_nan_and_infinity(
    kind: type, name: str, value: float
) -> None:
    with pytest.raises(ValueError, match=rf"\b{name}\b.*got .*{value}"):
        kind(**{name: value})


@pytest.mark.parametrize("kind", [k for k in PUBLIC if hasattr(k, "steps")])
def test_every_method_needs_a_step(kind: type) -> None:
    with pytest.raises(ValueError, match="expected steps at least 1, got 0"):
        kind(steps=0)


def test_a_command_passes_the_seed_to_settings_that_have_one() -> None:
    training = Training(seed=3)
    assert training.settings(dil_teach.ZSN2NSettings, steps=5).seed == 3
    assert training.settings(Smoothing, weight=2.0) == Smoothing(weight=2.0)
