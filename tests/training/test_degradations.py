import numpy as np
import pytest
from pydantic import ValidationError

from savg_ray.training.degradations import Degradations, degraded
from savg_ray.training.draws import Draw

NONE = {"blur_share": 0.0, "noise_share": 0.0, "jpeg_share": 0.0}


def picture():
    grey = np.full((36, 64, 3), 120, np.uint8)
    grey[10:26, 20:44] = (200, 40, 90)
    return grey


def worse(draw=None, **changes):
    return degraded(picture(), Degradations(**{**NONE, **changes}), draw or Draw(1, 2, 0))


def test_nothing_is_done_without_a_share():
    found = worse()
    assert found.dtype == np.float32 and np.array_equal(found, picture())


def test_blur_softens_edges_and_keeps_colours_flat():
    found = worse(blur_share=1.0, blur_px=1.5)
    steepness = np.abs(np.diff(picture().astype(float), axis=1)).max(), np.abs(np.diff(found, axis=1)).max()
    assert steepness[1] < 0.9 * steepness[0]
    np.testing.assert_allclose(found[0, 0], 120, atol=1e-3)


def test_noise_has_deviations_up_to_the_largest_and_is_not_clipped():
    deviations = []
    for position in range(60):
        noise = worse(Draw(1, position, 0), noise_share=1.0, noise_levels=20.0) - picture()
        deviations.append(noise.std())
    assert 0 <= min(deviations) < 5 and 15 < max(deviations) < 21
    white = np.full((64, 64, 3), 255, np.uint8)
    found = degraded(white, Degradations(**{**NONE, "noise_share": 1.0, "noise_levels": 50.0}), Draw(1, 2, 0))
    assert found.max() > 255


def test_jpeg_keeps_the_order_of_colours_and_loses_more_at_low_quality():
    errors = {}
    for quality in (10, 95):
        found = worse(jpeg_share=1.0, jpeg_quality=(quality, quality))
        errors[quality] = np.abs(found - picture()).mean()
        assert np.abs(found[18, 32] - (200, 40, 90)).max() < 40
    assert errors[95] < errors[10]


def test_shares_are_met_and_a_draw_decides_alone():
    official = Degradations()
    assert (official.noise_share, official.noise_levels, official.jpeg_share) == (0.5, 20.0, 0.5)
    assert official.jpeg_quality == (20, 80)
    touched = [not np.array_equal(degraded(picture(), official, Draw(4, i, 0)), picture()) for i in range(200)]
    assert 0.65 < np.mean(touched) < 0.85
    assert np.array_equal(*(degraded(picture(), official, Draw(4, 7, 0)) for _ in range(2)))


def test_qualities_must_rise():
    with pytest.raises(ValidationError, match="jpeg_quality must rise within 1 to 100, not 80 to 20"):
        Degradations(jpeg_quality=(80, 20))
