"""The real command line: what it prints, and its exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from srqueue.datasets import DatasetEntry, Registry
from srqueue.settings import Settings
from srqueue.spec.presets import preset_names
from srqueue.spec.reading import read_yaml
from srqueue.spec.validate import validate
from srqueue.stack.processes import PidFile, spawn, stop
from srqueue.stack.stack import Stack

HEAVY = ("torch", "kornia", "numpy", "PIL", "celery", "workers")


class Cli:
    """Runs srqueue in a home folder of its own."""

    def __init__(self, folder):
        self.settings = Settings(home=folder / "home", datasets=folder / "datasets.yaml")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("SRQUEUE_")}
        self.env |= {
            "SRQUEUE_HOME": str(self.settings.home),
            "SRQUEUE_DATASETS": str(self.settings.datasets),
            "COLUMNS": "200",
        }

    def __call__(self, *args, code=0, **env):
        done = subprocess.run(
            [sys.executable, "-m", "srqueue.cli", *args],
            capture_output=True,
            text=True,
            env={**self.env, **env},
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def error(self, *args, code, **env):
        done = self(*args, code=code, **env)
        assert any(line.startswith("error: ") for line in done.stderr.splitlines())
        return done.stderr


@pytest.fixture(scope="module")
def cli(tmp_path_factory):
    cli = Cli(tmp_path_factory.mktemp("cli"))
    pictures = tmp_path_factory.mktemp("pictures")
    Registry(cli.settings).put(
        DatasetEntry(
            name="photos",
            hr=str(pictures),
            identity="a" * 64,
            pictures=9,
            held_out=1,
            min_width=200,
            min_height=180,
        )
    )
    return cli


@pytest.fixture(scope="module")
def with_server(cli):
    stack = Stack(cli.settings)
    stack.up(["server"])
    yield cli
    stack.down()


def modules_after(cli, *args):
    code = (
        "import sys\n"
        "from srqueue.cli.__main__ import main\n"
        f"code = main({list(args)!r})\n"
        "print(' '.join(sorted({m.partition('.')[0] for m in sys.modules})), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=cli.env, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("submit", "--help"),
        ("dataset", "ls", "--json"),
        ("presets", "ls"),
        ("submit", "photos", "--dry-run"),
        ("ls",),
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(with_server, args):
    assert modules_after(with_server, *args).isdisjoint(HEAVY)


def test_looking_at_a_job_that_waits_imports_no_celery_either(with_server):
    with_server("submit", "photos", "--preset", "quick", "--name", "looked_at", "--seed", "5")
    assert modules_after(with_server, "show", "looked_at").isdisjoint({*HEAVY, "yaml"})


def test_help_alone_imports_not_even_the_settings(cli):
    assert modules_after(cli, "--help").isdisjoint({"pydantic", "redis", "psutil", "yaml"})


INTERRUPTED = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from srqueue.cli.__main__ import main
sys.exit(main(["ls"]))
"""


@pytest.mark.parametrize("module", ["typer", "srqueue.cli.app", "srqueue.store.store"])
def test_ctrl_c_while_it_still_starts_is_no_traceback(cli, module):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module], capture_output=True, text=True, env=cli.env, timeout=60
    )
    assert (done.returncode, done.stderr.strip()) == (130, "")


def test_a_home_that_cannot_be_made_is_one_error_that_names_the_variable(cli):
    shown = cli.error("up", code=1, SRQUEUE_HOME="/proc/x")
    assert "SRQUEUE_HOME" in shown
    assert "MB are free" not in shown


def test_weights_that_are_not_here_are_told_at_submit(cli, tmp_path):
    submit = ("submit", "photos", "--dry-run", "--set")
    told = cli(*submit, "path.pretrain_network_g=/nope.safetensors").stderr
    assert "/nope.safetensors" in told
    assert "must be on the worker's" in told
    file = tmp_path / "here.safetensors"
    file.touch()
    assert "worker's" not in cli(*submit, f"path.pretrain_network_g={file}").stderr


def test_a_worker_that_cannot_start_says_why_first(cli, tmp_path):
    told = cli("worker", code=2, SRQUEUE_DEVICE="cuda:77").stderr
    assert "SRQUEUE_DEVICE" in told
    assert "superuser" not in told


def test_a_mistyped_command_is_answered_with_the_right_one(cli):
    assert "did you mean 'submit'?" in cli.error("sumbit", code=2)


def test_a_mistyped_option_is_answered_with_the_right_one(cli):
    assert "--fidelity" in cli.error("submit", "photos", "--fidelty", code=2)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["fotos"], "did you mean 'photos'?"),
        (["photos", "--preset", "fidelty"], "did you mean 'fidelity'"),
        (["photos", "--arch", "compakt"], "did you mean 'compact'"),
        (["photos", "--set", "train.optim_g.lrr=1"], "train.optim_g.lrr: unknown key"),
        (["photos", "--set", "train.total_iter=0"], "train.total_iter"),
        (["photos", "--set", "nonsense"], "--set train.optim_g.lr=5e-5"),
        (["photos", "--fidelity", "--max-fidelity"], "more than one preset"),
        (["photos", "--name", "../x"], "cannot be the name of a job"),
        (["photos", "--name", "a\x1b[2Jb"], "cannot be the name of a job"),
        (["photos", "--config", "/no/such/file.yaml"], "No such file"),
        (["photos", "--priority", "10"], "--priority"),
    ],
)
def test_a_wrong_submit_is_a_usage_error_and_says_what_would_be_right(cli, args, told):
    shown = cli.error("submit", *args, "--dry-run", code=2)
    assert told in shown
    assert "\x1b" not in shown


