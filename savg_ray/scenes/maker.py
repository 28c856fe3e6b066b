"""One recording after another, from the settings of a folder."""

from collections.abc import Callable
from pathlib import Path

from savg_ray.errors import ClipError
from savg_ray.files import disk_is_full
from savg_ray.scenes.compose import compose_scene
from savg_ray.scenes.pictures.painter import ScenePainter
from savg_ray.scenes.recording import DISK_FULL, recording_files, write_recording
from savg_ray.scenes.script import Scene
from savg_ray.scenes.settings import SceneSettings
from savg_ray.scenes.truth import Painter

PainterOf = Callable[[Scene, int, int], Painter]
"""(scene, width, height) to what draws it."""


def make_recording(out: Path, settings: SceneSettings, recording: int, painter_of: PainterOf = ScenePainter) -> None:
    """Write all files of one recording; its bytes depend on the settings and its number alone.

    Raises:
        ClipError: ``disk_full``, or ``failed`` when it cannot be made or written.
    """
    files = recording_files(out, recording)
    try:
        scene = compose_scene(
            settings.seed,
            recording,
            settings.duration_s,
            reflections=settings.reflections,
            ambience=settings.ambience,
        )
        painter = painter_of(scene, settings.width_px, settings.width_px // 2)
        write_recording(files, scene, painter, settings.width_px)
    except OSError as error:
        if disk_is_full(error):
            message = f"The disk of {out} is full; free space, and the same command goes on from there."
            raise ClipError(DISK_FULL, message) from error
        raise ClipError("failed", f"{files.video.stem} cannot be written ({error}).") from error
    except Exception as error:
        # One recording that cannot be made costs no other one.
        raise ClipError("failed", f"{files.video.stem} cannot be made ({type(error).__name__}: {error}).") from error
