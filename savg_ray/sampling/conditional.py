"""Sound for given pictures, and pictures for a given sound, with the network of the base diffusion as it is."""

import numpy as np
import torch
from torch import nn

from savg_ray.diffusion.ancestral import last
from savg_ray.diffusion.conditional import conditional_states
from savg_ray.diffusion.noise_schedule import TOTAL_STEPS
from savg_ray.diffusion.schedules import diffusion_tables
from savg_ray.diffusion.states import Modalities
from savg_ray.sampling.clip_sampler import BaseClip, ClipSampler
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.config import BaseConfig, ConditionalConfig
from savg_ray.sampling.parts import Parts
from savg_ray.sampling.sound_form import N_COLOURS, diffusion_sound, place_colour


class ConditionalSampler(ClipSampler):
    """Makes one half of clips for the other (`savg_ray.diffusion.conditional`).

    A clip does not depend on the others: without guidance they share calls of the network; with guidance each is
    solved alone, because its pull is a mean over the batch.

    Args:
        network: a multimodal UNet, loaded and on its device, its weights made outside inference mode.
        config: sizes; its solver plays no part, but ``thresholding`` says whether clean estimates are limited to
            [-1, 1], as officially.
        conditional: solver, steps and guidance.
        parts: how many clips pass through the network at a time.
    """

    def __init__(
        self,
        network: nn.Module,
        config: BaseConfig,
        conditional: ConditionalConfig,
        parts: Parts,
    ) -> None:
        super().__init__(network, config, parts)
        self._conditional = conditional

    def sound_for(self, pictures: np.ndarray, seeds: list[ClipSeeds]) -> list[BaseClip]:
        """Clips whose sound is new; their pictures are not those given, but the network's own version of them.

        Args:
            pictures: uint8 (B, F, 3, H, W), the rows that the network sees (`small_pictures`).
            seeds: one a clip.
        """
        return self._made({"video": torch.from_numpy(pictures).float() / 127.5 - 1}, seeds)

    def pictures_for(self, stereo: np.ndarray, seeds: list[ClipSeeds]) -> list[BaseClip]:
        """Clips whose pictures are new; their sound is not the one given, but the network's own version of it.

        Args:
            stereo: float32 (B, 2, L), left and right, full scale 1.
            seeds: one a clip.
        """
        config = self._config
        forms = [diffusion_sound(one, config) for one in stereo]
        known = {"audio": torch.from_numpy(np.stack([sound for sound, _ in forms]))}
        if config.n_colours > N_COLOURS:
            places = torch.from_numpy(np.stack([places for _, places in forms]))
            known["place"] = config.place_gain * place_colour(places, config.height_px)
        return self._made(known, seeds)

    def _made(self, known: Modalities, seeds: list[ClipSeeds]) -> list[BaseClip]:
        known = {name: values.to(self._device) for name, values in known.items()}
        if self._conditional.guidance_scale == 0:
            return self._solved(known, seeds)
        alone = [{name: values[i : i + 1] for name, values in known.items()} for i in range(len(seeds))]
        return [self._solved(one, [own])[0] for one, own in zip(alone, seeds, strict=True)]

    def _solved(self, known: Modalities, seeds: list[ClipSeeds]) -> list[BaseClip]:
        tables = diffusion_tables(TOTAL_STEPS, self._conditional.respacing)
        states = conditional_states(
            lambda x, labels: _taken_apart(self._predict(_joined(x), labels)),
            known,
            _taken_apart(self._start(seeds)),
            tables,
            lambda number: _taken_apart(self._noise("video_step", "audio_step", number)),
            self._conditional.guidance_scale,
            self._announce,
            clamp=self._config.thresholding,
            deterministic=self._conditional.solver == "ddim",
        )
        return self._finished(_joined(last(states)), [len(tables)] * len(seeds))


def _taken_apart(x: Modalities) -> Modalities:
    """The place of the sound, where pictures have one, as a modality of its own: it is known when they are not."""
    video = x["video"]
    if video.shape[2] == N_COLOURS:
        return x
    return {"video": video[:, :, :N_COLOURS], "place": video[:, :, N_COLOURS:], "audio": x["audio"]}


def _joined(x: Modalities) -> Modalities:
    """Undoes `_taken_apart`."""
    if "place" not in x:
        return x
    return {"video": torch.cat((x["video"], x["place"]), dim=2), "audio": x["audio"]}
