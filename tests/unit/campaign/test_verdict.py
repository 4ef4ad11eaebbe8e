"""The verdict: who is compared with whom, and what is said of it."""

import random
import statistics

import pytest
from scipy import stats

from srqueue.campaign.verdict.groups import boards
from srqueue.campaign.verdict.judge import judge
from srqueue.campaign.verdict.paired import ALL_PAIRS_OF
from srqueue.campaign.verdict.pareto import points

PICTURES = [24.0, 27.5, 29.0, 31.0, 33.5, 26.0, 28.0, 30.5, 35.0, 32.0]


def shifted(by, noise=0.0, seed=0):
    drawn = random.Random(seed)
    return [value + by + drawn.gauss(0, noise) for value in PICTURES]


def rates(cell, seeds, **shifts):
    """A cell a rate and seed; `shifts`: dB above the pictures, by rate; seeds differ by hundredths."""
    return [
        cell(shifted(by + 0.01 * seed, 0.02, f"{lr} {seed}"), seed=seed, axes={"lr": lr})
        for lr, by in shifts.items()
        for seed in range(1, seeds + 1)
    ]


def test_a_group_is_what_differs_only_in_its_seed(cell):
    cells = [
        cell([30.0 + s, 32.0], seed=s, axes={"arch": a, "preset": "tuned"}) for a in "xy" for s in (1, 2, 3)
    ]
    (board,) = boards(cells)
    assert [(g.label, g.n) for g in board.groups] == [("x · tuned", 3), ("y · tuned", 3)]
    group = board.groups[0]
    figures = [c.psnr for c in group.cells]
    assert (group.mean, group.sd) == (statistics.fmean(figures), statistics.stdev(figures))
    assert (group.best.seed, group.gain, group.hours) == (3, group.mean - 28.0, 1.0)


def test_the_stage_is_named_where_there_are_several(cell):
    cells = [cell([30.0], stage=stage, axes={"arch": "x"}) for stage in ("first", "then")]
    assert [g.label for g in boards(cells)[0].groups] == ["first: x", "then: x"]


def test_figures_are_those_of_the_cells_that_succeeded(cell):
    cells = [
        cell([30.0], seed=1),
        cell([10.0], seed=2, state="cancelled"),
        cell(None, seed=3, state="failed"),
    ]
    (group,) = boards(cells)[0].groups
    assert (group.mean, group.n, group.finished, len(group.cells)) == (30.0, 1, True, 3)
    (group,) = boards(cells[1:])[0].groups
    assert (group.mean, group.finished) == (10.0, False)
    assert boards(cells[2:])[0].measured == ()


def test_a_difference_that_pictures_and_seeds_agree_on_is_more_than_noise(cell):
    verdict = judge(rates(cell, 3, fast=0.5, slow=0.0))
    (found,) = verdict.pairs[0]
    assert (found.better.label, found.claim, found.seeds_agree) == ("lr fast", "more than noise", True)
    assert found.difference == pytest.approx(0.5, abs=0.05) and found.low < found.difference < found.high
    assert found.difference == pytest.approx(found.better.mean - found.other.mean)
    assert found.p == 2 / 2**10 and found.p_holm == max(found.p, found.p_seeds) < 0.05
    assert verdict.sentence.startswith("lr fast leads with 30.1")
    assert "(3 seeds), +0.5" in verdict.sentence
    assert verdict.winner.axes["lr"] == "fast"


def test_one_seed_is_a_weaker_claim_and_said(cell):
    (found,) = judge(rates(cell, 1, fast=0.5, slow=0.0)).pairs[0]
    assert (found.claim, found.seeds_agree, found.seed_half) == ("one seed", None, None)
    assert "one seed only" in found.why


def test_pictures_that_do_not_agree_are_noise(cell):
    ups = [0.4 if i % 2 else -0.35 for i in range(10)]
    mixed = [[v + u + 0.001 * s for v, u in zip(PICTURES, ups, strict=True)] for s in (1, 2)]
    cells = [cell(values, seed=s, axes={"lr": "mixed"}) for s, values in enumerate(mixed)]
    cells += [cell(shifted(0.001 * s), seed=s, axes={"lr": "plain"}) for s in range(2)]
    (found,) = judge(cells).pairs[0]
    assert found.claim == "noise" and "pictures do not agree" in found.why


