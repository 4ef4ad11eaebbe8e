"""A card says what a record knows, and nothing where it knows nothing."""

import dataclasses

from srqueue.monitor.backend import run_folder
from srqueue.monitor.cards import card, preset_of
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState
from srqueue.spec.expand import DatasetRef, expand
from srqueue.store.record import JobRecord

ID = "01HZZZZZZZZZZZZZZZZZZZ0001"
BARE = JobRecord(
    id=ID, name="job", state=JobState.QUEUED, spec={}, origins={}, spec_id="s", priority=5,
    device_class="any", created=1.0, updated=1.0,
)  # fmt: skip


def test_of_a_bare_record_everything_unknown_is_none():
    found = card(BARE)
    assert found["share"] == 0.0 and found["campaigns"] == [] and not found["has_report"]
    unknown = {"preset", "arch", "dataset", "psnr", "best_psnr", "gain", "eta_s", "worker", "reason", "waits"}
    assert {key for key in unknown if found[key] is not None} == set()


def test_final_figures_stand_above_those_of_the_progress():
    done = dataclasses.replace(
        BARE, state=JobState.SUCCEEDED, progress={"psnr": 30.0, "best_psnr": 31.0, "it_s": 9.0},
        metrics={"best/psnr": 32.0, "bicubic/psnr": 29.0},
    )  # fmt: skip
    found = card(done)
    assert (found["psnr"], found["best_psnr"], found["gain"], found["it_s"]) == (30.0, 32.0, 3.0, None)


def test_a_preset_is_named_though_it_stands_on_another_and_values_were_changed():
    for name in ("quick", "convenience", "fidelity", "max-fidelity", "tuned"):
        whole = expand(
            DatasetRef("d", "5" * 64), preset=name, overrides=[("flag --set", {"train": {"total_iter": 50}})]
        )
        assert preset_of(whole.origins) == name
    assert preset_of({"train.total_iter": "preset quick, scaled"}) == "quick"
    assert preset_of({}) is None


def test_only_a_folder_that_is_the_jobs_own_is_read(tmp_path):
    for path in (tmp_path / ID, tmp_path / "other"):
        RunDir(path).create().spec_file.write_text("{}")
    (tmp_path / "root_id").write_text("ours")
    at = {
        name: dataclasses.replace(BARE, run_dir=str(tmp_path / name), root_id="ours")
        for name in (ID, "other", "gone")
    }
    assert run_folder(at[ID]) == RunDir(tmp_path / ID)
    assert run_folder(at["other"]) is run_folder(at["gone"]) is run_folder(BARE) is None
    assert run_folder(dataclasses.replace(BARE, run_dir=f"../{ID}", root_id="ours")) is None
    far = dataclasses.replace(at[ID], root_id="far")
    assert run_folder(far) is None
    (tmp_path / "remote.json").write_text('{"url": "s3://b", "root_id": "far"}')
    assert run_folder(far) == RunDir(tmp_path / ID), "one that came from the remote folder of this root"


def of(state, **progress):
    return dataclasses.replace(BARE, state=state, progress=progress)


def test_a_card_says_what_is_forecast_of_a_running_job_alone():
    told = {"made": 1.0, "iteration": 40, "end": [10.0, 20.0, 30.0], "psnr": [31.0, 31.5, 32.0], "ssim": None}
    found = card(of(JobState.RUNNING, forecast=told))["forecast"]
    assert (found["end"], found["psnr"], found["iteration"]) == ([10.0, 20.0, 30.0], [31.0, 31.5, 32.0], 40)
    assert "± 0.50 dB" in found["text"]
    assert card(of(JobState.SUCCEEDED, forecast=told))["forecast"] is None
    assert card(of(JobState.RUNNING))["forecast"] is None
