"""`srqueue arch`, typed."""

import json
import subprocess
import sys


def srqueue(tmp_path, *words):
    import os

    env = os.environ | {"SRQUEUE_HOME": str(tmp_path), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, "-m", "srqueue.cli", *words], env=env, capture_output=True, text=True, timeout=240
    )


def test_a_network_shows_what_it_costs_and_what_it_sees(tmp_path):
    shown = srqueue(tmp_path, "arch", "show", "paragonsr2_nano")
    assert shown.returncode == 0, shown.stderr
    assert "10,523, and 72 that are not trained" in shown.stdout
    assert "windows of 32" in shown.stdout and "upsampler_net        5,232" in shown.stdout
    assert "\n  act          false; LeakyReLU after conv_in" in shown.stdout
    assert "\n  alpha        0.4; sharpening before" in shown.stdout
    assert "\n  layer_scale  1.0; " in shown.stdout
    found = json.loads(srqueue(tmp_path, "arch", "show", "compact", "--scale", "4", "--json").stdout)
    assert found["arguments"]["num_feat"] == {
        "value": 32, "default": 32, "description": "channels of the body"
    }  # fmt: skip
    assert found["parameters"] == 41_356 + 9 * 32 * 36 + 36


def test_what_a_network_has_instead_of_a_default_is_shown_beside_it(tmp_path):
    shown = srqueue(tmp_path, "arch", "show", "edsr_full").stdout
    assert "\n  num_feat   256 (by default 64); channels of the body\n" in shown


def test_an_unknown_network_and_one_that_cannot_be_built_are_usage_errors(tmp_path):
    wrong = srqueue(tmp_path, "arch", "show", "compakt")
    assert wrong.returncode == 2 and "did you mean 'compact'" in wrong.stderr
    foreign = srqueue(tmp_path, "arch", "show", "spandrel:NOSUCH")
    assert foreign.returncode == 2 and "Traceback" not in foreign.stderr
