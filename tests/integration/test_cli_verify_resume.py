"""`srqueue verify-resume` as it is typed."""

import json

from workers.trainer.commit_points import COMMIT_POINTS


def test_the_command_tells_its_verdict(tmp_path, typed):
    run = typed(tmp_path)
    small = ["--set", "network_g.num_feat=8", "--set", "network_g.num_conv=1"]
    done = run("verify-resume", *small, "--kills", "1", "--stops", "1", "--json")
    (verdict,) = json.loads(done.stdout)
    assert verdict["identical"] and len(verdict["landed"]) >= len(COMMIT_POINTS)
    assert "exact: after" in done.stderr
    assert "there is no device" in run("verify-resume", "--device", "tpu", code=2).stderr
    assert "preset" in run("verify-resume", "--preset", "tunde", code=2).stderr
