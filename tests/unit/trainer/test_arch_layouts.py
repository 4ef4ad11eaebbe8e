"""Files of published networks load: every tensor by name and shape, derived from the table of sizes."""

import pytest
import safetensors.torch
import torch
from pydantic import TypeAdapter

from srqueue.errors import SpecError
from srqueue.spec.job import PathSpec
from srqueue.spec.networks import NETWORK_SPECS, EdsrSpec, NetworkSpec, SpanSpec
from workers.trainer.archs import build_network
from workers.trainer.pretrained import load_pretrained

# channels, groups, blocks a group, hidden channels, length of the long kernels, norm, modulation, attention
SIZES = {
    "micro": (16, 1, 1, 24, 7, False, True, True),
    "tiny": (24, 1, 1, 36, 9, True, True, True),
    "xs": (32, 1, 1, 57, 11, True, True, True),
    "s": (48, 1, 2, 96, 11, True, True, True),
    "m": (64, 4, 6, 128, 11, True, True, True),
    "l": (96, 6, 8, 192, 13, True, True, False),
    "xl": (128, 8, 10, 256, 15, True, True, False),
}


def convolutions(**shapes):
    """Weight and bias of each; in names, `__` is a dot."""
    layout = {}
    for name, shape in shapes.items():
        layout[f"{name.replace('__', '.')}.weight"] = shape
        layout[f"{name.replace('__', '.')}.bias"] = shape[:1]
    return layout


def inside(prefix, layout):
    return {f"{prefix}.{name}": shape for name, shape in layout.items()}


def kernels(base, first, second, along, down):
    return {
        f"{base}.{name}.{axis}.weight": (3, 1, 1, taps) if axis == along else (3, 1, taps, 1)
        for name, taps in ((first, 7), (second, 5))
        for axis in (along, down)
    }