def test_seeds_that_do_not_agree_are_noise(cell):
    """Every picture says the same: the difference is one of luck, the same for all of them."""
    cells = [cell(shifted(by), seed=s, axes={"lr": "a"}) for s, by in enumerate([0.5, 0.0])]
    cells += [cell(shifted(by), seed=s, axes={"lr": "b"}) for s, by in enumerate([0.1, 0.3])]
    (found,) = judge(cells).pairs[0]
    assert (found.claim, found.seeds_agree) == ("noise", False) and found.p < 0.05


def test_a_difference_no_larger_than_that_of_seeds_is_noise(cell):
    """Each seed says the same, which two do by luck every second time."""
    cells = [cell(shifted(by), seed=s, axes={"lr": "a"}) for s, by in enumerate([0.5, 0.1])]
    cells += [cell(shifted(by), seed=s, axes={"lr": "b"}) for s, by in enumerate([0.4, 0.0])]
    (found,) = judge(cells).pairs[0]
    assert (found.claim, found.seeds_agree) == ("noise", True) and "seeds alone" in found.why


def test_a_network_of_which_a_seed_diverged_hides_no_difference_of_others(cell):
    others = rates(cell, 3, a=0.4, b=0.0, c=-0.1)
    diverged = [cell(shifted(by), seed=s, axes={"lr": "d"}) for s, by in enumerate([-1.0, -1.1, -9.0])]
    (board,) = boards([*others, *diverged])
    assert {group.label for group in board.usual} == {"lr a", "lr b", "lr c"}
    assert board.noise == boards(others)[0].noise
    found = {(pair.better.label, pair.other.label): pair for pair in judge([*others, *diverged]).pairs[0]}
    assert found["lr a", "lr b"].claim == "more than noise"
    assert found["lr a", "lr d"].claim == "noise" and found["lr a", "lr d"].seed_half > 3, "its own counts"


def test_luck_of_seeds_is_seldom_taken_for_more(cell):
    """Campaigns of 4 equal groups: a claim in any of their pairs is as rare as is said, 0.05 of them."""
    drawn, wrong = random.Random(11), 0
    for n in range(80):
        cells = [
            cell([v + luck + drawn.gauss(0, 0.02) for v in PICTURES], seed=s, axes={"lr": group})
            for group in range(4)
            for s in range(2 + n % 2)
            for luck in [drawn.gauss(0, 0.1)]
        ]
        wrong += any(pair.claim == "more than noise" for pair in judge(cells).pairs[0])
    assert wrong <= 10, "three standard errors above 0.05"


def test_the_p_of_seeds_is_that_of_a_pooled_t_test(cell):
    values = {"a": [0.5, 0.42, 0.61], "b": [0.1, 0.02]}
    cells = [
        cell(shifted(by), seed=s, axes={"lr": lr}) for lr, own in values.items() for s, by in enumerate(own)
    ]
    (found,) = judge(cells).pairs[0]
    scipys = stats.ttest_ind(values["a"], values["b"])
    assert found.p_seeds == pytest.approx(scipys.pvalue, rel=1e-6)
    low, high = scipys.confidence_interval(0.95)
    assert found.seed_half == pytest.approx((high - low) / 2, rel=1e-6)
    assert found.p_holm == max(found.p, found.p_seeds)


def test_five_pictures_are_too_few_and_that_is_said(cell):
    cells = [
        cell([v + by for v in PICTURES[:5]], seed=s, axes={"lr": by}) for by in (0.0, 0.5) for s in (1, 2)
    ]
    (found,) = judge(cells).pairs[0]
    assert found.p == 2 / 2**5 and found.claim == "noise" and "5 pictures are too few" in found.why


def test_cells_without_figures_of_pictures_are_said_and_left_out(cell):
    old = [cell(PICTURES, seed=s, axes={"lr": "old"}, scores=None) for s in (1, 2)]
    verdict = judge([*old, *rates(cell, 2, new=0.5)])
    (found,) = verdict.pairs[0]
    assert (found.claim, found.p, found.difference) == ("unknown", None, found.better.mean - found.other.mean)
    assert any("of 2 of 4 cells no figures of single pictures are known" in told for told in verdict.remarks)


