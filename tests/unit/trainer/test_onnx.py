"""ONNX: the same function as torch's at every size, what the file says of itself, and what is refused."""

import itertools
import json
from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from srqueue.errors import UsageError
from srqueue.spec.networks import (
    CompactSpec,
    EdsrSpec,
    ParagonSR2MicroSpec,
    ParagonSR2NanoSpec,
    ParagonSR2RealtimeSpec,
    ParagonSR2StreamSpec,
    SpanSpec,
)
from workers.onnx import main
from workers.trainer.archs import build_network
from workers.trainer.model_file import Model, write_model
from workers.trainer.onnx_file import ExportError, to_onnx

SPECS = {
    "compact x2": (CompactSpec(num_feat=4, num_conv=1), 2),
    "compact x3": (CompactSpec(num_feat=4, num_conv=1), 3),
    "compact x4": (CompactSpec(num_feat=4, num_conv=1), 4),
    "edsr x2": (EdsrSpec(num_feat=4, num_block=2), 2),
    "edsr x4": (EdsrSpec(num_feat=4, num_block=1), 4),
    "span": (SpanSpec(num_feat=8, num_block=2), 2),
    "realtime": (ParagonSR2RealtimeSpec(), 2),
    "stream": (ParagonSR2StreamSpec(act=True), 2),
    "nano": (ParagonSR2NanoSpec(), 2),
    "micro": (ParagonSR2MicroSpec(), 2),
}
SHAPES = [(1, 3, 1, 1), (2, 3, 5, 33), (1, 3, 31, 64), (1, 3, 101, 57)]


def model(spec, scale):
    """Every part of the network counts: nothing starts switched off."""
    torch.manual_seed(0)
    net = build_network(spec, scale).eval().requires_grad_(False)
    for name, value in net.named_parameters():
        if name.endswith("attention.gamma"):
            value.fill_(1)
        elif not value.any():
            value.normal_(0, 0.05)
    return Model(net, scale, spec, "5" * 64, {"best/psnr": 31.5})


@cache
def exported(name):
    made = model(*SPECS[name])
    return made, to_onnx(made)


def run(data, x):
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {"lr": x.numpy()})[0]


@pytest.mark.parametrize("name", SPECS)
def test_a_file_computes_what_the_network_computes_at_any_size(name):
    made, file = exported(name)
    assert max(file.differences.values()) < 1e-5
    for shape in SHAPES:
        x = torch.rand(shape)
        np.testing.assert_allclose(run(file.data, x), made.net(x).numpy(), atol=2e-5, rtol=0)


def test_the_bicubic_skip_is_exact_up_to_the_border():
    """A fresh compact is nothing but its skip."""
    for scale in (2, 3, 4):
        spec = CompactSpec(num_feat=1, num_conv=0)
        net = build_network(spec, scale).eval().requires_grad_(False)
        data = to_onnx(Model(net, scale, spec, "", {})).data
        x = torch.rand(1, 3, 7, 12)
        np.testing.assert_allclose(run(data, x), net(x).numpy(), atol=1e-5, rtol=0)


def test_attention_is_exact_where_the_series_is_not():
    made = model(*SPECS["nano"])
    attention = made.net.body[0].blocks[0].transformer.attention
    attention.query.weight.mul_(300)
    attention.key.weight.mul_(300)
    data = to_onnx(made).data
    x = torch.rand(1, 3, 40, 33)
    before = exported("nano")[0].net(x)
    assert (made.net(x) - before).abs().max() > 1e-3
    np.testing.assert_allclose(run(data, x), made.net(x).numpy(), atol=2e-5, rtol=0)


def test_a_file_says_what_it_is():
    made, file = exported("compact x2")
    opened = onnx.load_from_string(file.data)
    said = {p.key: p.value for p in opened.metadata_props}
    assert (said["format"], said["architecture"], said["scale"]) == ("srqueue-model", "compact", "2")
    assert json.loads(said["arguments"]) == {"num_feat": 4, "num_conv": 1}
    assert json.loads(said["metrics"]) == made.metrics
    assert said["spec_id"] == made.spec_id
    assert [o.version for o in opened.opset_import] == [18]
    assert [(v.name, v.type.tensor_type.elem_type) for v in (*opened.graph.input, *opened.graph.output)] == [
        ("lr", onnx.TensorProto.FLOAT),
        ("sr", onnx.TensorProto.FLOAT),
    ]


