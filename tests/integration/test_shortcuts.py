"""zero-config, submit --spec, recommend and import through the real command line."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srqueue.gpus import find_gpus
from srqueue.spec.reading import read_yaml
from srqueue.spec.validate import validate

SMALL = (
    *("--preset", "quick", "--set", "datasets.train.lq_size=8", "--set", "datasets.train.batch_size=2"),
    *("--set", "network_g.num_feat=4", "--set", "network_g.num_conv=1", "--set", "logger.print_freq=5"),
)
OLD = """
name: old
scale: 2
datasets:
  train: {name: Mine, dataroot_gt: "data/my hr", dataroot_lq: data/lr, lq_size: 32, batch_size_per_gpu: 8}
  val: {name: Val, dataroot_gt: data/val}
network_g: {type: compact, num_feat: 24, num_conv: 8}
network_d: {type: dunet}
train:
  total_iter: 900
  optim_g: {type: AdamW, lr: 1e-4}
  losses: [{type: l1loss, loss_weight: 1.0}, {type: ssimloss, loss_weight: 0.05}]
val: {val_enabled: true, val_freq: 100}
"""


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


def test_zero_config_looks_at_the_pictures_and_says_where_each_value_comes_from(cli, folder):
    asked = ("zero-config", "--gt", folder, "--arch", "compact", "--set", "train.total_iter=500", "--explain")
    done = cli(*asked, SRQUEUE_REDIS_URL="redis://:secret@of-another-machine")
    spec = validate(read_yaml(done.stdout, "zero-config"), "zero-config")
    assert spec.datasets.train.lq_size == 32, "pictures of 72 pixels hold crops of 64"
    assert spec.val.val_freq == 50
    text = done.stdout.splitlines()
    lines = {line.split(":")[0].strip(): line for line in reversed(text) if "#" in line}
    assert "# derived: 95 % of the pictures have sides of 72" in lines["lq_size"]
    assert "# flag --set" in lines["total_iter"]
    assert "# scaled: preset convenience" in lines["warmup_iter"]
    assert "# derived: " in lines["threads"]
    assert [line for line in text if line and not line.endswith(":") and "# " not in line] == []
    assert "only 3 pictures to train on" in done.stderr
    if not find_gpus():
        assert "made for a CPU" in cli(*asked).stdout
        assert "made for a CPU" not in done.stdout, "it is another machine that will train"


def test_what_zero_config_writes_can_be_submitted_and_trained(cli, folder, tmp_path):
    file = tmp_path / "mine.yaml"
    changes = ("datasets.train.batch_size=2", "train.total_iter=20", "network_g.num_feat=4")
    sets = [word for change in changes for word in ("--set", change)]
    cli("zero-config", "--gt", folder, "--arch", "compact", *sets, "--out", file)
    assert "#" not in file.read_text()
    submitted = json.loads(cli("submit", "--spec", file, "--dry-run", "--json").stdout)
    assert submitted["spec"] == validate(read_yaml(file.read_text(), ""), "").model_dump(mode="json")
    assert set(submitted["origins"].values()) == {f"file {file}"}
    model = Path(cli("train", file, "--run-dir", tmp_path / "run").stdout.splitlines()[-1])
    assert model.is_file()
    assert "there already" in cli("zero-config", "--gt", folder, "--out", file, code=2).stderr


def test_a_spec_from_a_file_takes_changes_and_another_data_set_but_no_preset(cli, tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text(cli("submit", "tiny", *SMALL, "--dry-run").stdout)
    changed = ("submit", "tiny", "--spec", file, "--set", "train.ema_decay=0.5", "--preflight", "--dry-run")
    found = json.loads(cli(*changed, "--json").stdout)
    assert (found["spec"]["train"]["ema_decay"], found["spec"]["preflight"]) == (0.5, True)
    assert found["origins"]["preflight"] == "flag --preflight"
    assert found["origins"]["datasets.train.name"] == "data set tiny"
    assert "--spec is complete" in cli("submit", "--spec", file, "--fidelity", code=2).stderr
    assert "--spec is complete" in cli("submit", "--spec", file, "--arch", "compact", code=2).stderr
    assert "no data set is named" in cli("submit", "--fidelity", code=2).stderr
    other = ("--set", f"datasets.train.identity={'f' * 64}")
    assert "other pictures" in cli("submit", "--spec", file, *other, "--dry-run", code=1).stderr


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [(["--preset", "quick"], False), (["--fidelity"], True), (["--max-fidelity"], True),
     (["--fidelity", "--no-preflight"], False), (["--preset", "quick", "--preflight"], True)],
)  # fmt: skip
def test_long_presets_try_everything_first_unless_told_not_to(cli, flags, wanted):
    found = json.loads(cli("submit", "tiny", *flags, "--dry-run", "--json").stdout)
    assert found["spec"]["preflight"] is wanted


def test_another_validation_set_may_be_named_but_not_what_is_trained_on(cli, folder, tmp_path):
    others = tmp_path / "others"
    others.mkdir()
    for name in ("0.png", "1.png"):
        with Image.open(folder / name) as picture:
            picture.transpose(Image.Transpose.ROTATE_90).save(others / name)
    cli("dataset", "add", "others", "--hr", others)
    cli("dataset", "add", "same", "--hr", folder)
    config, whole = tmp_path / "val.yaml", tmp_path / "whole.yaml"
    config.write_text("datasets: {val: {name: others}}\n")
    whole.write_text(cli("submit", "tiny", *SMALL, "--dry-run").stdout)
    named = ("--set", "datasets.val.name=others")
    ours = {d["name"]: d["identity"] for d in json.loads(cli("dataset", "ls", "--json").stdout)}
    for words in (("tiny", *named), ("tiny", "--config", config), ("--spec", whole, *named)):
        found = json.loads(cli("submit", *words, "--dry-run", "--json").stdout)
        assert found["spec"]["datasets"]["val"] == {"name": "others", "identity": ours["others"]}
        assert found["origins"]["datasets.val.identity"] == "data set others"
    for words in (("tiny",), ("--spec", whole)):
        leaking = ("submit", *words, "--set", "datasets.val.name=same", "--dry-run")
        assert "trained on as well" in cli(*leaking, code=1).stderr


def test_weights_to_start_from_are_named_by_their_content(cli, tmp_path):
    file = tmp_path / "start.safetensors"
    file.write_bytes(b"weights")
    words = ("submit", "tiny", "--set", f"path.pretrain_network_g={file}", "--dry-run", "--json")
    first = json.loads(cli(*words).stdout)
    assert first["spec"]["path"]["pretrain_sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert first["origins"]["path.pretrain_sha256"] == "derived: the file as it is now"
    file.write_bytes(b"others")
    assert json.loads(cli(*words).stdout)["spec_id"] != first["spec_id"]


def test_degrading_hr_says_that_the_lr_folder_is_not_trained_on(cli, folder, tmp_path):
    for file in folder.iterdir():
        with Image.open(file) as picture:
            (tmp_path / "lr").mkdir(exist_ok=True)
            picture.resize((36, 36), Image.Resampling.BICUBIC).save(tmp_path / "lr" / file.name)
    cli("dataset", "add", "pairs", "--hr", folder, "--lr", tmp_path / "lr")
    told = "the LR folder of 'pairs' is not trained on"
    for dataset, when, expected in (("pairs", "before", 1), ("pairs", "after", 0), ("tiny", "before", 0)):
        change = f"datasets.train.degradations.{when}=[{{type: blur}}]"
        assert cli("submit", dataset, "--set", change, "--dry-run").stderr.count(told) == expected


def test_degrading_says_what_validation_measures_on_all_the_same(cli, folder, tmp_path):
    for file in folder.iterdir():
        with Image.open(file) as picture:
            (tmp_path / "lr").mkdir(exist_ok=True)
            picture.resize((36, 36), Image.Resampling.BICUBIC).save(tmp_path / "lr" / file.name)
    cli("dataset", "add", "given", "--hr", folder, "--lr", tmp_path / "lr")

    def told(dataset, *changes):
        words = [word for change in changes for word in ("--set", change)]
        lines = cli("submit", dataset, *words, "--dry-run").stderr.splitlines()
        return [line for line in lines if "validation measures on" in line]

    for when in ("before", "after"):
        degraded = f"datasets.train.degradations.{when}=[{{type: blur}}]"
        assert "validation measures on clean bicubic LR; " in told("tiny", degraded)[0]
        assert "validation measures on the LR folder of 'given' as it is; " in told("given", degraded)[0]
        assert told("tiny", degraded, "val.val_enabled=false") == []
    assert told("tiny") == []
    whole = cli("submit", "tiny", "--set", degraded, "--dry-run").stdout
    (tmp_path / "whole.yaml").write_text(whole.replace("name: tiny", "name: far-away"))
    elsewhere = cli("submit", "--spec", tmp_path / "whole.yaml", "--dry-run").stderr
    assert "the LR of 'far-away' as it is, or on clean bicubic LR" in elsewhere


def test_recommend_works_without_redis(cli):
    done = cli("recommend", "tiny", "--no-measure", SRQUEUE_REDIS_URL="redis://127.0.0.1:1/0")
    assert "not known" in done.stdout
    assert "recommended: convenience" in done.stdout


def test_recommend_considers_a_spec_that_zero_config_wrote(cli, tmp_path):
    """The row has its own iterations, which no preset has."""
    file = tmp_path / "mine.yaml"
    gt = json.loads(cli("dataset", "show", "tiny", "--json").stdout)["hr"]
    made = cli("zero-config", "--gt", gt, "--arch", "compact", "--set", "train.total_iter=700", "--out", file)
    name = read_yaml(file.read_text(), "file")["datasets"]["train"]["name"]
    assert f"srqueue recommend {name} --spec FILE measures how long its 700 iterations take" in made.stderr
    asked = ("recommend", name, "--spec", file, "--no-measure")
    row, *presets = json.loads(cli(*asked, "--json").stdout)["presets"]
    assert (row["preset"], row["iterations"]) == ("this spec", 700)
    assert "this spec" not in [other["preset"] for other in presets] and len(presets) >= 4
    told = cli(*asked).stdout
    assert "recommended: this spec" in told and f"queue it: srqueue submit --spec {file}" in told
    assert "this spec" not in cli("recommend", "tiny", "--no-measure").stdout
    assert "no such file" in cli("recommend", "tiny", "--spec", tmp_path / "nope", code=2).stderr.lower()


def test_the_speed_tool_measures_real_steps(cli):
    spec = json.loads(cli("submit", "tiny", *SMALL, "--dry-run", "--json").stdout)["spec"]
    wrong = {**spec, "compute": {**spec["compute"], "device": "cuda"}}
    request = {"specs": [spec, wrong], "device": "cpu", "threads": 1, "seconds": 0.2}
    done = subprocess.run(
        [sys.executable, "-m", "workers.speed"],
        input=json.dumps(request), capture_output=True, text=True, env=cli.env, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout.splitlines()[-1])["results"]
    assert first["it_s"] > 0
    assert first["validation_s_per_megapixel"] > 0
    assert first["peak_bytes"] > 0
    assert "cuda" in second["error"]


def test_an_old_yaml_is_taken_over_and_what_is_lost_is_listed(cli, tmp_path):
    old, new = tmp_path / "old.yml", tmp_path / "new.yaml"
    old.write_text(OLD)
    done = cli("import", old, "--out", new)
    assert "network_d.type: GAN training is not done here" in done.stderr
    assert "wrong sign" in done.stderr
    head = [line for line in new.read_text().splitlines() if line.startswith("#")]
    assert "#   srqueue dataset add old-data --hr 'data/my hr' --lr data/lr --val old-data-val" in head
    assert f"#   srqueue submit old-data --config {new}" in head
    found = json.loads(cli("submit", "tiny", "--config", new, "--dry-run", "--json").stdout)["spec"]
    assert (found["train"]["total_iter"], found["val"]["val_freq"]) == (900, 100)
    assert found["network_g"] == {"type": "compact", "num_feat": 24, "num_conv": 8}
    assert not found["train"]["training_automations"]["enabled"]


def test_an_import_prints_json_and_tells_of_what_does_not_hold(cli, tmp_path):
    old = tmp_path / "old.yml"
    old.write_text(OLD.replace("total_iter: 900", "total_iter: 0"))
    done = cli("import", old, "--json", code=1)
    assert "train.total_iter" in json.loads(done.stdout)["problem"]
    assert "mend it first" in done.stderr
    assert "No such file" in cli("import", tmp_path / "none.yml", code=2).stderr


def test_an_import_of_an_unknown_network_is_a_problem_unless_another_is_named(cli, tmp_path):
    old, new = tmp_path / "old.yml", tmp_path / "new.yaml"
    old.write_text(OLD.replace("type: compact, num_feat: 24, num_conv: 8", "type: esrgan, num_block: 23"))
    told = cli("import", old, "--out", new, code=1).stderr
    assert "there is no network 'esrgan' here; known are compact, edsr" in told
    assert "spandrel:NAME" in told
    assert "no architecture 'esrgan'" in cli("submit", "tiny", "--config", new, "--dry-run", code=2).stderr
    for arch, network in (("span", "span"), ("spandrel:ESRGAN", "spandrel")):
        done = cli("import", old, "--arch", arch, "--json")
        assert json.loads(done.stdout)["problem"] is None
        assert json.loads(done.stdout)["spec"]["network_g"]["type"] == network
    assert "did you mean 'span'" in cli("import", old, "--arch", "spam", code=2).stderr


def test_a_name_with_a_line_end_stays_inside_the_comment(cli, tmp_path):
    old = tmp_path / "old.yml"
    old.write_text(OLD.replace('"data/my hr"', '"x\\npath: {strict_load_g: false}"'))
    text = cli("import", old).stdout
    assert read_yaml(text, "new")["train"]["total_iter"] == 900
    assert "strict_load_g" not in read_yaml(text, "new").get("path", {})
