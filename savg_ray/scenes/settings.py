"""What a folder of scenes is made with; a folder keeps to it for good."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from savg_ray.errors import UserError
from savg_ray.files import written_at_once

SCENES_VERSION = 2
"""Raise when the same settings give other recordings."""

SMALLEST_WIDTH_PX = 128
"""In smaller pictures people are a few pixels wide."""

SETTINGS_FILE = "scenes.json"
_OPTIONS = {"minutes": "--minutes", "seed": "--seed", "width_px": "--size"}


class SceneSettings(BaseModel):
    """Everything that decides what a recording is, besides its number.

    Attributes:
        seed: of rooms, people and sounds.
        minutes: length of each recording.
        width_px: of the pictures, twice their height.
        reflections: first reflections from walls, floor and ceiling.
        ambience: diffuse noise.
        version: of the code that makes them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(ge=0, lt=2**63)
    minutes: float = Field(ge=0.02, le=30)
    width_px: int = Field(ge=SMALLEST_WIDTH_PX, le=3840, multiple_of=4)
    reflections: bool
    ambience: bool
    version: int = SCENES_VERSION

    @property
    def duration_s(self) -> float:
        """Length of each recording in seconds, whole label frames."""
        return round(600 * self.minutes) / 10


def keep_settings(out: Path, settings: SceneSettings) -> None:
    """Note the settings in a folder, or check that they are those noted there.

    Raises:
        UserError: the folder holds recordings that were made otherwise, or not by us.
    """
    path = out / SETTINGS_FILE
    if not path.exists():
        if (out / "foa_dev").exists():
            raise UserError(f"{out} holds recordings that are not of make-scenes' making; name another folder.")
        with written_at_once(path) as part:
            part.write_text(settings.model_dump_json(indent=2) + "\n")
        return
    try:
        noted = SceneSettings.model_validate(json.loads(path.read_text()))
    except (OSError, ValueError, ValidationError) as error:
        raise UserError(f"{path} cannot be read; remove the folder {out}, or name another one.") from error
    if noted == settings:
        return
    name = next(name for name in type(settings).model_fields if getattr(noted, name) != getattr(settings, name))
    old, new = getattr(noted, name), getattr(settings, name)
    if isinstance(old, bool):
        option = f"--{name}" if old else f"--no-{name}"
        raise UserError(f"{out} was made with {option}; give it again, or name another folder.")
    if name in _OPTIONS:
        remedy = f"use {_OPTIONS[name]} {old}, or name another folder"
        raise UserError(f"{out} was made with {_OPTIONS[name]} {old}, not {new}; {remedy}.")
    raise UserError(f"{out} was made by another version of make-scenes ({old}, not {new}); name another folder.")
