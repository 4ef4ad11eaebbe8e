"""Each file of deploy/ before the tool that reads it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from srqueue.monitor.metrics import Snapshot, TrainingCollector
from srqueue.sentinel import parse
from tests.conftest import ROOT
from tests.deploy.conftest import DEPLOY, make_secrets

BIN = Path(sys.executable).parent


def program(name: str) -> str:
    """Of the environment that runs the tests; they are in its `test` extra."""
    return str(BIN / name)


def run(*argv: str | Path, **how) -> subprocess.CompletedProcess:
    return subprocess.run([*map(str, argv)], capture_output=True, text=True, timeout=120, **how)


def test_compose_files_hold_by_the_compose_specification():
    files = sorted((DEPLOY / "compose").glob("compose*.yaml"))
    found = run(program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", *files)
    assert found.returncode == 0, found.stdout + found.stderr
    services = yaml.safe_load(files[-1].read_text())["services"] if len(files) > 1 else {}
    assert services


def test_what_compose_mounts_is_there_or_made_by_the_steps_of_the_readme():
    readme = (DEPLOY / "README.md").read_text()
    for file in (DEPLOY / "compose").glob("compose*.yaml"):
        for name, service in yaml.safe_load(file.read_text())["services"].items():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("../") or source.endswith(".conf"):
                    assert (DEPLOY / "compose" / source).exists(), (name, source)
                elif source.startswith("./state"):
                    assert source.removeprefix("./state/") in readme, (name, source)


def test_no_service_of_compose_publishes_redis_without_tls():
    plain = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())["services"]
    assert "ports" not in plain["redis"]
    assert [name for name, service in plain.items() if "ports" in service] == ["proxy"]


def test_images_please_hadolint():
    found = run(program("hadolint"), "--no-color", *sorted((DEPLOY / "images").glob("*.Dockerfile")))
    assert found.returncode == 0, found.stdout + found.stderr


def test_what_the_images_copy_is_not_ignored():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((ROOT / name).exists() for name in kept)
    # What the wheel is built of, and what it is installed with.
    assert {"pyproject.toml", "README.md", "srqueue", "workers", "presets"} <= kept
    for image, pins in (("light", "producer"), ("worker", "worker")):
        pinned = f"deploy/requirements-{pins}.txt"
        text = (DEPLOY / "images" / f"{image}.Dockerfile").read_text().replace("\\\n", " ")
        installs = [part for part in text.split("&&") if "pip install" in part]
        assert pinned in kept and len(installs) == 2, image
        assert "--require-hashes" in installs[0] and pinned in installs[0], image
        assert "--no-deps" in installs[1], image


def test_scripts_please_shellcheck():
    scripts = [DEPLOY / "redis" / "make-secrets", DEPLOY / "tls" / "make-certificates"]
    scripts += [
        DEPLOY / "slurm" / "srqueue-worker.sbatch",
        ROOT / ".ci" / "run",
        ROOT / ".ci" / "deploy-tools",
    ]
    found = run(program("shellcheck"), *scripts)
    assert found.returncode == 0, found.stdout


def executable(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)


def test_system_units_please_systemd(tool, tmp_path):
    analyze, units = tool("systemd-analyze"), tmp_path / "etc/systemd/system"
    shutil.copytree(DEPLOY / "systemd" / "system", units)
    (tmp_path / "usr/lib/systemd/system").mkdir(parents=True)
    lib = next(f for f in map(Path, ("/usr/lib/systemd/system", "/lib/systemd/system")) if f.is_dir())
    for target in lib.glob("*.target"):
        shutil.copy(target, tmp_path / "usr/lib/systemd/system", follow_symlinks=False)
    # Verify looks whether what is to be started is there and can be run.
    for name in ("opt/srqueue/bin/srqueue", "usr/bin/redis-server", "bin/sh"):
        executable(tmp_path / name)
    for unit in sorted(units.iterdir()):
        name = unit.name.replace("@.", "@0.")
        found = analyze.run("verify", "--man=no", f"--root={tmp_path}", name)
        assert (found.returncode, found.stderr) == (0, ""), (name, found.stderr)


def test_user_units_please_systemd(tool, tmp_path):
    analyze, units = tool("systemd-analyze"), DEPLOY / "systemd" / "user"
    executable(tmp_path / ".local/bin/srqueue")
    analyze.env |= {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "SYSTEMD_UNIT_PATH": f"{units}:"}
    for unit in sorted(units.iterdir()):
        name = unit.name.replace("@.", "@0.")
        found = analyze.run("verify", "--man=no", "--user", name)
        assert (found.returncode, found.stderr) == (0, ""), (name, found.stderr)


def test_a_worker_unit_lets_checkpoints_finish_and_outlives_its_trainers():
    from srqueue.stack.stack import _PATIENCE

    for unit in (DEPLOY / "systemd").rglob("srqueue-worker*.service"):
        lines = unit.read_text().splitlines()
        # SIGTERM to the worker alone; SIGKILL for the rest only when it has ended or time is up.
        assert "KillMode=mixed" in lines
        assert f"TimeoutStopSec={_PATIENCE['worker']:.0f}" in lines
        assert "OOMPolicy=continue" in lines
        assert "PrivateTmp=yes" not in lines  # the locks of the cards lie in /tmp


def manifests() -> list[Path]:
    names = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"]
    return [DEPLOY / "kubernetes" / name for name in names]


@pytest.mark.parametrize("version", ["1.30", "1.36"])
def test_manifests_hold_by_kubernetes_own_schemas(version):
    found = run(program("kubernetes-validate"), "-k", version, "--strict", *manifests())
    assert found.returncode == 0, found.stdout + found.stderr
    # KEDA's kinds are not Kubernetes' own, and nothing else is left out.
    unknown = [line for line in (found.stdout + found.stderr).splitlines() if "find schema" in line]
    assert len(unknown) == 2 and all("keda.sh/v1alpha1" in line for line in unknown), unknown


def test_manifests_name_only_what_is_there():
    documents = [d for file in manifests() for d in yaml.safe_load_all(file.read_text())]
    by_kind = {(d["kind"], d["metadata"]["name"]): d for d in documents}
    secrets, claims = set(), set()
    for document in documents:
        pod = document.get("spec", {}).get("template", {}).get("spec", {})
        for volume in pod.get("volumes", []):
            secrets |= {volume["secret"]["secretName"]} if "secret" in volume else set()
            if "persistentVolumeClaim" in volume:
                claims.add(volume["persistentVolumeClaim"]["claimName"])
        for container in pod.get("containers", []):
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            made = {c["metadata"]["name"] for c in document["spec"].get("volumeClaimTemplates", [])}
            assert mounted == {volume["name"] for volume in pod["volumes"]} | made, document["metadata"]
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert {("PersistentVolumeClaim", claim) for claim in claims} <= by_kind.keys()
    readme = (DEPLOY / "kubernetes" / "README.md").read_text()
    assert all(f"`{secret}`" in readme for secret in secrets), secrets
    scaled = by_kind["ScaledObject", "worker"]["spec"]
    assert ("Deployment", scaled["scaleTargetRef"]["name"]) in by_kind
    assert {t["name"] for t in scaled["triggers"]} == {"queued", "running"}
    worker = by_kind["Deployment", "worker"]["spec"]["template"]["spec"]
    assert worker["terminationGracePeriodSeconds"] >= 180
    assert "livenessProbe" not in worker["containers"][0]


def test_alerts_please_promtool(tool):
    promtool, folder = tool("promtool"), DEPLOY / "prometheus"
    for argv in (
        ["check", "rules", folder / "alerts.yaml"],
        ["test", "rules", folder / "alerts.test.yaml"],
        ["check", "config", "--syntax-only", folder / "scrape.yaml"],
    ):
        found = promtool.run(*argv)
        assert found.returncode == 0, found.stdout + found.stderr


def test_alerts_and_board_ask_for_figures_that_there_are():
    from srqueue.monitor import metrics

    source = Path(metrics.__file__).read_text()
    known = set(re.findall(r"srqueue_[a-z_]+", source)) | {
        f"srqueue_gpu_memory_{word}_bytes" for word in ("used", "total")
    }
    for file in (DEPLOY / "prometheus" / "alerts.yaml", DEPLOY / "grafana-dashboard.json"):
        asked = set(re.findall(r"srqueue_[a-z_]+", file.read_text()))
        assert asked - known == set(), file


def test_alerts_and_board_name_labels_that_their_figures_have():
    """`job` is a label of Prometheus' own as well: it is ours where the scrape says so."""
    collector = TrainingCollector()
    collector.seen = Snapshot(up=True)
    labels = {family.name: set(family._labelnames) for family in collector.collect()}
    (scrape,) = yaml.safe_load((DEPLOY / "prometheus" / "scrape.yaml").read_text())["scrape_configs"]
    if not scrape.get("honor_labels"):
        labels = {name: known - {"job", "instance"} for name, known in labels.items()}
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    board = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    told = [(rule["expr"], " ".join(rule["annotations"].values())) for rule in group["rules"]]
    told += [(t["expr"], t.get("legendFormat", "")) for panel in board["panels"] for t in panel["targets"]]
    for expression, text in told:
        named = set(re.findall(r"{{ ?(?:\$labels\.)?(\w+) ?}}", text))
        for name, asked in re.findall(r"(srqueue_[a-z_]+){(.*?)}", expression):
            assert set(re.findall(r"(\w+)(?:=|!=|=~)\"", asked)) <= labels[name], (name, asked)
        kept = expression.partition("unless")[0]  # what stands behind it only takes away
        for name in set(re.findall(r"srqueue_[a-z_]+", kept)) if named else ():
            assert named <= labels[name] or not labels[name], (name, named)


