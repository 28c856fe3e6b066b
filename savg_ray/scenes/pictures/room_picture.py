"""The room without people: its picture, and how far everything in it is; painted once."""

from typing import NamedTuple

import numpy as np

from savg_ray.scenes.pictures.compiled import compiled
from savg_ray.scenes.pictures.equirect import PixelRays, pixel_bounds, pixel_rays
from savg_ray.scenes.pictures.furniture_parts import furniture_parts
from savg_ray.scenes.pictures.light import Light, brightness, room_light
from savg_ray.scenes.pictures.parts import GLOW, SKY, bounding_spheres
from savg_ray.scenes.pictures.raster import NOBODY, find_nearest
from savg_ray.scenes.pictures.raycast import local_point, normal_at
from savg_ray.scenes.pictures.room_surfaces import (
    BACK,
    CEILING,
    FLOOR,
    FRONT,
    LEFT,
    RIGHT,
    Surfaces,
    floor_colour,
    room_surfaces,
    wall_colour,
)
from savg_ray.scenes.pictures.solid_colours import solid_colour
from savg_ray.scenes.script import Furniture, Room

_LAMP_HALF_M = (0.45, 0.15)
_CORNER_SHADE, _CORNER_M = 0.30, 0.28
_FURNITURE_SHADE, _FURNITURE_M = 0.52, 0.16
_FLAT = ("picture", "window", "door", "rug")


class RoomPicture(NamedTuple):
    """A painted room.

    Attributes:
        picture: uint8 (H, W, 3).
        depth: float32 (H, W), metres from the camera along each pixel's direction.
        fine_depth: float32 (2H, 2W), the same for each quarter of a pixel.
    """

    picture: np.ndarray
    depth: np.ndarray
    fine_depth: np.ndarray


class _Box(NamedTuple):
    """The room's walls, floor and ceiling: where each is along its axis, in metres from the camera."""

    front_m: float
    back_m: float
    left_m: float
    right_m: float
    floor_m: float
    ceiling_m: float


def paint_room(room: Room, width_px: int, height_px: int) -> RoomPicture:
    """Paint a room with 2 x 2 rays a pixel."""
    box = _Box(
        room.front_m, -room.back_m, room.left_m, -room.right_m, -room.eye_height_m, room.height_m - room.eye_height_m
    )
    parts = furniture_parts(room)
    spheres = bounding_spheres(parts)
    fine_rays = pixel_rays(2 * width_px, 2 * height_px)
    fine_depth, fine_number = _nearest(box, parts, pixel_bounds(spheres, 2 * width_px, 2 * height_px), fine_rays)
    rays = pixel_rays(width_px, height_px)
    depth, _ = _nearest(box, parts, pixel_bounds(spheres, width_px, height_px), rays)
    picture = np.zeros((height_px, width_px, 3), np.uint8)
    shades = _shading_boxes(room)
    surfaces, light = room_surfaces(room.palette), room_light(room)
    _paint(picture, box, parts, fine_rays, fine_depth, fine_number, surfaces, shades, light)
    return RoomPicture(picture, depth, fine_depth)


def _nearest(box: _Box, parts: np.ndarray, bounds: np.ndarray, rays: PixelRays) -> tuple[np.ndarray, np.ndarray]:
    depth = np.empty((len(rays.cos_row), len(rays.cos_column)), np.float32)
    number = np.full(depth.shape, NOBODY, np.int16)
    _wall_depth(box, rays, depth)
    find_nearest(parts, bounds, rays, depth, number)
    return depth, number


def _shading_boxes(room: Room) -> np.ndarray:
    """Furniture that darkens what is near: float64 (N, 8) of centre, cosine and sine of its yaw, half sizes."""
    return np.array([_shading_box(piece, room) for piece in room.furniture if piece.kind not in _FLAT]).reshape(-1, 8)


def _shading_box(piece: Furniture, room: Room) -> tuple[float, ...]:
    yaw = np.deg2rad(piece.yaw_deg)
    middle_m = piece.bottom_m + piece.height_m / 2 - room.eye_height_m
    halves = piece.depth_m / 2, piece.width_m / 2, piece.height_m / 2
    return piece.x_m, piece.y_m, middle_m, float(np.cos(yaw)), float(np.sin(yaw)), *halves


@compiled
def _wall(box: _Box, dx: float, dy: float, dz: float) -> tuple[float, int]:
    """Distance to the room's shell in a direction, and which side it is."""
    best, side = np.inf, FRONT
    if dx != 0:
        t = (box.front_m if dx > 0 else box.back_m) / dx
        if t < best:
            best, side = t, FRONT if dx > 0 else BACK
    if dy != 0:
        t = (box.left_m if dy > 0 else box.right_m) / dy
        if t < best:
            best, side = t, LEFT if dy > 0 else RIGHT
    if dz != 0:
        t = (box.ceiling_m if dz > 0 else box.floor_m) / dz
        if t < best:
            best, side = t, CEILING if dz > 0 else FLOOR
    return best, side


@compiled
def _wall_depth(box: _Box, rays: PixelRays, depth: np.ndarray) -> None:
    for row in range(depth.shape[0]):
        level, dz = rays.cos_row[row], rays.sin_row[row]
        for column in range(depth.shape[1]):
            depth[row, column] = _wall(box, level * rays.cos_column[column], level * rays.sin_column[column], dz)[0]


