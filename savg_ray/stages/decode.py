"""Clip in: each file is decoded once, safely, and brought into the form that the networks read."""

import time
from pathlib import Path

import numpy as np

from savg_ray.errors import ClipError
from savg_ray.media.reader import read_clip
from savg_ray.media.safe_reader import SafeReader
from savg_ray.protocols import clip_form
from savg_ray.protocols.official_windows import window_audio
from savg_ray.stages.batch import NO_RESULT, Batch, batch_length, decode, encode, object_column, stack_padded
from savg_ray.stages.stage import Stage


class DecodeStage(Stage):
    """Adds the pictures and the sound, or the reason why there are none.

    Reads ``path``, ``role`` (``generated`` or ``reference``), ``todo``, ``reason`` and ``error`` (of what went
    before) and, under the official protocol, ``windows`` (.npy bytes of window numbers). Writes the tensors
    ``frames``, ``pcm_16k`` and ``pcm_44k1`` with their true lengths in ``n_frames``, ``n_16k`` and ``n_44k1``;
    ``fps``, ``notes``, ``reason``, ``error``; and, under the official protocol, ``audio_windows`` (.npy bytes, int16
    (k, 2, 80000)) instead of ``pcm_44k1``.

    Args:
        official: bring clips into the form of the official protocol.
        deadline_s: after which a file is given up.
        sound_44k1: give ``pcm_44k1`` at all.
    """

    name = "decode"
    reads = ()

    def __init__(self, official: bool, deadline_s: float, sound_44k1: bool = True) -> None:
        self.official = official
        self.deadline_s = deadline_s
        self.sound_44k1 = sound_44k1
        self._reader: SafeReader | None = None

    def load(self, device: str) -> None:
        """Get the reading process ready; it starts at the first clip."""
        self._reader = SafeReader(self.deadline_s)

    def close(self) -> None:
        """Stop the reading process."""
        if self._reader is not None:
            self._reader.close()

    def __call__(self, batch: Batch) -> Batch:
        """Decode every row of the batch."""
        n = batch_length(batch)
        forms: list[clip_form.ScoredForm] = []
        reasons, errors, costs = list(batch["reason"]), list(batch["error"]), np.zeros(n)
        for i in range(n):
            if reasons[i]:
                forms.append(_NOTHING)
                continue
            child_before, started = self._reader.cpu_s, time.process_time()
            try:
                forms.append(self._form(Path(batch["path"][i]), batch["role"][i]))
            except ClipError as error:
                forms.append(_NOTHING)
                reasons[i], errors[i] = error.reason, error.message
            costs[i] = time.process_time() - started + self._reader.cpu_s - child_before
        out = dict(batch)
        out["reason"], out["error"] = object_column(reasons), object_column(errors)
        out["notes"] = object_column([form.notes for form in forms])
        out["fps"] = np.array([form.fps for form in forms])
        out["n_frames"] = np.array([len(form.frames) for form in forms])
        out["frames"] = stack_padded([form.frames for form in forms])
        out["n_16k"] = np.array([form.pcm_16k.shape[1] for form in forms])
        out["pcm_16k"] = stack_padded([form.pcm_16k for form in forms])
        if self.official:
            asked = [
                not reason and "audio_windows" in todo.split(",")
                for reason, todo in zip(reasons, batch["todo"], strict=True)
            ]
            out["audio_windows"] = object_column(
                [
                    _audio_windows(form, decode(windows)) if ask else NO_RESULT
                    for form, windows, ask in zip(forms, batch["windows"], asked, strict=True)
                ]
            )
        elif self.sound_44k1:
            out["n_44k1"] = np.array([form.pcm_44k1.shape[1] for form in forms])
            out["pcm_44k1"] = stack_padded([form.pcm_44k1 for form in forms])
        out["decode_cpu_s"] = costs
        return out

    def _form(self, path: Path, role: clip_form.Role) -> clip_form.ScoredForm:
        clip = self._reader(read_clip, path)
        return clip_form.official(clip, role) if self.official else clip_form.whole(clip)


_NOTHING = clip_form.ScoredForm(
    frames=np.zeros((0, 1, 1, 3), np.uint8),
    fps=0.0,
    pcm_16k=np.zeros((2, 0), np.int16),
    pcm_44k1=np.zeros((2, 0), np.int16),
    notes="",
)


def _audio_windows(form: clip_form.ScoredForm, windows: np.ndarray) -> bytes:
    return encode(np.stack([window_audio(form.pcm_44k1, int(window), form.fps) for window in windows]))
