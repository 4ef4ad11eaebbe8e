"""Which LR belongs to which HR, and the scale between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.errors import DataError
from workers.data_tools.pairing import fit_scale, pair

# Names that no suffix rule touches.
stems = st.text("abcdefgh", min_size=1, max_size=6).map(lambda s: s + "0")
folders = st.sampled_from(["", "a/", "a/b/"])
keys = st.sets(st.builds(lambda f, s: f + s, folders, stems), min_size=1, max_size=30)
endings = st.sampled_from([".png", ".jpg", ".webp"])


@given(
    keys,
    endings,
    endings,
    st.sampled_from(["", "x2", "_x3", "_LR", "-x4", "_LRx2", "_SRF_2_LR"]),
    st.randoms(),
)
def test_any_set_of_names_pairs_whatever_the_ending_and_order(
    names, hr_ending, lr_ending, suffix, random
) -> None:
    hr_suffix = "_SRF_2_HR" if suffix == "_SRF_2_LR" else ""
    hr = {name: f"{name}{hr_suffix}{hr_ending}" for name in names}
    lr = {name: f"{name}{suffix}{lr_ending}" for name in names}
    shuffled = random.sample(sorted(lr.values()), len(lr))

    assert pair(hr.values(), shuffled) == {hr[name]: lr[name] for name in names}


@given(keys, st.data())
def test_a_picture_without_partner_is_never_passed_over(names, data) -> None:
    lost = data.draw(st.sampled_from(sorted(names)))
    hr = [f"{name}.png" for name in names]
    lr = [f"{name}.png" for name in names if name != lost]
    with pytest.raises(DataError, match="1 of HR"):
        pair(hr, lr)
    with pytest.raises(DataError, match="1 of LR"):
        pair(lr, hr)


def test_a_name_that_ends_like_a_suffix_pairs_with_itself_first() -> None:
    assert pair(["fo.png", "fox2.png"], ["fox2.png", "fo.png"]) == {
        "fo.png": "fo.png",
        "fox2.png": "fox2.png",
    }


def test_the_first_five_without_partner_are_named_and_all_counted() -> None:
    hr = [f"img{i}.png" for i in range(9)] + ["both.png"]
    with pytest.raises(DataError) as caught:
        pair(hr, ["both.png", "other\x1b.png"])
    text = str(caught.value)
    assert "10 pictures have no partner" in text
    assert "9 of HR (img0.png, img1.png, img2.png, img3.png, img4.png and 4 more)" in text
    assert "other\\x1b.png" in text


def test_two_pictures_of_one_name_are_ambiguous() -> None:
    with pytest.raises(DataError, match=r"a\.jpg, a\.png|a\.png, a\.jpg"):
        pair(["a.png", "a.jpg"], ["a.png"])
    with pytest.raises(DataError, match="two LR pictures"):
        pair(["a.png"], ["ax2.png", "a_x2.png"])


@given(
    st.sampled_from([2, 3, 4]),
    st.dictionaries(stems, st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1),
)
def test_the_scale_is_found_from_the_sizes(scale, sizes) -> None:
    pairs = {name: ((w * scale, h * scale), (w, h)) for name, (w, h) in sizes.items()}
    assert fit_scale(pairs, None) == scale
    assert fit_scale(pairs, scale) == scale


def test_a_pair_of_another_size_is_named_with_its_sizes() -> None:
    pairs = {f"p{i}": ((20, 40), (10, 20)) for i in range(5)} | {"odd": ((21, 40), (10, 20))}
    with pytest.raises(DataError) as caught:
        fit_scale(pairs, None)
    assert "1 of 6 pairs do not fit the scale 2: odd (HR 21x40, LR 10x20)" in str(caught.value)


def test_a_scale_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="do not fit the scale 4"):
        fit_scale({"a": ((20, 40), (10, 20))}, 4)
    with pytest.raises(DataError, match="no scale fits"):
        fit_scale({"a": ((50, 50), (10, 10))}, None)


@pytest.mark.parametrize("scale", [None, 2, 4])
def test_pairs_of_several_scales_are_counted_and_to_be_sorted(scale) -> None:
    pairs = {f"p{i}": ((20, 40), (10, 20)) for i in range(3)} | {"q": ((40, 40), (10, 10))}
    pairs |= {"odd": ((21, 40), (10, 20))}
    with pytest.raises(DataError) as caught:
        fit_scale(pairs, scale)
    text, hint = caught.value.message, caught.value.hint or ""
    assert text.startswith("the pairs are of different scales; of 5 are 3 of x2: p0 (HR 20x40, LR 10x20), ")
    assert text.endswith("1 of x4: q (HR 40x40, LR 10x10), 1 of none: odd (HR 21x40, LR 10x20)")
    assert "make a data set of each" in hint and "cut" not in hint


def test_the_hint_is_to_cut_only_where_that_helps() -> None:
    for pairs, scale, hint in (
        ({"a": ((20, 40), (10, 20)), "b": ((21, 40), (10, 20))}, None, "cut HR to a multiple of 2"),
        ({"a": ((21, 40), (10, 20))}, 2, "cut HR to a multiple of 2"),
        ({"a": ((20, 40), (10, 20))}, 4, "they are x2: leave the scale out"),
    ):
        with pytest.raises(DataError) as caught:
            fit_scale(pairs, scale)
        assert hint in (caught.value.hint or "")
