"""What the recordings are called, and which room and part of STARSS23 each belongs to."""

from dataclasses import dataclass

ROOMS = {
    "dev-train-sony": (21, 22),
    "dev-train-tau": (4, 6, 7, 9, 12, 13, 14),
    "dev-test-sony": (23, 24),
    "dev-test-tau": (2, 8, 10, 15, 16),
}
"""Rooms of each part, as in STARSS23: no room is in two."""

_DEAL = ("dev-train-sony", "dev-test-sony", "dev-train-tau", "dev-train-tau", "dev-test-tau", "dev-train-sony")
"""Recordings are dealt to the parts in this order, again and again: two of three train, and the second one tests."""


@dataclass(frozen=True)
class RecordingName:
    """Where a recording belongs.

    Attributes:
        part: the folder, such as ``dev-train-sony``.
        room: number of the room.
        mix: counts the recordings of a room, from 1.
    """

    part: str
    room: int
    mix: int

    @property
    def stem(self) -> str:
        """Name of its files, such as ``fold3_room21_mix001``: fold 3 trains, fold 4 tests."""
        fold = 3 if "train" in self.part else 4
        return f"fold{fold}_room{self.room}_mix{self.mix:03d}"


def recording_name(recording: int) -> RecordingName:
    """The name of a recording, counted from 0; it does not depend on how many there are."""
    rounds, place = divmod(recording, len(_DEAL))
    part = _DEAL[place]
    # How many recordings of this part came before.
    earlier = rounds * _DEAL.count(part) + _DEAL[:place].count(part)
    visit, room = divmod(earlier, len(ROOMS[part]))
    return RecordingName(part, ROOMS[part][room], visit + 1)
