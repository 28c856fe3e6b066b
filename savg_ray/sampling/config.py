"""What a sampling run may be told; ``configs/sampling/`` holds its presets."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from savg_ray.config import Pool
from savg_ray.diffusion.noise_schedule import TOTAL_STEPS
from savg_ray.diffusion.respacing import respaced_timesteps
from savg_ray.errors import UserError
from savg_ray.media.writer import AudioCodec
from savg_ray.networks.unet_config import MMUNetConfig, SRUNetConfig
from savg_ray.presets import CONFIGS, load_preset
from savg_ray.weights.choose import WeightsMode

PRESETS = CONFIGS / "sampling"

StageName = Literal["given", "base", "super_resolution", "generate", "write"]
Precision = Literal["auto", "float32", "bfloat16"]
Network = Literal["official"] | dict[str, Any]
Predicts = Literal["noise", "clean"]
SoundForm = Literal["left_right", "placed"]
Wanted = Literal["sound", "pictures"]


# Keys of the official network, and ours that take their place: the clips need them too.
_SIZES = {"video_size": "n_frames, height_px and width_px", "audio_size": "n_samples"}
# Keys that do not decide what a clip looks and sounds like.
_SPREAD = {
    **dict.fromkeys(("preset", "evaluation", "weights", "pools", "clips_per_batch", "conditional"), True),
    **{section: {"cuda_graphs"} for section in ("base", "super_resolution")},
}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Arithmetic(_Section):
    """How a network computes.

    Attributes:
        precision: of matrix products and convolutions.
        compile: the network's blocks, at their first call with new shapes (`savg_ray.networks.compiled_blocks`).
        cuda_graphs: repeat calls from recordings (`savg_ray.networks.recorded_calls`), on GPUs.
    """

    precision: Precision = "auto"
    compile: bool = False
    cuda_graphs: bool = False

    @property
    def few_sizes(self) -> bool:
        """Whether every new size of a batch costs something."""
        return self.compile or self.cuda_graphs

    @property
    def plain_share(self) -> float:
        """Of a worker's memory, what calls may take: a recording keeps as much beside that."""
        return 0.5 if self.cuda_graphs else 1.0


class BaseModelConfig(_Section):
    """What the base diffusion is a model of; training and sampling must agree on it.

    Attributes:
        pad_to_px: height of the pictures with black rows above and below, which the network never sees; None for
            none.
        predicts: what the network's output means: the noise, as officially, or the clean clip.
        sound_form: left and right, as officially, or one sound, and the place where it comes from as a fourth colour
            of the pictures (`savg_ray.spatial.place_map`): bright where a person is, which a small network sees at
            once, while a level that differs between two channels tells it nothing about any pixel.
        sound_gain: the sound is made so many times as loud for the diffusion, whose noise would otherwise drown it.
        place_gain: the fourth colour is made so many times as strong. A faint one stays under the noise until the
            pictures have taken shape, so that the network reads it from them.
    """

    network: Network
    n_frames: int = Field(ge=1)
    height_px: int = Field(ge=8)
    width_px: int = Field(ge=8)
    pad_to_px: int | None = Field(default=None, ge=8)
    fps: float = Field(gt=0)
    n_samples: int = Field(ge=1)
    rate_hz: int = Field(ge=1)
    predicts: Predicts = "noise"
    sound_form: SoundForm = "left_right"
    sound_gain: float = Field(default=1.0, gt=0)
    place_gain: float = Field(default=1.0, gt=0)

    @property
    def picture_height_px(self) -> int:
        """Of the pictures with their black rows."""
        return self.pad_to_px or self.height_px

    @property
    def first_row(self) -> int:
        """The row of the picture with its black rows at which the network's begin."""
        return (self.picture_height_px - self.height_px) // 2

    @property
    def n_colours(self) -> int:
        """Channels of the diffusion's pictures."""
        return 3 if self.sound_form == "left_right" else 4

    @property
    def n_channels(self) -> int:
        """Channels of the diffusion's sound."""
        return 2 if self.sound_form == "left_right" else 1

    @property
    def shape(self) -> MMUNetConfig:
        """The network.

        Raises:
            UserError: a key that it does not know.
        """
        own = {} if self.network == "official" else self.network
        sizes = {
            "video_size": (self.n_frames, self.n_colours, self.height_px, self.width_px),
            "audio_size": (self.n_channels, self.n_samples),
        }
        return MMUNetConfig.from_dict({**own, **sizes})

    @model_validator(mode="after")
    def _sizes_stand_beside_the_network(self) -> "BaseModelConfig":
        for key, instead in _SIZES.items():
            if self.network != "official" and key in self.network:
                raise ValueError(
                    f"network.{key} says what {instead} beside network say; set those and leave network.{key} out"
                )
        return self

    @model_validator(mode="after")
    def _only_a_place_has_its_gain(self) -> "BaseModelConfig":
        if self.place_gain != 1 and self.sound_form != "placed":
            raise ValueError("place_gain is for sound_form placed; leave it out, or choose that form")
        return self

    @model_validator(mode="after")
    def _black_rows_on_both_sides(self) -> "BaseModelConfig":
        n_rows = self.picture_height_px - self.height_px
        if n_rows < 0 or n_rows % 2:
            raise ValueError(
                f"pad_to_px {self.pad_to_px} does not add as many rows above as below to height_px {self.height_px}"
            )
        return self