@compiled
def _paint(
    picture: np.ndarray,
    box: _Box,
    parts: np.ndarray,
    fine_rays: PixelRays,
    fine_depth: np.ndarray,
    fine_number: np.ndarray,
    surfaces: Surfaces,
    shades: np.ndarray,
    light: Light,
) -> None:
    pixel_rad = 2 * np.pi / (2 * picture.shape[1])
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            red, green, blue = 0.0, 0.0, 0.0
            for quarter in range(4):
                fine_row, fine_column = 2 * row + quarter // 2, 2 * column + quarter % 2
                level, dz = fine_rays.cos_row[fine_row], fine_rays.sin_row[fine_row]
                dx, dy = level * fine_rays.cos_column[fine_column], level * fine_rays.sin_column[fine_column]
                t = np.float64(fine_depth[fine_row, fine_column])
                index = fine_number[fine_row, fine_column]
                if index >= 0:
                    r, g, b = _furniture(parts[index], t * dx, t * dy, t * dz, t * pixel_rad, box, light)
                else:
                    r, g, b = _shell(box, dx, dy, dz, pixel_rad, surfaces, shades, light)
                red, green, blue = red + min(r, 1.0), green + min(g, 1.0), blue + min(b, 1.0)
            picture[row, column, 0] = np.uint8(np.sqrt(red / 4) * 255 + 0.5)
            picture[row, column, 1] = np.uint8(np.sqrt(green / 4) * 255 + 0.5)
            picture[row, column, 2] = np.uint8(np.sqrt(blue / 4) * 255 + 0.5)


@compiled
def _furniture(
    part: np.record, x: float, y: float, z: float, pixel_m: float, box: _Box, light: Light
) -> tuple[float, float, float]:
    px, py, pz = local_point(part.matrix, part.eye, x, y, z)
    r, g, b = solid_colour(part, x, y, z, px, py, pz, pixel_m)
    if part.pattern == SKY or part.pattern == GLOW:
        return r, g, b
    nx, ny, nz = normal_at(part, px, py, pz)
    bright = brightness(x, y, z, nx, ny, nz, light)
    bright *= 1 - 0.35 * np.exp(-(z - box.floor_m) / 0.20) * (1 - max(nz, 0.0))
    return r * bright, g * bright, b * bright


@compiled
def _shell(
    box: _Box,
    dx: float,
    dy: float,
    dz: float,
    pixel_rad: float,
    surfaces: Surfaces,
    shades: np.ndarray,
    light: Light,
) -> tuple[float, float, float]:
    t, side = _wall(box, dx, dy, dz)
    x, y, z = t * dx, t * dy, t * dz
    if side == CEILING:
        inside = abs(x - light.x_m) < _LAMP_HALF_M[0] and abs(y - light.y_m) < _LAMP_HALF_M[1]
        if inside:
            return 1.0, 1.0, 0.97
        r, g, b = 0.80, 0.80, 0.79
        bright = brightness(x, y, z, 0.0, 0.0, -1.0, light)
        beside = np.hypot(
            max(abs(x - light.x_m) - _LAMP_HALF_M[0], 0.0), max(abs(y - light.y_m) - _LAMP_HALF_M[1], 0.0)
        )
        bright = 0.55 * bright + 0.42 + 0.25 * np.exp(-beside / 0.5)
    elif side == FLOOR:
        # A grazing look stretches a pixel over more of the floor; halfway between both stretches looks best.
        r, g, b = floor_colour(surfaces, x, y, t * pixel_rad / np.sqrt(max(abs(dz), 0.05)))
        bright = brightness(x, y, z, 0.0, 0.0, 1.0, light)
    elif side <= BACK:
        r, g, b = wall_colour(surfaces, side, y, z - box.floor_m, t * pixel_rad)
        bright = brightness(x, y, z, -np.sign(dx), 0.0, 0.0, light)
    else:
        r, g, b = wall_colour(surfaces, side, x, z - box.floor_m, t * pixel_rad)
        bright = brightness(x, y, z, 0.0, -np.sign(dy), 0.0, light)
    bright *= _corner_light(box, x, y, z) * _light_past_furniture(shades, x, y, z)
    return r * bright, g * bright, b * bright


@compiled
def _corner_light(box: _Box, x: float, y: float, z: float) -> float:
    """Less light the nearer two more of the room's sides are."""
    along_x = min(box.front_m - x, x - box.back_m)
    along_y = min(box.left_m - y, y - box.right_m)
    along_z = min(box.ceiling_m - z, z - box.floor_m)
    nearest = min(along_x, along_y, along_z)
    light = 1.0
    for gap in (along_x, along_y, along_z):
        light *= 1 - _CORNER_SHADE * np.exp(-gap / _CORNER_M)
    return light / (1 - _CORNER_SHADE * np.exp(-nearest / _CORNER_M))


@compiled
def _light_past_furniture(shades: np.ndarray, x: float, y: float, z: float) -> float:
    light = 1.0
    for index in range(len(shades)):
        away_x, away_y = x - shades[index, 0], y - shades[index, 1]
        cosine, sine = shades[index, 3], shades[index, 4]
        out_x = max(abs(cosine * away_x + sine * away_y) - shades[index, 5], 0.0)
        out_y = max(abs(cosine * away_y - sine * away_x) - shades[index, 6], 0.0)
        out_z = max(abs(z - shades[index, 2]) - shades[index, 7], 0.0)
        gap = np.sqrt(out_x * out_x + out_y * out_y + out_z * out_z)
        light *= 1 - _FURNITURE_SHADE * np.exp(-gap / _FURNITURE_M)
    return light
