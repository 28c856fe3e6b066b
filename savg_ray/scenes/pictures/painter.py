"""Paint a scene: 360 degree pictures of a room with people, and the boxes that people fill in them."""

from dataclasses import dataclass

import numpy as np

from savg_ray.scenes.pictures.body import body_at
from savg_ray.scenes.pictures.cast import Cast, cast_at
from savg_ray.scenes.pictures.cover import body_spheres
from savg_ray.scenes.pictures.equirect import check_size, pixel_rays
from savg_ray.scenes.pictures.floor_shadow import floor_shadows, shade_floor
from savg_ray.scenes.pictures.light import room_light
from savg_ray.scenes.pictures.raster import NOBODY, find_nearest, paint_solids, put_back, shown_bounds
from savg_ray.scenes.pictures.room_picture import paint_room
from savg_ray.scenes.script import Scene

_SMALLEST_BOX_PX = 5


@dataclass(frozen=True)
class PersonBox:
    """The pixels that show a person: column c spans c to c + 1, so x1 - x0 is the width.

    Attributes:
        person: index into `Scene.people`.
        x0_px, x1_px: left and right edge; x0 lies in the picture, x1 beyond it where the box crosses the seam.
        y0_px, y1_px: upper and lower edge.
    """

    person: int
    x0_px: float
    y0_px: float
    x1_px: float
    y1_px: float


class ScenePainter:
    """Paints one scene; the room is painted once, people anew for every picture.

    Args:
        scene: what to paint.
        width_px, height_px: even, 2:1.

    Raises:
        UserError: for another shape of picture.
    """

    def __init__(self, scene: Scene, width_px: int, height_px: int) -> None:
        check_size(width_px, height_px)
        self._scene = scene
        self._width_px, self._height_px = width_px, height_px
        self._rays = pixel_rays(width_px, height_px)
        self._fine_rays = pixel_rays(2 * width_px, 2 * height_px)
        self._room = paint_room(scene.room, width_px, height_px)
        self._light = room_light(scene.room)
        # Between calls these hold the room alone; a call puts people in and takes them out again.
        self._depth = self._room.depth.copy()
        self._number = np.full((height_px, width_px), NOBODY, np.int16)

    def paint(self, time_s: float) -> np.ndarray:
        """The picture at a time: uint8 (H, W, 3), RGB, an array of its own."""
        cast = cast_at(self._scene, time_s, self._width_px, self._height_px)
        floor = self._room.picture.copy()
        for body in cast.bodies:
            shade_floor(floor, floor_shadows(body, self._light), self._rays, self._room.depth, self._light)
        picture = floor.copy()
        find_nearest(cast.parts, cast.bounds, self._rays, self._depth, self._number)
        for area in cast.areas:
            paint_solids(
                picture,
                floor,
                cast.parts,
                cast.bounds,
                area,
                self._rays,
                self._fine_rays,
                self._depth,
                self._number,
                self._room.fine_depth,
                self._light,
            )
        self._clear(cast)
        return picture

    def boxes(self, time_s: float) -> list[PersonBox]:
        """The boxes of the people who can be seen at a time, in the order of the script.

        A box holds a person's body, hair and clothes as far as nothing nearer hides them, but not the instrument.
        Boxes of less than 5 pixels in width or height are left out.
        """
        cast = cast_at(self._scene, time_s, self._width_px, self._height_px)
        find_nearest(cast.parts, cast.bounds, self._rays, self._depth, self._number)
        boxes = [self._box(cast, person) for person in range(len(cast.bodies))]
        self._clear(cast)
        return [box for box in boxes if box is not None]

    def body_points(self, person: int, time_s: float) -> np.ndarray:
        """Spheres that cover a person's body, hair and clothes: float64 (192, 4) of x, y, z, radius in metres."""
        body = body_at(self._scene, person, time_s)
        return body_spheres(body.parts[: body.n_own])

    def _box(self, cast: Cast, person: int) -> PersonBox | None:
        top, bottom, left, right = shown_bounds(self._number, cast.owner, person, cast.areas[person])
        if min(bottom - top, right - left) + 1 < _SMALLEST_BOX_PX:
            return None
        first = left % self._width_px
        return PersonBox(person, float(first), float(top), float(first + right - left + 1), float(bottom + 1))

    def _clear(self, cast: Cast) -> None:
        """Take the people out of depth and number."""
        for area in cast.areas:
            put_back(self._depth, self._number, self._room.depth, area)
