"""From a campaign file to cells and specs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.campaign.cells import MOST_CELLS, cells_of, count
from srqueue.campaign.planning import plan_cells
from srqueue.campaign.shipped import find, shipped
from srqueue.campaign.spec import campaign_of, read_campaign
from srqueue.errors import SpecError
from srqueue.spec.expand import DatasetRef


def campaign(**raw):
    return campaign_of(raw, "night.yaml", "night")


def labels(made):
    return [cell.label for cell in cells_of(made)]


def test_a_matrix_is_every_combination_in_order_with_the_base_below():
    made = campaign(
        base={"dataset": "cc0", "train": {"total_iter": 500}},
        matrix={"presets": ["convenience", "fidelity"], "seed": [1, 2]},
    )
    cells = cells_of(made)
    assert labels(made) == [
        "convenience · seed 1", "convenience · seed 2", "fidelity · seed 1", "fidelity · seed 2",
    ]  # fmt: skip
    assert cells[0].axes == {"preset": "convenience", "seed": 1} and cells[0].stage == "main"
    assert cells[0].choices == {"dataset": "cc0", "preset": "convenience", "seed": 1}
    assert cells[0].layers == (("campaign night, base", {"train": {"total_iter": 500}}),)


def test_cells_are_left_out_added_and_changed():
    made = campaign(
        base={"dataset": "cc0"},
        matrix={"arch": ["compact", "span"], "train.optim_g.lr": [1e-3, 1e-4]},
        exclude=[{"arch": "span", "train.optim_g.lr": [1e-3]}],
        include=[{"arch": "edsr", "seed": 9}],
        overrides=[{"when": {"arch": "compact"}, "set": {"network_g": {"num_feat": 16}}}],
    )
    assert labels(made) == ["compact · lr 0.001", "compact · lr 0.0001", "span · lr 0.0001", "edsr · seed 9"]
    first, *_, last = cells_of(made)
    assert first.layers[-1] == ("campaign night, overrides", {"network_g": {"num_feat": 16}})
    assert last.layers == () and last.choices == {"dataset": "cc0", "arch": "edsr", "seed": 9}


def test_stages_share_what_stands_at_the_top_and_come_behind_what_they_wait_for():
    made = campaign(
        base={"dataset": "cc0", "preset": "quick"},
        matrix={"seed": [1, 2]},
        stages={
            "late": {"after": "first", "matrix": {"scale": [2, 4]}},
            "first": {"base": {"preset": "tuned"}},
        },
    )
    assert [(c.stage, c.choices["preset"]) for c in cells_of(made)] == [("first", "tuned")] * 2 + [
        ("late", "quick")
    ] * 4
    assert count(made) == 6


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"matrx": {}}, "matrx: unknown key; did you mean 'matrix'"),
        ({"stages": {"a": {"aftr": "b"}}}, "stages.a.aftr: unknown key; did you mean 'after'"),
        ({"stages": {"a": {"after": "a"}}}, "stage a waits for itself"),
        ({"stages": {"a": {"after": "b"}}}, "stage a waits for 'b', and there is no such stage"),
        (
            {"stages": {"a": {"after": "b"}, "b": {"start_from": "c"}, "c": {"after": ["a"]}}},
            "stages wait for each other: ",
        ),
        ({"stages": []}, "`stages` must hold"),
        ({"matrix": {"seed": 3}}, "matrix.seed: must be a list, as in [1, 2]"),
        ({"stages": {"a": 3}}, "a stage must hold"),
        ({"name": "../x"}, "name: "),
        ({"max_parallel": 0, "priority": 11}, "priority: "),
        ({"on_failure": "explode"}, "on_failure: "),
    ],
)
def test_what_a_file_may_not_say_is_told_with_its_place(raw, told):
    with pytest.raises(SpecError) as error:
        campaign(base={"dataset": "cc0"}, **raw)
    assert told in str(error.value.message)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({}, "the matrix is empty"),
        ({"matrix": {"seed": []}}, "no value is given for seed"),
        ({"matrix": {"seed": [1]}, "exclude": [{"seed": 1}]}, "no cell is left"),
        ({"matrix": {"seed": [1, 1]}}, "one cell stands twice: seed 1"),
        ({"matrix": {"seed": list(range(400)), "scale": list(range(400))}}, "160,000 cells are more"),
    ],
)
def test_empty_doubled_and_exploding_matrices_are_refused(raw, told):
    with pytest.raises(SpecError, match=told):
        cells_of(campaign(**raw))


AXES = st.dictionaries(
    st.sampled_from(["preset", "arch", "seed", "train.total_iter", "val.val_freq"]),
    st.lists(st.integers(0, 99), min_size=1, max_size=5, unique=True),
    min_size=1,
)


@given(axes=AXES, left_out=AXES)
def test_a_matrix_has_its_product_less_what_is_excluded(axes, left_out):
    made = cells_of(campaign(matrix=axes, include=[{"name": "extra"}], exclude=[left_out]))
    gone = (
        math.prod(len(set(axes[k]) & set(left_out.get(k, axes[k]))) for k in axes)
        if left_out.keys() <= axes.keys()
        else 0
    )
    assert len(made) == math.prod(map(len, axes.values())) - gone + 1
    assert len({cell.key() for cell in made}) == len(made) <= MOST_CELLS


# specs


def planned(**raw):
    return plan_cells(campaign(**raw), lambda name: DatasetRef(name, val_name=name))


def test_each_cell_is_a_whole_spec_with_its_origins_and_a_name_of_its_own():
    plan = planned(
        base={"dataset": "cc0", "arch": "compact", "train": {"total_iter": 2000}},
        matrix={"preset": ["convenience", "fidelity"], "train.optim_g.lr": [1e-3, 5e-4], "seed": [7]},
    )
    names = [p.expanded.spec.name for p in plan]
    assert len(set(names)) == 4 and names[0] == "compact_cc0_convenience_lr0.001_seed7"
    spec, origins = plan[1].expanded.spec, plan[1].expanded.origins
    assert (spec.train.optim_g.lr, spec.manual_seed, spec.train.total_iter) == (5e-4, 7, 2000)
    assert origins["train.optim_g.lr"] == "campaign night, matrix"
    assert origins["train.total_iter"] == "campaign night, base"


def test_cells_that_differ_in_their_seed_only_are_what_each_would_be_by_itself():
    base = {"dataset": "cc0", "arch": "compact", "preset": "tuned"}
    plan = planned(base=base, matrix={"seed": [1, 2]}, include=[{"name": "own"}, {"seed": 3, "name": "b"}])
    alone = [
        planned(base=base, include=[dict(p.cell.axes)])[0].expanded for p in plan
    ]  # each the first of its kind
    assert [p.expanded.spec for p in plan] == [e.spec for e in alone]
    assert [p.expanded.origins for p in plan] == [e.origins for e in alone]
    assert [p.expanded.spec.manual_seed for p in plan] == [1, 2, 1024, 3]
    for seed in (-1, "x", 1.5):
        with pytest.raises(SpecError, match="manual_seed"):
            planned(base=base, matrix={"seed": [1, seed]})


def test_all_that_is_wrong_is_told_at_once_by_cell():
    with pytest.raises(SpecError) as error:
        planned(
            base={"dataset": "cc0", "train.total_itr": 5},
            matrix={"preset": ["quick", "fidelty"], "arch": ["compact", "compcat"]},
        )
    told = error.value.message
    assert "cell quick · compact: " not in told and "train.total_itr: unknown key" in told
    assert "2 cells (quick · compcat, ...): no architecture 'compcat'; did you mean" in told
    assert "2 cells (fidelty · compact, ...): no preset 'fidelty'" in told
    assert told.count("every cell (4): train.total_itr") == 1


def test_an_unknown_key_of_the_base_is_said_once_for_every_cell():
    with pytest.raises(SpecError) as error:
        planned(base={"dataset": "cc0", "train.total_itr": 5}, matrix={"seed": [1, 2, 3]})
    assert error.value.message.startswith("every cell (3): ")
    assert error.value.message.count("unknown key") == 1


def test_a_campaign_without_a_data_set_says_so():
    with pytest.raises(SpecError, match="no data set is named"):
        planned(matrix={"seed": [1]})


def test_a_cell_begins_with_those_of_the_stage_before_that_agree_with_it():
    plan = planned(
        base={"dataset": "cc0"},
        stages={
            "baseline": {"matrix": {"arch": ["compact", "span"], "seed": [1, 2]}},
            "longer": {
                "matrix": {"arch": ["compact", "span"], "preset": ["fidelity"]}, "start_from": "baseline",
            },
            "bigger": {
                "base": {"scale": 4}, "matrix": {"arch": ["span"], "seed": [2]}, "start_from": "baseline",
            },
        },
    )  # fmt: skip
    parents = {p.cell.label: [plan[i].cell.label for i in p.parents] for p in plan if p.parents}
    assert parents == {
        "compact · fidelity": ["compact · seed 1", "compact · seed 2"],
        "span · fidelity": ["span · seed 1", "span · seed 2"],
        "span · seed 2": ["span · seed 2"],
    }
    bigger = plan[-1].expanded
    assert bigger.spec.scale == 4 and not bigger.spec.path.strict_load_g
    assert bigger.origins["path.strict_load_g"] == "start_from baseline: another scale"


def test_a_cell_that_no_model_fits_is_told():
    with pytest.raises(SpecError, match="cell span: stage a has no cell with its network"):
        planned(
            base={"dataset": "cc0"},
            stages={
                "a": {"base": {"arch": "compact"}},
                "b": {"matrix": {"arch": ["span"]}, "start_from": "a"},
            },
        )


@pytest.mark.parametrize("name", shipped())
def test_each_campaign_that_comes_with_srqueue_can_be_planned(name):
    made = read_campaign(find(name))
    assert made.name == name and made.description
    assert plan_cells(made, lambda n: DatasetRef(n, val_name=n))


def test_a_file_that_is_not_there_is_told_with_what_there_is():
    with pytest.raises(SpecError) as error:
        find("baseline-then-fidelty")
    assert "baseline-then-fidelity" in error.value.hint