def block(c, h, k, norm, modulation, attention):
    g = c // 8
    layout = convolutions(
        context__dwconv_hw=(g, 1, 3, 3), context__dwconv_w=(g, 1, 1, k), context__dwconv_h=(g, 1, k, 1)
    )
    layout |= {"ls1.gamma": (1, c, 1, 1), "ls2.gamma": (1, c, 1, 1)}
    layout |= convolutions(
        transformer__project_in=(h, c, 1, 1),
        transformer__dw_mixer__0=(h, 1, 3, 3),
        transformer__dw_mixer__2=(h, h, 1, 1),
        transformer__project_out=(c, h, 1, 1),
    )
    if modulation:
        layout |= convolutions(
            transformer__channel_mod__net__1=(h // 4, h, 1, 1),
            transformer__channel_mod__net__3=(h, h // 4, 1, 1),
        )
    if attention:
        layout |= convolutions(
            transformer__attention__query=(h // 8, h, 1, 1),
            transformer__attention__key=(h // 8, h, 1, 1),
            transformer__attention__value=(h, h, 1, 1),
        )
        layout["transformer.attention.gamma"] = (1,)
    return layout | ({"norm.scale": (c, 1, 1), "norm.offset": (c, 1, 1)} if norm else {})


def december(name, scale):
    c, groups, blocks, *rest = SIZES[name]
    layout = kernels("magic_upsampler", "sharpen", "resample_conv", "conv_h", "conv_v")
    layout |= convolutions(
        conv_in=(c, 3, 3, 3),
        content_processor__content_analyzer__0=(c // 4, 3, 3, 3),
        content_processor__content_analyzer__2=(c // 2, c // 4, 5, 5),
        content_processor__content_analyzer__4=(c // 2, c // 2, 7, 7),
        content_processor__content_analyzer__7=(1, c // 2, 1, 1),
        conv_fuse=(c, c, 3, 3),
        upsampler_net__up_conv=(c * scale**2, c, 3, 3),
        conv_out=(3, c, 3, 3),
    )
    for group in range(groups):
        for number in range(blocks):
            layout |= inside(f"body.{group}.blocks.{number}", block(c, *rest))
    return layout


def january(name, scale):
    """As Phhofm/ParagonSR2 @107bd02 writes it, but for what the fixed kernels hold besides."""
    c, groups = {"realtime": (16, 1), "stream": (32, 2)}[name]
    wide = 2 * c
    inner = {
        "realtime": convolutions(conv1=(wide, c, 1, 1), dw=(wide, 1, 3, 3), conv2=(c, wide, 1, 1)),
        "stream": convolutions(
            dw1=(c, 1, 3, 3),
            dw3=(c, 1, 3, 3),
            fuse=(c, 2 * c, 1, 1),
            proj=(2 * wide, c, 1, 1),
            gate=(2 * wide, 1, 3, 3),
            out=(c, wide, 1, 1),
        ),
    }[name]
    layout = kernels("base", "sharp", "blur", "h", "v") | {"detail_gain": ()}
    layout |= convolutions(
        conv_in=(c, 3, 3, 3), conv_mid=(c, c, 3, 3), up__0=(c * scale**2, c, 3, 3), conv_out=(3, c, 3, 3)
    )
    for group in range(groups):
        for number in range(3):
            layout |= inside(f"body.{group}.blocks.{number}", inner | {"scale.gamma": (1, c, 1, 1)})
    return layout


JANUARY_KERNELS = {
    "base.sharp.kernel": torch.tensor([-1.0, 0, 9, 16, 9, 0, -1]) / 32,
    "base.blur.kernel": torch.tensor([1.0, 4, 6, 4, 1]) / 16,
}

LAYOUTS = dict.fromkeys(SIZES, december) | {"realtime": january, "stream": january}


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_file_of_that_layout_loads_with_nothing_missing_and_nothing_left(name, scale):
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in LAYOUTS[name](name, scale).items()}
        net = build_network(NETWORK_SPECS[f"paragonsr2_{name}"](), scale)
    net.load_state_dict(state, strict=True, assign=True)


@pytest.fixture
def january_file(tmp_path):
    """Writes a file of that time, its kernels once as weights and once as buffers."""

    def write(name, scale, **changes):
        state = {key: torch.rand(shape) for key, shape in january(name, scale).items()}
        for part in ("sharp", "blur"):
            kernel = JANUARY_KERNELS[f"base.{part}.kernel"]
            for axis in ("h", "v"):
                key = f"base.{part}.{axis}.weight"
                state[key] = kernel.reshape(state[key][:1].shape).repeat(3, 1, 1, 1)
        file = tmp_path / "upstream.safetensors"
        safetensors.torch.save_file(state | JANUARY_KERNELS | changes, file)
        return PathSpec(pretrain_network_g=str(file)), state

    return write


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("name", ["realtime", "stream"])
def test_a_file_of_january_loads_with_its_repeated_kernels(january_file, name, scale):
    path, state = january_file(name, scale)
    spec = NETWORK_SPECS[f"paragonsr2_{name}"]()
    net = build_network(spec, scale)
    assert "tensors" not in load_pretrained(net, path, spec, scale, print)
    assert net.state_dict().keys() == state.keys()
    assert all(torch.equal(t, state[key]) for key, t in net.state_dict().items())


@pytest.mark.parametrize("kernel", [torch.ones(7), torch.ones(5)])
def test_a_repeated_kernel_that_differs_is_refused_by_name(january_file, kernel):
    path, _ = january_file("stream", 2, **{"base.sharp.kernel": kernel})
    spec = NETWORK_SPECS["paragonsr2_stream"]()
    with pytest.raises(SpecError, match=r"1 unlike the fixed kernels here: base\.sharp\.kernel") as caught:
        load_pretrained(build_network(spec, 2), path, spec, 2, print)
    assert "base.blur.kernel" not in caught.value.message


def test_edsr_has_the_tensors_of_basicsrs_files():
    layout = convolutions(conv_first=(64, 3, 3, 3), conv_after_body=(64, 64, 3, 3), conv_last=(3, 64, 3, 3))
    for number in range(16):
        layout |= inside(f"body.{number}", convolutions(conv1=(64, 64, 3, 3), conv2=(64, 64, 3, 3)))
    layout |= convolutions(upsample__0=(256, 64, 3, 3), upsample__2=(256, 64, 3, 3))
    state = build_network(EdsrSpec(), 4).state_dict()
    assert {name: tuple(t.shape) for name, t in state.items()} == layout


@pytest.mark.parametrize(("features", "thousands"), [(48, 411), (52, 481)])
def test_span_has_the_published_number_of_parameters(features, thousands):
    """SPAN-S and SPAN at x2 in the paper's table (Wan et al., 2024)."""
    net = build_network(SpanSpec(num_feat=features), 2)
    assert round(sum(p.numel() for p in net.parameters()) / 1000) == thousands


REAL = {
    **{name: {} for name in NETWORK_SPECS if name not in ("spandrel", "paragonsr2_l", "paragonsr2_xl")},
    "edsr": {"num_feat": 16, "num_block": 2},
    "span": {"num_feat": 16, "num_block": 2},
}


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", REAL)
def test_a_network_computes_the_same_twice_for_any_size_of_picture(name, scale):
    spec = TypeAdapter(NetworkSpec).validate_python({"type": name, **REAL[name]})
    x = torch.linspace(0, 1, 2 * 3 * 9 * 11).reshape(2, 3, 9, 11)
    found = []
    for _ in range(2):
        torch.manual_seed(4)
        net = build_network(spec, scale)
        y = net(x)
        y.square().mean().backward()
        found.append([y.detach(), *(p.grad for p in net.parameters() if p.grad is not None)])
    assert found[0][0].shape == (2, 3, 9 * scale, 11 * scale)
    assert found[0][0].dtype == torch.float32 and torch.isfinite(found[0][0]).all()
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("name", [f"paragonsr2_{n}" for n in ("nano", *SIZES, "realtime", "stream")])
def test_the_first_detail_is_not_larger_than_the_picture_and_gradients_reach_the_first_layer(name):
    torch.manual_seed(0)
    net = build_network(NETWORK_SPECS[name](), 2)
    x = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    x = torch.nn.functional.interpolate(x, size=(20, 20), mode="bilinear")
    base = (net.base if hasattr(net, "base") else net.magic_upsampler)(x)
    y = net(x)
    (y - base).abs().mean().backward()
    assert (y - base).detach().std() < base.std()
    assert 1e-3 < net.conv_in.weight.grad.norm() < 30
