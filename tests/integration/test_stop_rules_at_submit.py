"""Stop rules from the command line to the end of the job."""

import json
from dataclasses import replace

import pytest

from srqueue.cli.running import run as srqueue
from srqueue.cli.show import energy
from srqueue.errors import SpecError, UsageError
from srqueue.queue.client import Client
from srqueue.run.reasons import JobState, StopReason


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def spec(client, tiny_dataset, tiny_spec):
    """Of this test's data set."""
    identity = tiny_dataset(client.settings).identity
    return lambda total=40, **more: tiny_spec(identity, total, **more)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("2020-01-01 08:00", "past already"),
        ("3 EUR", "SRQUEUE_KWH_PRICE"),
        ("val/psnr > job:nobody + 0.1", "nobody"),
        ("500 it", "more than train.total_iter (40)"),
        ("< 0.1 dB in 500 it", "the window is longer"),
    ],
)
def test_what_could_never_hold_is_refused_before_anything_is_queued(client, spec, rules, told):
    with pytest.raises(SpecError) as error:
        client.submit(spec(stop=rules))
    assert told in str(error.value) and client.store.count() == 0


def test_all_of_it_is_told_at_once(client, spec):
    with pytest.raises(SpecError) as error:
        client.submit(spec(stop="2020-01-01 08:00, 3 EUR, 500 it, 1h"))
    assert all(word in str(error.value) for word in ("2020", "3 EUR", "500 it")) and "1h" not in str(
        error.value
    )


def test_prices_and_jobs_are_settled_when_it_is_queued(environment, valkey, spec):
    client = Client(environment(valkey, KWH_PRICE="0.32"))
    first = client.submit(spec(name="first")).job
    job = client.submit(spec(60, stop=["3.50 EUR", "val/psnr > job:first + 0.1"])).job
    assert job.spec["stop"] == ["3.5 EUR at 0.32 EUR/kWh", f"val/psnr > job:{first.id} + 0.1"]
    with pytest.raises(SpecError, match="SRQUEUE_KWH_PRICE is in EUR"):
        client.submit(spec(70, stop="3.50 USD"))


def test_the_same_training_with_other_rules_is_the_same_job_and_that_is_said(client, spec):
    job = client.submit(spec(stop="18h")).job
    again = client.submit(spec(stop="20h", window="22:00-07:00"))
    assert (again.new, again.job.id) == (False, job.id)
    assert again.differs == ("its stop rules stay as they are: 18h", "its windows stay as they are: none")
    assert client.submit(spec(stop="18h")).differs == ()


def test_an_extended_job_does_not_end_where_the_rules_ended_the_first(client, spec, start_worker):
    start_worker()
    first = client.wait(client.submit(spec(40, stop="20 it")).job.id, 120)
    assert (first.state, first.reason) == (JobState.SUCCEEDED, StopReason.BUDGET_SPENT)
    assert first.message == "stopped: its 20 iterations are done"
    longer = client.extend(first.id, 10)
    assert longer.spec.stop == () and any("without the stop rules" in told for told in longer.notices)


def test_a_job_is_to_be_better_than_another_one(client, spec, start_worker):
    start_worker()
    first = client.wait(client.submit(spec(20, name="first")).job.id, 120)
    best = first.metrics["best/psnr"]
    assert first.metrics["kwh"] > 0 and first.progress["kwh_token"] == first.token
    guessed = replace(first, progress={"kwh": 1.0, "kwh_estimated": 1.0}, metrics={"kwh": 2.0})
    assert energy(guessed) == "2 kWh, estimated", "what came after the last report is no measurement"
    rule = f"val/psnr > job:{first.short_id} - 5"
    done = client.wait(client.submit(spec(400, val={"val_freq": 10}, stop=rule)).job.id, 120)
    assert (done.state, done.reason, done.iteration) == (JobState.SUCCEEDED, StopReason.STOPPED_EARLY, 10)
    assert done.message.endswith(f"above {best - 5:.4f}, from job {first.short_id}")


def test_a_dry_run_tells_of_rules_what_a_submit_would(environment, own_valkey, spec, tmp_path, capsys):
    first = Client(environment(own_valkey, KWH_PRICE="0.32")).submit(spec(name="first")).job
    file = tmp_path / "spec.json"
    file.write_text(spec(60).model_dump_json())

    def dry(*rules):
        argv = [part for rule in rules for part in ("--stop", rule)]
        return srqueue(["submit", "--spec", str(file), "--dry-run", "--json", *argv])

    assert dry("3.50 EUR", "val/psnr > job:first + 0.1") == 0
    printed = json.loads(capsys.readouterr().out)["spec"]["stop"]
    assert printed == ["3.5 EUR at 0.32 EUR/kWh", f"val/psnr > job:{first.id} + 0.1"]
    assert dry("2020-01-01 08:00", "500 it") == 2
    told = capsys.readouterr().err
    assert "past already" in told and "more than train.total_iter (60)" in told
    own_valkey.kill()  # it is only asked for jobs
    assert [dry("1h"), dry("val/psnr > job:first + 0.1")] == [0, 3]


def test_from_the_command_line(client, spec, tmp_path, capsys):
    file = tmp_path / "spec.json"
    file.write_text(spec().model_dump_json())
    argv = ["submit", "--spec", str(file), "--stop", "18h, 6kWh", "--stop", "< 0.02 dB in 20 it"]
    assert srqueue([*argv, "--window", "0:00-24:00", "--dry-run", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["spec"]
    assert printed["stop"] == ["18h", "6 kWh", "< 0.02 dB in 20 it"] and printed["window"] == ["00:00-24:00"]
    assert srqueue(["submit", "--spec", str(file), "--stop", "18x", "--stop", "psn > 3"]) == 2
    told = capsys.readouterr().err
    assert "unknown unit 'x'" in told and "unknown metric 'psn'" in told and "Traceback" not in told
    assert srqueue(["submit", "--spec", str(file), "--set", "stop=2h"]) == 0
    (job,) = client.list()
    assert job.spec["stop"] == ["2h"]


def test_a_job_that_nobody_knows_has_no_rule(client, spec):
    with pytest.raises((SpecError, UsageError)):
        client.submit(spec(stop="val/psnr > job:zzzzzz"))