def test_a_file_says_nothing_of_the_machine_that_made_it():
    for name in ("compact x2", "nano"):
        assert b".py" not in exported(name)[1].data


@pytest.mark.parametrize("name", ["compact x2", "nano"])
def test_float16_is_near_and_takes_and_gives_float32(name):
    made = exported(name)[0]
    file = to_onnx(made, half=True)
    weights = onnx.load_from_string(file.data).graph.initializer
    assert onnx.TensorProto.FLOAT16 in {w.data_type for w in weights}
    x = torch.rand(1, 3, 20, 45)
    found = run(file.data, x)
    assert found.dtype == np.float32
    assert 0 < np.abs(found - made.net(x).numpy()).max() < 1 / 255


def test_a_file_for_one_size_takes_no_other():
    made = exported("nano")[0]
    file = to_onnx(made, size=(40, 50))
    assert list(file.differences) == [(40, 50)]
    assert run(file.data, torch.rand(1, 3, 40, 50)).shape == (1, 3, 80, 100)
    with pytest.raises(Exception, match="invalid dimensions"):
        run(file.data, torch.rand(1, 3, 40, 51))


class Odd(nn.Module):
    """Doubles a picture, and does `more` with the result."""

    def __init__(self, more):
        super().__init__()
        self.more = more

    def forward(self, x):
        return self.more(x) + nn.functional.interpolate(x, scale_factor=2, mode="nearest")


def odd(more):
    return Model(Odd(more), 2, CompactSpec(), "", {})


def test_a_file_that_computes_something_else_is_not_given_out():
    counter = itertools.count()
    never_the_same = odd(lambda x: float(next(counter)))
    with pytest.raises(ExportError, match=r"differ by .*, more than 0.0001: nothing is written"):
        to_onnx(never_the_same)


def test_a_network_for_one_size_only_is_told_from_one_that_has_no_form():
    sliced = odd(lambda x: sum(float(i) for i in range(0, x.shape[-1], 8)))
    with pytest.raises(ExportError, match="for any size") as caught:
        to_onnx(sliced)
    assert "--size" in caught.value.hint
    assert to_onnx(sliced, size=(16, 24)).differences == {(16, 24): 0}
    looks = odd(lambda x: 1.0 if bool(x.mean() > 0.2) else 0.0)
    with pytest.raises(ExportError, match="cannot be expressed in ONNX: "):
        to_onnx(looks, size=(16, 24))


@pytest.mark.parametrize("opset", [17, 99])
def test_an_opset_that_does_not_have_all_is_refused(opset):
    with pytest.raises(UsageError, match="not one of 18 to 23"):
        to_onnx(odd(lambda x: 0.0), opset=opset)


def test_the_newest_opset_works_too():
    assert max(to_onnx(model(*SPECS["compact x2"]), opset=23).differences.values()) < 1e-5


@pytest.fixture
def file(tmp_path):
    made = model(*SPECS["compact x2"])
    write_model(tmp_path / "m.safetensors", made.net.state_dict(), made.network, 2, "5", {})
    return tmp_path / "m.safetensors"


def test_the_command_writes_what_was_compared(file, capsys):
    out = file.parent / "new" / "m.onnx"
    assert main([str(file), str(out)]) == 0
    assert main([str(file), str(out)]) == 2
    told = capsys.readouterr()
    assert "compact x2, float32, opset 18, any size" in told.out
    assert "differ by at most" in told.out
    assert "already there" in told.err
    assert run(out.read_bytes(), torch.rand(1, 3, 8, 9)).shape == (1, 3, 16, 18)
    assert main([str(file), str(out), "--overwrite", "--size", "10x12", "--fp16"]) == 0
    assert "float16, opset 18, 12x10 pixels only" in capsys.readouterr().out
    assert [p.name for p in out.parent.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{model}", "{tmp}/m.pt"], "called .onnx"),
        (["{tmp}/none", "{tmp}/m.onnx"], "cannot read the model"),
        (["{model}", "{tmp}/m.onnx", "--size", "10"], "is no size"),
        (["{model}", "{tmp}/m.onnx", "--opset", "3"], "not one of"),
        (["{model}", "{model}/m.onnx"], "cannot write"),
    ],
)
def test_the_command_tells_a_user_what_is_wrong(file, capsys, arguments, message):
    places = {"model": file, "tmp": file.parent}
    assert main([a.format(**places) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert [p.name for p in file.parent.iterdir()] == [file.name]