def test_a_python_tag_in_a_config_is_refused(cli, tmp_path):
    file = tmp_path / "evil.yaml"
    file.write_text("name: !!python/object/apply:os.system ['touch /tmp/x']\n")
    assert "tags such as !!python are not allowed" in cli.error(
        "submit", "photos", "--config", str(file), code=2
    )
    assert "line 1" in cli.error("train", str(file), code=2)


def test_pictures_smaller_than_the_crop_are_told_at_submit(cli):
    told = cli("submit", "photos", "--set", "datasets.train.lq_size=128", "--dry-run").stderr
    assert "smaller than the crop of 256 pixels are left out" in told
    assert "smaller than the crop" not in cli("submit", "photos", "--dry-run").stderr


@pytest.mark.parametrize("preset", preset_names())
def test_a_dry_run_prints_a_complete_spec_that_can_be_read_back(cli, preset):
    text = cli("submit", "photos", "--preset", preset, "--dry-run").stdout
    spec = validate(read_yaml(text, "dry run"), "dry run")
    as_json = json.loads(cli("submit", "photos", "--preset", preset, "--dry-run", "--json").stdout)
    assert as_json["spec"] == spec.model_dump(mode="json")
    assert as_json["origins"]["train.total_iter"].startswith("preset ")


def test_files_flags_and_short_flags_show_as_origins(cli, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("train: {optim_g: {lr: 3e-4}}\n")
    text = cli(
        *("submit", "photos", "--dry-run", "--config", str(file), "--set", "train.ema_decay=0.99"),
        *("--iterations", "500", "--seed", "7", "--name", "mine"),
    ).stdout
    lines = reversed(text.splitlines())  # of a key that stands in several places the first counts
    origins = {line.split(":")[0].strip(): line.partition("# ")[2] for line in lines}
    assert origins["lr"] == f"file {file}"
    assert origins["ema_decay"] == "flag --set"
    assert origins["total_iter"] == "flag --iterations"
    assert origins["manual_seed"] == "flag --seed"
    assert origins["warmup_iter"].startswith("scaled: ")
    assert origins["name"] == "flag --name"


def test_without_redis_a_submit_ends_with_3_and_says_what_to_start(tmp_path, cli):
    other = Cli(tmp_path)
    Registry(other.settings).put(Registry(cli.settings).get("photos"))
    shown = other.error("submit", "photos", code=3)
    assert "hint: start it: srqueue up" in shown
    assert not other.settings.home.exists(), "nothing may be written"
    shown = other.error("ls", code=3, SRQUEUE_REDIS_URL="redis://:secret@127.0.0.1:1/0")
    assert "SRQUEUE_REDIS_URL" in shown
    assert "secret" not in shown


def test_a_wrong_setting_names_its_variable(cli):
    assert "SRQUEUE_FLOWER_PORT" in cli.error("status", code=2, SRQUEUE_FLOWER_PORT="many")


def test_a_job_goes_through_every_verb(with_server):
    cli = with_server
    submitted = cli("submit", "photos", "--preset", "quick", "--name", "first", "--priority", "7")
    job_id = submitted.stdout.strip()
    assert f"srqueue watch {job_id[-6:].lower()}" in submitted.stderr

    (row,) = [line for line in cli("ls").stdout.splitlines() if " first " in line]
    assert row.split()[:4] == [job_id[-6:].lower(), "first", "queued", "0/5000"]
    assert "state       queued" in cli("show", "first").stdout
    assert "waits       no worker is up" in cli("show", "first").stdout
    assert json.loads(cli("show", job_id[-6:].lower(), "--json").stdout)["priority"] == 7
    assert "# preset quick" in cli("show", "first", "--spec").stdout

    assert f"srqueue cancel {job_id[-6:].lower()}" in cli.error("rm", "first", code=2)
    assert "paused" in cli("pause", "first").stdout
    assert "cannot retry" in cli.error("retry", "first", code=2)
    assert "back in the queue" in cli("resume", job_id).stdout
    assert "cancelled" in cli("cancel", "first").stdout
    assert "cannot resume" in cli.error("resume", "first", code=2)
    assert cli("watch", "first", code=1).stdout.splitlines()[-1].startswith("first cancelled")
    assert "back in the queue" in cli("retry", "first").stdout
    cli("cancel", "first")
    assert [j["name"] for j in json.loads(cli("ls", "--state", "cancelled", "--json").stdout)] == ["first"]
    assert "removed" in cli("rm", "first").stdout
    assert "there is no job" in cli.error("show", job_id, code=2)


def test_the_same_submit_twice_queues_one_job_unless_asked_for_again(with_server):
    cli = with_server
    submit = ("submit", "photos", "--preset", "quick", "--seed", "99", "--json")
    first, second = (json.loads(cli(*submit).stdout) for _ in range(2))
    assert (first["new"], second["new"]) == (True, False)
    assert first["job"]["id"] == second["job"]["id"]
    assert "(queued)" in cli(*submit[:-1]).stderr
    again = json.loads(cli(*submit, "--again").stdout)
    assert again["new"]
    assert again["job"]["id"] != first["job"]["id"]
    listed = json.loads(cli("ls", "--limit", "1", "--json").stdout)
    assert [job["id"] for job in listed] == [again["job"]["id"]], "newest first"


def test_an_unknown_job_or_state_is_answered_with_the_nearest(with_server):
    with_server("submit", "photos", "--preset", "quick", "--name", "nearby", "--seed", "3")
    assert "did you mean 'nearby'?" in with_server.error("show", "neraby", code=2)
    assert "did you mean 'running'?" in with_server.error("ls", "--state", "runing", code=2)


def test_ctrl_c_ends_watching_with_130_and_leaves_the_job_alone(with_server):
    cli = with_server
    job_id = cli("submit", "photos", "--preset", "quick", "--name", "watched", "--seed", "4").stdout.strip()
    watching = subprocess.Popen(
        [sys.executable, "-m", "srqueue.cli", "watch", job_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=cli.env,
    )
    assert "no worker is up" in watching.stdout.readline() + watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=30)
    assert watching.returncode == 130
    assert "the job goes on without you" in told
    assert json.loads(cli("show", job_id, "--json").stdout)["state"] == "queued"


def test_a_reader_that_has_seen_enough_is_no_error(with_server):
    listing = subprocess.Popen(
        [sys.executable, "-m", "srqueue.cli", "presets", "show", "fidelity"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=with_server.env,
    )
    listing.stdout.close()
    assert listing.stderr.read() == b""
    assert listing.wait(30) in (0, 1)
    listing.stderr.close()


def test_presets_are_listed_shown_and_compared(cli):
    listed = json.loads(cli("presets", "ls", "--json").stdout)
    assert {p["name"] for p in listed["presets"]} == set(preset_names())
    assert "# preset fidelity" in cli("presets", "show", "max-fidelity").stdout
    diff = json.loads(cli("presets", "diff", "convenience", "fidelity", "--json").stdout)
    assert diff["train.total_iter"] == {"convenience": 40000, "fidelity": 80000}
    assert "hold the same values" in cli("presets", "diff", "fidelity", "fidelity").stdout
    assert "did you mean 'quick'?" in cli.error("presets", "show", "qick", code=2)


def test_completion_offers_names_without_redis(cli):
    def offered(*words):
        done = cli(
            _SRQUEUE_COMPLETE="complete_bash",
            COMP_WORDS=" ".join(words),
            COMP_CWORD=str(len(words) - 1),
        )
        return done.stdout.split()

    assert "photos" in offered("srqueue", "submit", "ph")
    assert offered("srqueue", "submit", "photos", "--preset", "max") == ["max-fidelity"]
    assert offered("srqueue", "submit", "photos", "--arch", "com") == ["compact"]
    assert "submit" in offered("srqueue", "sub")
    assert "srqueue" in cli("--show-completion", SHELL="/bin/bash").stdout


def test_doctor_names_the_first_repair(tmp_path, cli):
    done = Cli(tmp_path)("doctor", code=1)
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert " OK " in lines["home"]
    assert " FAIL " in lines["redis"]
    assert "not looked at: needs redis" in lines["workers"]
    assert done.stdout.splitlines()[-1] == "repair redis first: start it: srqueue up"
    findings = json.loads(Cli(tmp_path)("doctor", "--json", code=1).stdout)
    assert [f["layer"] for f in findings if f["ok"] is False] == ["redis"]


def test_version_is_printed_both_ways(cli):
    from srqueue import __version__

    assert cli("--version").stdout == f"srqueue {__version__}\n"
    assert json.loads(cli("version", "--json").stdout)["srqueue"] == __version__


def test_a_second_server_in_the_foreground_is_refused(with_server):
    assert "runs already" in with_server.error("server", code=1)


def test_the_server_in_the_foreground_answers_until_it_is_stopped(tmp_path):
    cli = Cli(tmp_path)
    process = spawn(
        [sys.executable, "-m", "srqueue.cli", "server"],
        pid_file=PidFile(tmp_path / "pid"),
        log=tmp_path / "log",
        env=cli.env,
        cwd=Path.cwd(),
    )
    try:
        deadline = time.monotonic() + 30
        while (status := json.loads(_status(cli))[0]["state"]) != "elsewhere":
            assert time.monotonic() < deadline, status
        assert cli("ls").stdout == "no jobs\n"
    finally:
        assert stop(process, 20)


def _status(cli):
    return cli("status", "--json", code=1).stdout
