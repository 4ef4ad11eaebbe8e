"""upgrade, extend and recommend after real trainings of a real stack."""

import json
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srqueue.stack.stack import Stack

SMALL = (
    *("--preset", "quick", "--set", "datasets.train.lq_size=8", "--set", "datasets.train.batch_size=2"),
    *("--set", "network_g.num_feat=4", "--set", "network_g.num_conv=1", "--set", "logger.print_freq=5"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for number in range(4):
        small = generator.integers(0, 255, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(small).resize((72, 72), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def cli(tmp_path_factory, folder, typed):
    cli = typed(tmp_path_factory.mktemp("cli"))
    cli("dataset", "add", "tiny", "--hr", folder)
    return cli


@pytest.fixture(scope="module")
def with_stack(cli):
    stack = Stack(cli.settings)
    cli("up", "--no-flower")
    yield cli
    stack.down()


@pytest.fixture(scope="module")
def finished(with_stack):
    """A job that has trained 60 iterations."""
    how = ("--iterations", "60", "--seed", "9", "--name", "first", "--host", socket.gethostname())
    with_stack("submit", "tiny", *SMALL, *how, "--wait")
    return with_stack.record("first")


def test_an_upgrade_starts_from_the_model_on_the_same_data_and_network(finished, with_stack):
    done = with_stack(
        "upgrade", "first", "--preset", "quick", "--set", "train.total_iter=40",
        "--set", "datasets.train.lq_size=8", "--set", "datasets.train.batch_size=2", "--wait",
    )  # fmt: skip
    assert "from first" in done.stderr
    record = with_stack.record("first_quick")
    model = next(Path(finished["run_dir"]).glob("export/*.safetensors"))
    spec = record["spec"]
    assert record["state"] == "succeeded"
    assert spec["path"]["pretrain_network_g"] == str(model)
    assert len(spec["path"]["pretrain_sha256"]) == 64
    for key in ("network_g", "scale", "manual_seed"):
        assert spec[key] == finished["spec"][key]
        assert record["origins"][f"{key}.num_feat" if key == "network_g" else key] == (
            f"job {finished['id'][-6:].lower()}"
        )
    assert spec["datasets"]["train"]["identity"] == finished["spec"]["datasets"]["train"]["identity"]
    assert record["metrics"]["best/psnr"] > 0


def test_an_upgrade_is_a_fidelity_run_where_nothing_is_said(finished, with_stack):
    found = json.loads(with_stack("upgrade", "first", "--dry-run", "--json").stdout)
    assert found["spec"]["train"]["total_iter"] == 80000
    assert found["spec"]["name"] == "first_fidelity"
    assert found["spec"]["preflight"]
    assert found["spec"]["needs"]["host"] == socket.gethostname().lower()  # of its worker, as before


def test_an_upgrade_to_another_network_is_refused(finished, with_stack):
    for change in ("network_g.num_feat=5", "network_g.type=paragonsr2_nano", "scale=3"):
        told = with_stack("upgrade", "first", "--set", change, "--dry-run", code=2).stderr
        assert "the model of job" in told
    assert (
        "more than one preset"
        in with_stack("upgrade", "first", "--fidelity", "--preset", "quick", code=2).stderr
    )
    assert "did you mean 'first'" in with_stack("upgrade", "frist", code=2).stderr


def test_a_job_that_has_not_ended_or_left_nothing_cannot_be_followed(with_stack):
    with_stack("submit", "tiny", *SMALL, "--iterations", "1000000", "--seed", "11", "--name", "endless")
    for verb in (("upgrade",), ("extend", "--iterations", "5")):
        told = with_stack(verb[0], "endless", *verb[1:], code=2).stderr
        assert f"cannot {verb[0]} job" in told
        assert "cancel" in told
    with_stack("cancel", "endless")
    with_stack("watch", "endless", code=1)


def test_a_job_that_diverged_may_be_followed_from_its_best_weights(with_stack):
    """As in test_trainer_divergence: it validates every other iteration, and its rate climbs to 10."""
    wild = (
        "train.optim_g.lr=10", "train.warmup_iter=300", "train.divergence_guard.enabled=false",
        "train.training_automations.enabled=false", "network_g.num_conv=8", "network_g.num_feat=8",
        "val.val_freq=2",
    )  # fmt: skip
    sets = [word for change in wild for word in ("--set", change)]
    done = with_stack(
        "submit", "tiny", *SMALL, *sets, "--iterations", 400, "--name", "wild", "--wait", code=1
    )
    assert "wild failed" in done.stdout
    record = with_stack.record("wild")
    assert record["reason"] == "diverged"
    done = with_stack("upgrade", "wild", "--preset", "quick", "--dry-run", "--json")
    model = next(Path(record["run_dir"]).glob("export/*.safetensors"))
    found = json.loads(done.stdout)
    assert found["spec"]["path"]["pretrain_network_g"] == str(model)
    assert f"{record['metrics']['best/psnr']:.2f} dB" in found["notices"][0]
    assert "had failed: the training diverged; its weights are the best from before" in found["notices"][1]
    model.unlink()
    assert "has failed and left no model" in with_stack("upgrade", "wild", code=2).stderr


def test_a_job_that_failed_before_it_had_a_model_cannot_be_followed(with_stack):
    start = ("--set", "path.pretrain_network_g=/nope.safetensors")
    with_stack("submit", "tiny", *SMALL, *start, "--name", "stillborn", "--wait", code=1)
    told = with_stack("upgrade", "stillborn", code=2).stderr
    assert "has failed and left no model" in told
    assert "srqueue logs" in told


def test_an_extended_run_goes_on_at_the_iteration_where_the_job_ended(finished, with_stack):
    done = with_stack("extend", "first", "--iterations", "30", "--wait")
    assert "at iteration 60, to 90" in done.stderr
    assert "wsd schedule: it jumps from" in done.stderr
    record = with_stack.record("first_to90")
    assert (record["state"], record["iteration"], record["total_iter"]) == ("succeeded", 90, 90)
    before, after = finished["spec"], record["spec"]
    assert after["val"] == before["val"]
    assert after["train"]["warmup_iter"] == before["train"]["warmup_iter"]
    assert after["path"]["resume_from"].startswith(finished["run_dir"])
    events = [json.loads(line) for line in with_stack("logs", "first_to90", "--json").stdout.splitlines()]
    trained = [event["it"] for event in events if event["kind"] == "train"]
    assert trained
    assert min(trained) > 60
    again = json.loads(with_stack("extend", "first_to90", "--iterations", "10", "--dry-run", "--json").stdout)
    assert (again["spec"]["name"], again["spec"]["train"]["total_iter"]) == ("first_to100", 100)


def test_without_a_whole_checkpoint_or_folder_nothing_is_extended(finished, with_stack):
    run = Path(finished["run_dir"])
    (run / "checkpoints").rename(run / "away")
    told = with_stack("extend", "first", "--iterations", "5", code=1).stderr
    assert "no whole checkpoint" in told
    (run / "away").rename(run / "checkpoints")
    run.rename(run.with_name("moved"))
    for verb in (("upgrade",), ("extend", "--iterations", "5")):
        assert "not on this machine" in with_stack(verb[0], "first", *verb[1:], code=1).stderr
    run.with_name("moved").rename(run)
    assert "--iterations" in with_stack("extend", "first", "--iterations", "0", code=2).stderr


def test_recommend_knows_the_speed_of_earlier_jobs_and_measures_nothing_then(finished, with_stack):
    done = with_stack("recommend", "tiny", "--no-measure", "--json")
    found = json.loads(done.stdout)
    assert found["pictures"]["pictures"] == 3
    assert "only 3 pictures" in found["why"][0]
    assert {p["preset"] for p in found["presets"]} >= {"quick", "convenience", "fidelity", "max-fidelity"}
    assert all(p["iterations"] > 0 for p in found["presets"])
    assert "did you mean 'tiny'" in with_stack("recommend", "tinny", code=2).stderr
