"""Names of the validation pictures, and what is not taken for their list."""

import pytest

from srqueue.errors import UsageError
from srqueue.run.folder import RunDir
from srqueue.run.pictures import picture_file, read_pictures


@pytest.mark.parametrize("what", ["", "..", "../../spec", "it10", "10/..", "٣", "1.5", "-1", "Bicubic"])
def test_no_name_leaves_the_folder(tmp_path, what):
    with pytest.raises(UsageError, match="no picture"):
        picture_file(RunDir(tmp_path), 0, what)


def test_a_crop_is_counted_from_0(tmp_path):
    assert picture_file(RunDir(tmp_path), 2, "0010") == tmp_path / "pictures" / "2" / "it10.png"
    with pytest.raises(UsageError, match="crop"):
        picture_file(RunDir(tmp_path), -1, "bicubic")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v": 2, "crops": [], "iterations": []}', '{"v": 1}',
                                  '{"v": 1, "crops": [{"name": "a"}], "iterations": []}'])  # fmt: skip
def test_what_is_not_a_list_of_pictures_is_none(tmp_path, text):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "pictures.json").write_text(text)
    assert read_pictures(RunDir(tmp_path)) is None
