"""A face painted on a head: eyes, brows, mouth, cheeks, beard."""

from savg_ray.scenes.pictures.compiled import compiled
from savg_ray.scenes.pictures.patterns import dimmed, ellipse, mix, within

# Places on the head, in shares of the person's height, across and up from the middle of the chin's ball.
MOUTH_UP = 0.004
_EYE_ACROSS, _EYE_UP = 0.0195, 0.041
_MOUTH_HALF_WIDTH, _MOUTH_CLOSED, _MOUTH_OPEN = 0.0165, 0.0022, 0.0130


@compiled
def face_colour(
    skin: tuple[float, float, float],
    hair: tuple[float, float, float],
    across: float,
    up: float,
    pixel: float,
    opening: float,
    lids: float,
    beard: float,
) -> tuple[float, float, float]:
    """Colour of a point on the front of a head.

    Args:
        skin, hair: linear RGB.
        across, up: place in shares of the person's height.
        pixel: size of a pixel there, likewise.
        opening: of the mouth, 0 to 1.
        lids: 0 open eyes to 1 closed.
        beard: 0 none to 1 full.
    """
    colour = skin
    side = abs(across)
    if beard > 0:
        chin = within(ellipse(across, up + 0.006, 0.043, 0.030), pixel + 0.006)
        colour = mix(colour, hair, 0.9 * beard * chin)
    cheek = within(ellipse(side - 0.026, up - 0.018, 0.014, 0.011), 0.012)
    colour = mix(colour, (skin[0], skin[1] * 0.62, skin[2] * 0.58), 0.35 * cheek)
    colour = _with_eyes(colour, skin, side, up - _EYE_UP, pixel, lids)
    brow = within(
        ellipse(side - _EYE_ACROSS, up - _EYE_UP - 0.0155 + 6.0 * (side - _EYE_ACROSS) ** 2, 0.0125, 0.0030), pixel
    )
    colour = mix(colour, dimmed(hair, 0.8), brow)
    return _with_mouth(colour, skin, across, up - MOUTH_UP, pixel, opening)


@compiled
def _with_eyes(
    colour: tuple[float, float, float],
    skin: tuple[float, float, float],
    side: float,
    up: float,
    pixel: float,
    lids: float,
) -> tuple[float, float, float]:
    x = side - _EYE_ACROSS
    opened = 0.0074 * (1 - 0.9 * lids)
    lash = within(ellipse(x, up - 0.001, 0.0130, opened + 0.0022), pixel)
    colour = mix(colour, dimmed(skin, 0.25), 0.8 * lash)
    if lids > 0.6:
        return colour
    white = within(ellipse(x, up, 0.0115, opened), pixel)
    colour = mix(colour, (0.9, 0.9, 0.9), white)
    iris = within(ellipse(x, up, 0.0062, 0.0066), pixel)
    colour = mix(colour, (0.035, 0.018, 0.012), iris * white)
    glint = within(ellipse(x - 0.002, up - 0.0026, 0.0016, 0.0016), pixel)
    return mix(colour, (1.0, 1.0, 1.0), glint * white)


@compiled
def _with_mouth(
    colour: tuple[float, float, float],
    skin: tuple[float, float, float],
    across: float,
    up: float,
    pixel: float,
    opening: float,
) -> tuple[float, float, float]:
    half_height = _MOUTH_CLOSED + (_MOUTH_OPEN - _MOUTH_CLOSED) * opening
    half_width = _MOUTH_HALF_WIDTH * (1 - 0.2 * opening)
    # A closed mouth smiles a little; an open one drops from the upper lip.
    low = up + 0.5 * half_height * opening - 8.0 * across * across * (1 - opening)
    lips = within(ellipse(across, low, half_width + 0.002, half_height + 0.0030), pixel)
    colour = mix(colour, (skin[0] * 0.72, skin[1] * 0.30, skin[2] * 0.30), lips)
    inside = within(ellipse(across, low, half_width, half_height), pixel)
    colour = mix(colour, (0.10, 0.012, 0.012), inside)
    teeth = within(ellipse(across, low - 0.75 * half_height, half_width * 0.75, half_height * 0.4), pixel)
    return mix(colour, (0.85, 0.85, 0.82), teeth * inside * opening)