class BaseConfig(BaseModelConfig, Arithmetic):
    """The base diffusion: small pictures and stereo sound, together."""

    solver: Literal["adaptive", "multistep", "singlestep"]
    steps: int | None = Field(default=None, ge=1)
    thresholding: bool = True
    per_clip: bool = True

    @model_validator(mode="after")
    def _steps_belong_to_the_solvers_that_count_them(self) -> "BaseConfig":
        if (self.steps is None) != (self.solver == "adaptive"):
            raise ValueError("steps is for every solver but adaptive, which finds its own")
        if not self.per_clip and self.solver != "adaptive":
            raise ValueError("per_clip: false is for solver adaptive, whose official form steps a batch as one")
        return self


class SuperResolutionModelConfig(_Section):
    """What the upsampler, every frame four times as large, is a model of; training and sampling must agree on it.

    Attributes:
        predicts: as in `BaseModelConfig`.
        total_steps: of the diffusion.
        rows: all of a picture's, or those that a 16:9 picture fills.
    """

    network: Network
    predicts: Predicts = "noise"
    total_steps: int = Field(ge=1)
    rows: Literal["all", "content"] = "all"

    @property
    def shape(self) -> SRUNetConfig:
        """The network.

        Raises:
            UserError: a key that it does not know.
        """
        return SRUNetConfig.from_dict({} if self.network == "official" else self.network)


class SuperResolutionConfig(SuperResolutionModelConfig, Arithmetic):
    """The upsampler as sampling uses it."""

    respacing: str


class ConditionalConfig(_Section):
    """How one half of a clip, sound or pictures, is made for the other.

    Attributes:
        solver: DDPM, as officially, whose every step brings new noise, or DDIM, whose steps bring none.
        respacing: which of the 1000 steps are taken (`respaced_timesteps`); all where it is empty.
        guidance_scale: of the gradient that brings the network's own version of what is given closer to it; 0 for
            replacement alone. The official example is 3.0.
        antialias: average over what a small pixel covers when given pictures are made small; as in training.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    solver: Literal["ddpm", "ddim"]
    respacing: str
    guidance_scale: float = Field(ge=0)
    antialias: bool

    @model_validator(mode="after")
    def _steps_can_be_taken(self) -> "ConditionalConfig":
        try:
            respaced_timesteps(TOTAL_STEPS, self.respacing)
        except UserError as error:
            raise ValueError(str(error)) from error
        return self


class SamplingConfig(_Section):
    """Everything that decides what a clip looks and sounds like; ``configs/sampling/*.yaml`` says what keys mean."""

    preset: str
    evaluation: str
    weights: WeightsMode
    base: BaseConfig
    super_resolution: SuperResolutionConfig | None
    conditional: ConditionalConfig
    audio_codec: AudioCodec
    clips_per_batch: int | None = Field(default=None, ge=1)
    pools: dict[StageName, Pool] | None = None

    @property
    def content(self) -> dict[str, Any]:
        """The keys that decide a clip's content, as plain data; how the work is spread is not among them."""
        content = self.model_dump(mode="json", exclude=_SPREAD)
        # The official solver steps a whole batch as one, so that batch mates count.
        return content if self.base.per_clip else {**content, "clips_per_batch": self.clips_per_batch}

    def conditional_content(self, wanted: Wanted) -> dict[str, Any]:
        """The same for clips of which ``wanted`` is made for what is given; their steps are not the solver's."""
        content = self.content
        base = {key: value for key, value in content["base"].items() if key not in ("solver", "steps")}
        conditional = {"wanted": wanted, **self.conditional.model_dump(mode="json")}
        return {**content, "base": base, "conditional": conditional}

    @model_validator(mode="after")
    def _whole_batches_have_a_size(self) -> "SamplingConfig":
        if not self.base.per_clip and self.clips_per_batch is None:
            raise ValueError("base.per_clip: false needs clips_per_batch, the size of the batches it steps as one")
        return self


def load_sampling_config(preset: str, overrides: Path | None = None) -> SamplingConfig:
    """A preset of sampling, with the keys of a YAML file laid over it.

    Raises:
        UserError: unknown preset, missing or malformed file, unknown key or a value out of range.
    """
    return load_preset(SamplingConfig, PRESETS, preset, overrides)
