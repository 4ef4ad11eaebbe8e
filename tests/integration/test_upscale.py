"""upscale: an exported model on pictures."""

import pytest
from PIL import Image

from workers.upscale import main as upscale_main


@pytest.fixture
def model(new_job):
    job = new_job(2)
    return job.run.path / job.attempt().export


def test_upscale_a_folder(model, own_pictures, tmp_path, capsys):
    out = tmp_path / "out"
    assert upscale_main([str(model), str(own_pictures), str(out), "--device", "cpu", "--tile", "32"]) == 0
    assert {p.name for p in out.iterdir()} == {"a.png", "b.png", "held_out.png"}
    assert Image.open(out / "a.png").size == (192, 192)
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{model}", "{hr}/none.png", "{tmp}/o.png"], "no such file"),
        (["{model}", "{hr}/a.png", "{hr}/a.png", "--overwrite"], "replace its input"),
        (["{model}", "{hr}/a.png", "{hr}/b.png"], "already there"),
        (["{model}", "{hr}/a.png", "{tmp}/o.jpg"], "written as PNG"),
        (["{model}", "{tmp}", "{tmp}/o"], "no pictures"),
        (["{hr}/a.png", "{hr}/b.png", "{tmp}/o.png"], "cannot read the model"),
        (["{model}", "{hr}/a.png", "{tmp}/o.png", "--device", "cuda:77"], "not here"),
        (["{model}", "{hr}/a.png", "{tmp}/o.png", "--tile", "3"], "a tile needs"),
    ],
)
def test_upscale_tells_a_user_what_is_wrong(model, own_pictures, tmp_path, capsys, arguments, message):
    places = {"model": model, "hr": own_pictures, "tmp": tmp_path}
    assert upscale_main([a.format(**places) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert "Traceback" not in error


def test_upscale_notes_where_alpha_is_dropped(model, own_pictures, tmp_path, capsys):
    with Image.open(own_pictures / "a.png") as picture:
        picture.putalpha(128)
        picture.save(own_pictures / "a.png")
    assert upscale_main([str(model), str(own_pictures), str(tmp_path / "out"), "--device", "cpu"]) == 0
    told = capsys.readouterr()
    assert told.err == "note: a.png: what is transparent is dropped\n"
    assert len(told.out.splitlines()) == 3


def test_upscale_does_the_others_when_one_picture_is_broken(model, own_pictures, tmp_path, capsys):
    (own_pictures / "a.png").write_bytes(b"")
    assert upscale_main([str(model), str(own_pictures), str(tmp_path / "out"), "--device", "cpu"]) == 1
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"b.png", "held_out.png"}
    assert "a.png" in capsys.readouterr().err


def test_upscale_overwrites_only_when_told(model, own_pictures, tmp_path):
    out = tmp_path / "o.png"
    out.write_bytes(b"precious")
    call = [str(model), str(own_pictures / "a.png"), str(out), "--device", "cpu"]
    assert upscale_main(call) == 2
    assert out.read_bytes() == b"precious"
    assert upscale_main([*call, "--overwrite"]) == 0
    assert Image.open(out).size == (192, 192)
