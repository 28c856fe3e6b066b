"""What a mouth does when it speaks or laughs: pitch, voicing, breath, hiss and formants over time."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

CONTROL_HZ = 200
N_FORMANTS = 5
HISSES = ("s", "sh", "f")

# Mean formants in Hz of women and men, F1 to F3, of the vowels of heed, hid, head, had, hod, hawed, hood, who'd, hud
# and heard: Peterson and Barney, Control Methods Used in a Study of the Vowels, 1952, table II.
_WOMAN = (
    (310, 2790, 3310), (430, 2480, 3070), (610, 2330, 2990), (860, 2050, 2850), (850, 1220, 2810),
    (590, 920, 2710), (470, 1160, 2680), (370, 950, 2670), (760, 1400, 2780), (500, 1640, 1960),
)  # fmt: skip
_MAN = (
    (270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440),
    (570, 840, 2410), (440, 1020, 2240), (300, 870, 2240), (640, 1190, 2390), (490, 1350, 1690),
)  # fmt: skip
_VOWELS = (np.array(_WOMAN, np.float64), np.array(_MAN, np.float64))
_UPPER = ((4100.0, 5000.0), (3500.0, 4500.0))
_NASAL = ((280.0, 1250.0, 2500.0), (250.0, 1100.0, 2200.0))
_OPEN_VOWEL = 8


@dataclass(frozen=True)
class Voice:
    """Somebody's voice.

    Attributes:
        sex: 0 female, 1 male.
        pitch_hz: usual pitch.
        tract: factor on all formants, about 1.
        breathiness: breath relative to voicing.
    """

    sex: int
    pitch_hz: float
    tract: float
    breathiness: float


class Score(NamedTuple):
    """Controls at 200 Hz, float64 (n,) each, but hiss (3, n) and formants (n, 5); loudness is 0 to 1."""

    pitch_hz: np.ndarray
    voicing: np.ndarray
    breath: np.ndarray
    hiss: np.ndarray
    formants_hz: np.ndarray


class _Sound(NamedTuple):
    """A speech sound: its length, how loud its parts are, and where its formants are headed for."""

    length_s: float
    pitch: float
    formants_hz: np.ndarray
    voicing: float = 0.0
    breath: float = 0.0
    hiss: tuple[float, float, float] = (0.0, 0.0, 0.0)


def voice_of(sex: int, look: int) -> Voice:
    """The voice that belongs to a look: around 200 Hz for women, 115 Hz for men."""
    rng = np.random.Generator(np.random.PCG64(look))
    low_hz, high_hz = ((185, 220), (102, 128))[sex]
    return Voice(
        sex, float(rng.uniform(low_hz, high_hz)), float(rng.uniform(0.94, 1.06)), float(rng.uniform(0.02, 0.06))
    )


def speech_score(voice: Voice, duration_s: float, rng: np.random.Generator) -> Score:
    """Phrases of syllables, 3 to 5 a second, with pauses of 0.12 to 0.26 s between phrases."""
    sounds: list[_Sound] = []
    length_s = 0.0
    while length_s < duration_s:
        phrase = _phrase(voice, rng)
        sounds += phrase
        length_s += sum(sound.length_s for sound in phrase)
    return _score(voice, sounds, duration_s, rng)


def laughter_score(voice: Voice, duration_s: float, rng: np.random.Generator) -> Score:
    """Bouts of a second: four to five open syllables, each begun with breath, that fall in pitch and loudness."""
    sounds: list[_Sound] = []
    length_s = 0.0
    open_hz = _vowel(voice, _OPEN_VOWEL)
    while length_s < duration_s:
        n = int(rng.integers(4, 8))
        start = float(rng.uniform(1.35, 1.6))
        for i in range(n):
            pitch, loud = start - 0.09 * i, 1.0 - 0.1 * i
            sounds.append(_Sound(float(rng.uniform(0.06, 0.09)), pitch, open_hz, breath=0.5 * loud))
            sounds.append(_Sound(float(rng.uniform(0.11, 0.15)), pitch, open_hz, voicing=loud, breath=0.15))
        sounds.append(_Sound(float(rng.uniform(0.12, 0.25)), 1.0, open_hz, breath=0.25))
        length_s = sum(sound.length_s for sound in sounds)
    return _score(voice, sounds, duration_s, rng)


def _phrase(voice: Voice, rng: np.random.Generator) -> list[_Sound]:
    n = int(rng.integers(4, 12))
    sounds: list[_Sound] = []
    for i in range(n):
        # Pitch declines through a phrase; some syllables stand out, and the last one is long.
        pitch = 1.12 - 0.30 * i / n + float(rng.normal(0, 0.06))
        stress = float(rng.choice([0.75, 1.0], p=[0.45, 0.55]))
        sounds += _syllable(voice, pitch + 0.1 * (stress - 0.75), stress * (1.25 if i == n - 1 else 1.0), rng)
    sounds.append(_Sound(float(rng.uniform(0.12, 0.26)), 1.0, _vowel(voice, _OPEN_VOWEL)))
    return sounds


def _syllable(voice: Voice, pitch: float, stress: float, rng: np.random.Generator) -> list[_Sound]:
    vowel, glide = (_vowel(voice, int(i)) for i in rng.integers(0, len(_MAN), 2))
    onset = str(rng.choice(["stop", "hiss", "nasal", "none"], p=[0.38, 0.24, 0.28, 0.10]))
    loud = min(1.0, 0.6 + 0.4 * stress)
    sounds: list[_Sound] = []
    if onset == "stop":
        burst = tuple(0.5 * rng.dirichlet([1, 1, 1]))
        sounds.append(_Sound(float(rng.uniform(0.035, 0.06)), pitch, vowel))
        sounds.append(_Sound(0.015, pitch, vowel, breath=0.3, hiss=burst))
        sounds.append(_Sound(float(rng.uniform(0.01, 0.04)), pitch, vowel, breath=0.3))
    elif onset == "hiss":
        sounds.append(_hiss(pitch, vowel, rng))
    elif onset == "nasal":
        nasal = _with_upper(voice, np.array(_NASAL[voice.sex]))
        sounds.append(_Sound(float(rng.uniform(0.045, 0.07)), pitch, nasal, voicing=0.35))
    length_s = float(rng.uniform(0.11, 0.18)) * (0.7 + 0.5 * stress)
    if rng.random() < 0.3:
        sounds.append(_Sound(length_s / 2, pitch, vowel, voicing=loud))
        sounds.append(_Sound(length_s / 2, pitch, glide, voicing=loud))
    else:
        sounds.append(_Sound(length_s, pitch, vowel, voicing=loud))
    # The mouth closes a little before the next syllable.
    sounds.append(_Sound(float(rng.uniform(0.02, 0.045)), pitch, vowel, voicing=0.12))
    if rng.random() < 0.15:
        sounds.append(_hiss(pitch, vowel, rng))
    return sounds


def _hiss(pitch: float, formants_hz: np.ndarray, rng: np.random.Generator) -> _Sound:
    loud = np.zeros(len(HISSES))
    loud[rng.integers(len(HISSES))] = rng.uniform(0.4, 0.8)
    return _Sound(float(rng.uniform(0.06, 0.11)), pitch, formants_hz, hiss=tuple(loud))


def _vowel(voice: Voice, number: int) -> np.ndarray:
    return _with_upper(voice, _VOWELS[voice.sex][number])


def _with_upper(voice: Voice, lower_hz: np.ndarray) -> np.ndarray:
    return np.concatenate([lower_hz, _UPPER[voice.sex]]) * voice.tract


def _score(voice: Voice, sounds: list[_Sound], duration_s: float, rng: np.random.Generator) -> Score:
    n = int(np.ceil(duration_s * CONTROL_HZ)) + 1
    ends = np.rint(np.cumsum([sound.length_s for sound in sounds]) * CONTROL_HZ).astype(int)
    which = np.searchsorted(ends, np.arange(n), side="right").clip(0, len(sounds) - 1)

    def over_time(values: list, smooth_s: float) -> np.ndarray:
        steps = np.array(values, np.float64)[which]
        return ndimage.gaussian_filter1d(steps, smooth_s * CONTROL_HZ, axis=0, mode="nearest")

    wobble = ndimage.gaussian_filter1d(rng.standard_normal(n), 0.012 * CONTROL_HZ) * 0.02
    pitch = over_time([sound.pitch for sound in sounds], 0.05)
    return Score(
        pitch_hz=voice.pitch_hz * np.clip(pitch + wobble, 0.6, 1.9),
        voicing=over_time([sound.voicing for sound in sounds], 0.010),
        breath=over_time([sound.breath for sound in sounds], 0.006),
        hiss=over_time([sound.hiss for sound in sounds], 0.006).T,
        formants_hz=over_time([sound.formants_hz for sound in sounds], 0.020),
    )