def test_make_secrets_makes_nothing_twice_and_shows_nobody(tmp_path):
    folder = tmp_path / "etc"
    make_secrets(folder, "rediss://queue.example.org:6379/0")
    url = (folder / "secrets" / "worker" / "srqueue_redis_url").read_text()
    assert url.startswith("rediss://worker:") and url.endswith("@queue.example.org:6379/0")
    password = url.split(":")[2].split("@")[0]
    acl = (folder / "redis" / "users.acl").read_text()
    assert password not in acl and "@" not in acl.replace("-@", "").replace("+@", "")
    assert all(f.stat().st_mode & 0o077 == 0 for f in folder.rglob("*"))
    make_secrets(tmp_path / "three", "sentinels://h1,h2,h3/lab")
    three = (tmp_path / "three" / "secrets" / "worker" / "srqueue_redis_url").read_text()
    known, conf = parse(three), (tmp_path / "three" / "redis" / "sentinel.conf").read_text()
    assert known.hosts[2] == ("h3", 26379) and (known.user, known.own_user) == ("worker", "client")
    assert (
        "monitor lab h1 6379 2" in conf
        and "resolve-hostnames yes" in conf
        and "@" not in conf.replace("-@", "")
    )
    assert known.own_password not in conf and known.password not in conf
    again = run(DEPLOY / "redis" / "make-secrets", folder)
    assert again.returncode == 1 and "is there" in again.stderr
    (folder / "redis" / "users.acl").unlink()  # the rights of a newer version, and the same passwords
    make_secrets(folder, "redis://elsewhere/0")
    assert (folder / "redis" / "users.acl").read_text() == acl
    assert (folder / "secrets" / "worker" / "srqueue_redis_url").read_text() == url
    (tmp_path / "three" / "redis" / "users.acl").unlink()  # the word for the Sentinels is kept as well
    make_secrets(tmp_path / "three", "sentinels://h1,h2,h3/lab")
    word = hashlib.sha256(known.own_password.encode()).hexdigest()
    assert f"#{word}" in (tmp_path / "three" / "redis" / "sentinel.conf").read_text()
    assert run(DEPLOY / "redis" / "make-secrets", tmp_path / "x", "redis://me@host").returncode == 2


def test_every_pinned_package_has_a_licence_that_we_can_ship():
    elsewhere = (
        r"nvidia-|cuda-|triton|torchvision|spandrel|einops|async-timeout|colorama|tzdata|wcwidth|setuptools"
    )
    rows = [line.split("|") for line in (DEPLOY / "LICENCES.md").read_text().splitlines() if line[:1] == "|"]
    known = {re.sub(r"[-_.]+", "-", row[1].strip().lower()): row[3] for row in rows[2:]}
    for kind in ("producer", "worker"):
        pinned = re.findall(r"^([\w.-]+)==", (DEPLOY / f"requirements-{kind}.txt").read_text(), re.MULTILINE)
        assert len(pinned) > 20
        for name in pinned:
            assert re.match(elsewhere, name) or name in known, f"{name}: make licences"
    refused = [name for name, licence in known.items() if re.search(r"(?<!L)GPL|UNKNOWN", licence)]
    assert not refused
