"""The preset `tuned`, what presets say for one architecture, and remarks about rates."""

import pytest

from srqueue.spec.expand import DatasetRef, expand, set_value
from srqueue.spec.rates import rate_remark


def tuned(architecture, *sets):
    overrides = [("flag --set", set_value(text)) for text in sets]
    return expand(DatasetRef("mine"), preset="tuned", architecture=architecture, overrides=overrides)


def test_it_has_the_budget_of_convenience():
    plain = expand(DatasetRef("mine"), preset="convenience", architecture="compact").spec
    spec = tuned("compact").spec
    assert spec.train.total_iter == plain.train.total_iter
    assert spec.datasets.train == plain.datasets.train
    assert (spec.train.optim_g.type, spec.train.scheduler.type) == ("SOAP", "wsd")


def test_what_it_says_for_nano_is_for_nano_alone():
    nano, compact = tuned("paragonsr2_nano"), tuned("compact")
    assert nano.spec.network_g.act and nano.spec.network_g.alpha == 0
    assert (nano.spec.train.optim_g.lr, compact.spec.train.optim_g.lr) == (1.5e-2, 6e-3)
    assert nano.origins["network_g.act"] == "preset tuned for paragonsr2_nano"


def test_a_flag_wins_over_what_it_says_for_nano():
    assert not tuned("paragonsr2_nano", "network_g.act=false").spec.network_g.act


@pytest.mark.parametrize("architecture", ["compact", "paragonsr2_nano"])
def test_its_rate_is_the_measured_one(architecture):
    assert rate_remark(tuned(architecture).spec) is None


def test_the_papers_rate_is_remarked_upon():
    expanded = expand(DatasetRef("mine"), preset="fidelity", architecture="paragonsr2_nano")
    (told,) = [notice for notice in expanded.notices if "measured best" in notice]
    assert "lr 0.0001 is 40 times below the 0.004" in told and "tuned" in told
    above = expand(
        DatasetRef("mine"), architecture="compact", overrides=[("f", set_value("train.optim_g.lr=0.1"))]
    ).spec
    assert "50 times above" in (rate_remark(above) or "")


def test_nothing_is_said_of_what_was_never_measured():
    assert rate_remark(expand(DatasetRef("mine"), architecture="edsr").spec) is None
