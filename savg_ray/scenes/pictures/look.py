"""What people look like: skin, hair and clothes drawn from a seed."""

from dataclasses import dataclass

import numpy as np

from savg_ray.scenes.pictures.parts import BUTTONS, CHECKS, EMBLEM, PLAIN, STRIPES, Frame, Paint, linear_rgb, plain
from savg_ray.scenes.script import Person

SHORT, LONG, TAIL, BUN, CURLS, CROP = range(6)

_SKINS = ((240, 204, 178), (226, 180, 148), (198, 148, 112), (160, 112, 80), (122, 82, 58), (92, 62, 46))
_HAIRS = ((34, 26, 24), (66, 44, 32), (108, 72, 44), (170, 126, 72), (206, 172, 112), (140, 62, 38), (150, 148, 146))
_DARK_HAIRS = ((34, 26, 24), (52, 38, 32), (120, 118, 116))
_DARK_SKIN = 0.45
_TOPS = (
    (188, 52, 52), (46, 92, 164), (60, 132, 84), (226, 172, 60), (236, 232, 224), (120, 72, 140), (52, 60, 78),
    (214, 116, 64), (84, 158, 170), (208, 120, 146), (120, 128, 70),
)  # fmt: skip
_BOTTOMS = ((46, 60, 98), (38, 38, 44), (112, 94, 70), (84, 88, 96), (150, 134, 106), (70, 84, 62), (96, 52, 60))
_SHOES = ((44, 36, 34), (120, 78, 50), (226, 226, 224), (176, 50, 50), (60, 70, 90))
_TOP_PATTERNS = (PLAIN, PLAIN, STRIPES, CHECKS, BUTTONS, EMBLEM)


@dataclass(frozen=True)
class Look:
    """A person's looks; colours are linear RGB.

    Attributes:
        female: shapes hips, shoulders and chest.
        build: width of the body, about 1.
        skin, hair, top, top_second, bottom, shoes: colours.
        hair_style: one of `SHORT` ... `CROP`.
        beard: 0 none to 1 full.
        top_pattern: of the top.
        long_sleeves, skirt, dress, shorts: the cut of the clothes; a dress is a skirt of the top's cloth.
    """

    female: bool
    build: float
    skin: np.ndarray
    hair: np.ndarray
    hair_style: int
    beard: float
    top: np.ndarray
    top_second: np.ndarray
    top_pattern: int
    bottom: np.ndarray
    shoes: np.ndarray
    long_sleeves: bool
    skirt: bool
    dress: bool
    shorts: bool

    def top_paint(self, cloth: Frame | None, height_m: float) -> Paint:
        """The top's cloth, its pattern in a frame whose origin lies at the waist (in the solid's own without one)."""
        details = {
            PLAIN: (),
            STRIPES: (0.050 * height_m, 0.0),
            CHECKS: (0.046 * height_m, 0.0),
            BUTTONS: (0.040 * height_m,),
            EMBLEM: (0.030 * height_m, 0.105 * height_m),
        }
        return Paint(self.top, self.top_second, self.top_pattern, details[self.top_pattern], cloth)

    def sleeve_paint(self, height_m: float) -> Paint:
        """The top's cloth round an arm: only what runs round it."""
        return self.top_paint(None, height_m) if self.top_pattern == STRIPES else plain(self.top)


def look_of(person: Person) -> Look:
    """The looks that a person's seed and voice give."""
    rng = np.random.Generator(np.random.PCG64([person.look, 5]))
    female = person.voice == 0
    styles = (LONG, TAIL, BUN, CURLS, SHORT) if female else (SHORT, CROP, SHORT, CURLS)
    skin = _drawn(rng, _SKINS)
    hair = _drawn(rng, _HAIRS if skin[0] > _DARK_SKIN else _DARK_HAIRS)
    top, second, bottom, shoes = (_drawn(rng, choice) for choice in (_TOPS, _TOPS, _BOTTOMS, _SHOES))
    skirt = female and rng.random() < 0.4
    return Look(
        female=female,
        build=float(rng.uniform(0.92, 1.10)),
        skin=skin,
        hair=hair,
        hair_style=int(rng.choice(styles)),
        beard=float(not female and rng.random() < 0.35),
        top=top,
        top_second=second if float(np.abs(second - top).max()) > 0.1 else top * 0.5 + 0.3,
        top_pattern=int(rng.choice(_TOP_PATTERNS)),
        bottom=bottom,
        shoes=shoes,
        long_sleeves=bool(rng.random() < 0.5),
        skirt=skirt,
        dress=bool(skirt and rng.random() < 0.5),
        shorts=bool(not skirt and rng.random() < 0.15),
    )


def _drawn(rng: np.random.Generator, choice: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    return linear_rgb(*choice[rng.integers(len(choice))])