def test_only_pictures_that_all_have_are_compared(cell):
    cells = [cell(shifted(0.5)[:8], axes={"lr": "a"}), cell(PICTURES, axes={"lr": "b"})]
    (found,) = judge(cells).pairs[0]
    assert found.pictures == 8 and found.difference == pytest.approx(-0.5)
    assert found.better.label == "lr b" and found.claim == "noise", "on what both have the other is better"


def test_what_was_validated_on_other_pictures_is_not_compared(cell):
    there = {"validated": ("w" * 64, "all of it", "x2"), "validated_text": "set5 wwwwwwwwwwww, x2"}
    cells = [
        cell(PICTURES, axes={"lr": 1}),
        cell(PICTURES, axes={"lr": 2}),
        cell(PICTURES, axes={"lr": 3}, **there),
    ]
    verdict = judge(cells)
    assert [len(board.groups) for board in verdict.boards] == [2, 1]
    assert [len(pairs) for pairs in verdict.pairs] == [1, 0]
    (changed, two) = verdict.remarks
    assert "validation set set5 changed between cells" in changed and "refused" in changed
    assert "vvvvvvvvvvvv or wwwwwwwwwwww" in changed and "2 different sets" in two


def test_the_board_with_most_figures_leads(cell):
    there = {"validated": ("a" * 64, "all of it", "x2"), "validated_text": "a set"}
    cells = [cell(None, axes={"lr": n}, state="queued", **there) for n in range(3)] + [cell(PICTURES)]
    assert judge(cells).sentence.startswith("main leads with")


def test_a_training_set_that_changed_is_not_averaged_over(cell):
    cells = [cell(PICTURES, seed=s, data=("cc0", c * 64)) for c in "ab" for s in (1, 2)]
    verdict = judge(cells)
    assert [[g.n for g in board.groups] for board in verdict.boards] == [[2], [2]]
    assert "data set cc0 changed between cells" in verdict.remarks[0]
    assert "trained on cc0 aaaaaaaaaaaa" in verdict.boards[0].validated
    named = [cell(PICTURES, axes={"dataset": n}, data=(n, n * 64)) for n in "ab"]
    assert [len(b.groups) for b in judge(named).boards] == [2], "data sets that are named so are an axis"


def test_of_many_groups_the_leader_is_compared_with_the_others(cell):
    cells = [cell(shifted(i / 100), axes={"lr": i}) for i in range(ALL_PAIRS_OF + 1)]
    verdict = judge(cells)
    assert len(verdict.pairs[0]) == ALL_PAIRS_OF
    assert {pair.better.label for pair in verdict.pairs[0]} == {"lr 10"}
    assert "11 groups have too many pairs" in verdict.remarks[0]


def test_quality_is_weighed_against_what_it_costs(cell):
    cells = [
        cell([30.0], axes={"arch": "small"}, ms=1.0, parameters=10),
        cell([31.0], axes={"arch": "large"}, ms=5.0, parameters=90),
        cell([29.0], axes={"arch": "bad"}, ms=2.0, parameters=50),
        cell([32.0], axes={"arch": "elsewhere"}, ms=0.1, device="other", parameters=95),
    ]
    (board,) = boards(cells)
    assert [(p.group.label, p.front) for p in points(board.measured, "ms_per_megapixel")] == [
        ("small", True), ("bad", False), ("large", True),
    ]  # fmt: skip
    assert [(p.cost, p.front) for p in points(board.measured, "parameters")] == [
        (10, True), (50, False), (90, True), (95, True),
    ]  # fmt: skip
    mixed = [cell([30.0], seed=s, ms=1.0, device=d) for s, d in enumerate("ab")]
    assert boards(mixed)[0].groups[0].ms_per_megapixel is None


def test_what_did_not_train_to_its_end_is_listed(cell):
    cells = [
        cell([30.0]), cell([31.0], reason="stopped_early", seed=2), cell(None, state="failed", seed=3),
        cell([29.0], state="running", seed=4),
    ]  # fmt: skip
    assert [c.seed for c in judge(cells).stopped] == [2, 3]


def test_nothing_measured_is_no_verdict(cell):
    assert judge([]).sentence == judge([cell(None, state="queued")]).sentence == "nothing was measured"
    assert judge([]).winner is None
