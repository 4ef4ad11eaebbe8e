"""Pairs on disk have a scale; a spec of another one is refused."""

from __future__ import annotations

import pytest

from srqueue.datasets import DatasetEntry, Registry, check_scales, dataset_ref
from srqueue.errors import SpecError
from srqueue.settings import Settings
from srqueue.spec.expand import expand


@pytest.fixture
def registry(tmp_path) -> Registry:
    registry = Registry(Settings(datasets=tmp_path / "datasets.yaml"))
    for name, lr, scale, val in (
        ("pairs2", "/lr", 2, None),
        ("pairs3", "/lr", 3, None),
        ("hr", None, None, None),
        ("hr_val2", None, None, "pairs2"),
        ("hr_said2", None, 2, None),
    ):
        registry.put(
            DatasetEntry(
                name, "/hr", f"{len(name):064x}", lr=lr, scale=scale, val=val, pictures=9, held_out=1
            )
        )
    return registry


def spec_of(registry: Registry, name: str, **changes):
    return expand(dataset_ref(registry, name), overrides=[("test", changes)]).spec


def test_a_validation_set_of_another_scale_is_named_with_it(registry) -> None:
    spec = spec_of(registry, "hr", scale=4, datasets={"val": {"name": "pairs2"}})
    with pytest.raises(SpecError) as caught:
        check_scales(registry, spec)
    assert str(caught.value).startswith("the spec asks for x4, and the pairs on disk are of 'pairs2' x2\n")
    assert caught.value.where == "scale"


def test_all_sets_of_another_scale_are_named(registry) -> None:
    spec = spec_of(registry, "pairs2", datasets={"val": {"name": "pairs3"}})
    for wrong, told in (
        (spec, "'pairs3' x3"),
        (spec.model_copy(update={"scale": 4}), "'pairs2' x2 and 'pairs3' x3"),
    ):
        with pytest.raises(SpecError, match=f"are of {told}$|are of {told}\n"):
            check_scales(registry, wrong)


def test_the_set_that_is_validated_on_by_default_is_the_one_that_is_named(registry) -> None:
    assert spec_of(registry, "hr_val2").scale == 2
    with pytest.raises(SpecError, match="'pairs2' x2"):
        check_scales(registry, spec_of(registry, "hr_val2", scale=3))
    check_scales(registry, spec_of(registry, "hr_val2", scale=3, datasets={"val": {"name": "pairs3"}}))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("hr", {"scale": 4}),  # its LR is made
        ("pairs2", {"datasets": {"val": {"name": "pairs2"}}}),
        ("hr", {"scale": 4, "datasets": {"val": {"name": "pairs2"}}, "val": {"val_enabled": False}}),
        ("hr", {"scale": 4, "datasets": {"val": {"name": "elsewhere"}}}),
        ("hr", {"scale": 4, "datasets": {"val": {"name": "pairs2", "identity": "f" * 64}}}),  # another one's
        ("hr_said2", {"datasets": {"val": {"name": "hr"}}}),
    ],
)
def test_what_has_no_pairs_here_fits_any_scale(registry, name, changes) -> None:
    check_scales(registry, spec_of(registry, name, **changes))
