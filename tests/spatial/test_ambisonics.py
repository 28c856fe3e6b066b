import numpy as np
import pytest

from savg_ray.spatial.ambisonics import (
    encode_gains,
    level_difference_db,
    rotate_yaw,
    rotated_azimuth_deg,
    stereo,
    wrap_deg,
)

RNG = np.random.default_rng(1)
TONE = np.sin(np.arange(800) / 7)
YAWS = (-170, -90, -35, 0, 10, 45, 120, 180, 270, 350)


def wave_from(azimuth_deg, elevation_deg):
    return encode_gains(azimuth_deg, elevation_deg)[:, None] * TONE


def rms(sound):
    return np.sqrt(np.mean(sound**2, axis=-1))


def test_gains_of_the_axes():
    np.testing.assert_allclose(encode_gains(0, 0), [1, 0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(encode_gains(90, 0), [1, 1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(encode_gains(33, 90), [1, 0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(encode_gains(180, 0), [1, 0, 0, -1], atol=1e-12)


def test_gains_of_many_directions():
    azimuth, elevation = RNG.uniform(-180, 180, 50), RNG.uniform(-90, 90, 50)
    gains = encode_gains(azimuth, elevation)
    assert gains.shape == (4, 50) and gains.dtype == np.float64
    np.testing.assert_allclose((gains[1:] ** 2).sum(0), 1)
    np.testing.assert_allclose(gains[:, 7], encode_gains(azimuth[7], elevation[7]))
    np.testing.assert_allclose(encode_gains(azimuth, 0)[1], np.sin(np.radians(azimuth)))


@pytest.mark.parametrize("yaw", YAWS)
@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 0), (30, 0), (-75, 20), (140, -60)])
def test_a_rotated_wave_is_the_wave_from_the_rotated_direction(azimuth, elevation, yaw):
    rotated = rotate_yaw(wave_from(azimuth, elevation), yaw)
    np.testing.assert_allclose(rotated, wave_from(rotated_azimuth_deg(azimuth, yaw), elevation), atol=1e-6)


def test_rotations_add_up_and_keep_the_dtype():
    foa = RNG.standard_normal((4, 100)).astype(np.float32)
    twice = rotate_yaw(rotate_yaw(foa, 35), 70)
    np.testing.assert_allclose(twice, rotate_yaw(foa, 105), atol=1e-6)
    np.testing.assert_allclose(rotate_yaw(foa, 360), foa, atol=1e-6)
    assert twice.dtype == stereo(foa).dtype == np.float32
    assert rotate_yaw(foa.astype(float), 35).dtype == np.float64


@pytest.mark.parametrize("yaw", YAWS)
@pytest.mark.parametrize("azimuth", [-130, -60, -10, 15, 80])
def test_stereo_is_as_much_louder_on_one_side_as_the_formula_says(azimuth, yaw):
    elevation = 25
    left, right = rms(stereo(rotate_yaw(wave_from(azimuth, elevation), yaw)))
    expected = level_difference_db(azimuth + yaw, elevation)
    assert 20 * np.log10(left / right) == pytest.approx(expected, abs=1e-6)


def test_level_differences_at_known_angles():
    np.testing.assert_allclose(
        level_difference_db([10, 20, 30, 40, 50], 0), [3.05, 6.19, 9.54, 13.25, 17.56], atol=0.01
    )
    assert level_difference_db(-30, 0) == pytest.approx(-level_difference_db(30, 0))
    assert level_difference_db(90, 0) == np.inf and level_difference_db(-90, 0) == -np.inf


def test_looking_right_brings_a_source_on_the_right_to_the_middle():
    left, right = rms(stereo(rotate_yaw(wave_from(-40, 0), 0)))
    assert left < right
    left, right = rms(stereo(rotate_yaw(wave_from(-40, 0), 40)))
    assert left == pytest.approx(right)
    left, right = rms(stereo(rotate_yaw(wave_from(-40, 0), 60)))
    assert left > right


def test_angles_wrap_around():
    np.testing.assert_array_equal(wrap_deg([-180, -181, 180, 179, 540, 0]), [-180, 179, -180, 179, -180, 0])
    np.testing.assert_array_equal(rotated_azimuth_deg(np.array([-20, 170]), 350), [-30, 160])


@pytest.mark.parametrize("shape", [(3, 10), (10,), (10, 4)])
@pytest.mark.parametrize("function", [stereo, lambda foa: rotate_yaw(foa, 10)])
def test_other_arrays_are_refused(shape, function):
    with pytest.raises(ValueError, match="W, Y, Z, X"):
        function(np.zeros(shape))
