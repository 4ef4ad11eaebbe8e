"""Stop rules in a real trainer: it ends, exports, says why; killed and resumed it ends the same."""

import json
from datetime import UTC, datetime

import pytest

from srqueue.run.reasons import StopReason
from workers.trainer.loop import Trainer
from workers.trainer.optim.ema import Ema
from workers.trainer.optim.schedule import decays
from workers.trainer.stop_rules import Standing


def exported(job):
    return json.loads((job.run.export / "metrics.json").read_text())


def test_a_number_of_iterations_is_kept_to_the_last(new_job):
    job = new_job(60, stop="25 it", val__val_freq=20)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.BUDGET_SPENT, 25)
    assert outcome.message == "stopped: its 25 iterations are done"
    assert exported(job)["trained_iterations"] == 25
    assert [e["it"] for e in job.events("val")] == [20, 25]


def test_time_is_spent_also_between_validations_and_a_last_one_is_made(new_job, monkeypatch):
    monkeypatch.setattr("workers.trainer.pace.Pace.unwalled", property(lambda pace: 100.0))
    job = new_job(400, stop="90s", val__val_freq=200, logger__print_freq=10)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.BUDGET_SPENT, 10)
    assert outcome.message == "stopped: its 90s are spent"
    assert [e["it"] for e in job.events("val")] == [10]
    assert outcome.export and (job.run.path / outcome.export).is_file()


@pytest.mark.parametrize(
    ("rule", "reason", "told"),
    [
        (
            "< 100 dB in 30 it",
            StopReason.STOPPED_EARLY,
            "stopped: less than 100 dB in the last 30 iterations",
        ),
        ("val/psnr > 5", StopReason.STOPPED_EARLY, "stopped: val/psnr is"),
    ],
)
def test_a_reason_in_one_line_and_the_best_weights(new_job, rule, reason, told):
    job = new_job(200, stop=rule, val__val_freq=10)
    outcome = job.attempt()
    assert outcome.reason is reason and outcome.message.startswith(told) and "\n" not in outcome.message
    assert outcome.iteration < 200 and outcome.export
    assert [e["data"]["by"] for e in job.events("action")] == ["StopRule"]


def test_killed_and_resumed_it_ends_at_the_same_iteration_for_the_same_reason(new_job, monkeypatch):
    rule = "< 3 dB in 30 it"
    unbroken = new_job(400, "unbroken", stop=rule, val__val_freq=10)
    expected = unbroken.attempt()
    assert expected.reason is StopReason.STOPPED_EARLY and expected.iteration >= 40

    class Killed(BaseException):
        """As sudden as SIGKILL for all that is not on the disk."""

    broken, real = new_job(400, "broken", stop=rule, val__val_freq=10), Ema.update
    for token, dies_at in enumerate((13, 28, expected.iteration - 3), 1):

        def update(self, done, dies_at=dies_at):
            real(self, done)
            if done == dies_at:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Ema, "update", update)
            with pytest.raises(Killed):
                broken.attempt(token, (broken.run.checkpoint_names() or [None])[-1])
    found = broken.resume(4)
    assert (found.reason, found.message, found.iteration) == (
        expected.reason,
        expected.message,
        expected.iteration,
    )
    assert broken.differing(unbroken) == []


def test_a_wsd_run_lowers_its_rate_before_its_iterations_are_done(new_job, tmp_path):
    job = new_job(
        100, stop="50 it", train__scheduler={"type": "wsd", "decay_share": 0.2}, val__val_freq=10,
        logger__print_freq=1,
    )  # fmt: skip
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.BUDGET_SPENT, 50)
    rates = {e["it"]: e["data"]["lr"] for e in job.events("train")}
    assert rates[30] == 1e-3 and rates[31] < 1e-3 and rates[50] == pytest.approx(0, abs=1e-12)


def test_a_wsd_run_that_does_all_its_iterations_within_its_budget_is_completed(new_job, monkeypatch):
    def second_by_second(self):
        at = self.state.iteration
        lowered = decays(self.spec.train, at, self._decay_from)
        return Standing(at, float(at), 0.0, datetime.now(UTC), lowered)

    monkeypatch.setattr(Trainer, "_standing", second_by_second)
    job = new_job(
        100, stop="101.5s, < 100 dB in 10 it", train__scheduler={"type": "wsd", "decay_share": 0.2},
        val__val_freq=90, logger__print_freq=1,
    )  # fmt: skip
    outcome = job.attempt()
    assert (outcome.reason, outcome.message) == (StopReason.COMPLETED, "all iterations done")
    assert outcome.iteration == 100 and outcome.export
    tight = new_job(
        100, "tight", stop="90s", train__scheduler={"type": "wsd", "decay_share": 0.2},
        val__val_freq=90, logger__print_freq=1,
    ).attempt()  # fmt: skip
    assert tight.reason is StopReason.BUDGET_SPENT and tight.iteration < 90


def test_a_run_whose_moment_is_past_before_it_begins_is_cancelled_and_leaves_no_model(new_job, monkeypatch):
    job = new_job(200, stop="2020-01-01 00:00", val__val_freq=10)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration, outcome.export) == (StopReason.CANCELLED, 0, None)
    assert outcome.message.startswith("stopped: 2020-01-01 00:00") and outcome.message.endswith(
        "has come before its first iteration"
    )
    assert job.events("train") == [] and not job.run.checkpoint_names()


def test_a_run_that_goes_on_after_its_moment_ends_with_what_it_has(new_job, stop_at):
    job = new_job(60, val__val_freq=10, logger__print_freq=5)
    assert stop_at(job, 1, 12, StopReason.PAUSED).reason is StopReason.PAUSED
    raw = json.loads(job.run.spec_file.read_text())
    job.run.spec_file.write_text(json.dumps({**raw, "stop": ["2020-01-01 00:00+00:00"]}))
    outcome = job.resume(2)
    assert outcome.reason is StopReason.BUDGET_SPENT and outcome.export and outcome.iteration < 20


def test_a_gain_that_is_too_small_begins_the_decay_of_a_wsd_run(new_job):
    job = new_job(
        200, stop="< 100 dB in 20 it", train__scheduler={"type": "wsd", "decay_share": 0.1}, val__val_freq=10
    )
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.STOPPED_EARLY, 50)
    assert outcome.message.endswith("; from iteration 30 on the rate was lowered to its end")


def test_rules_are_of_the_spec_as_it_is_now(new_job, stop_at):
    """The resolved spec of an earlier attempt may hold others."""
    job = new_job(60, val__val_freq=10)
    assert stop_at(job, 1, 12, StopReason.PAUSED).reason is StopReason.PAUSED
    raw = json.loads(job.run.spec_file.read_text())
    job.run.spec_file.write_text(json.dumps({**raw, "stop": ["30 it"]}))
    assert job.resume(2).iteration == 30


def test_without_a_validation_the_clock_still_ends_it(new_job, monkeypatch):
    monkeypatch.setattr(Trainer, "_standing", lambda self: _late(self))
    job = new_job(400, stop="10h", val__val_enabled=False, logger__print_freq=10)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.BUDGET_SPENT, 10) and outcome.export


def _late(trainer):
    return Standing(trainer.state.iteration, 36001.0, 0.0, datetime.now(UTC))
