import pytest
import torch

from savg_ray.sampling.memory import CallMemory, GPUMemory

GIB = 2**30


def test_fixed_and_row_cost_are_told_apart():
    cost = CallMemory.from_peaks(of_one=5 * GIB, of_two=7 * GIB)
    assert cost == CallMemory(fixed_bytes=3 * GIB, row_bytes=2 * GIB)


@pytest.mark.parametrize(
    ("available", "rows"),
    [(0, 1), (4, 1), (5, 1), (6.9, 1), (7, 2), (10.9, 2), (11, 4), (19, 8), (34.9, 8), (35, 16), (1000, 16)],
)
def test_as_many_rows_as_fit_rounded_down_to_a_power_of_two(available, rows):
    assert CallMemory(3 * GIB, 2 * GIB).rows_that_fit(int(available * GIB), most=16) == rows


def test_a_ceiling_between_two_powers_of_two_is_rounded_down_too():
    assert CallMemory(0, GIB).rows_that_fit(1000 * GIB, most=12) == 8


def test_peaks_that_tell_nothing_apart_are_taken_for_the_rows_cost():
    assert CallMemory.from_peaks(of_one=6, of_two=6) == CallMemory(fixed_bytes=0, row_bytes=3)
    assert CallMemory.from_peaks(of_one=8, of_two=6) == CallMemory(fixed_bytes=0, row_bytes=3)
    assert CallMemory.from_peaks(of_one=0, of_two=0).rows_that_fit(100, most=4) == 4


def test_more_than_twice_as_much_for_two_is_not_made_up_for_by_a_negative_fixed_cost():
    assert CallMemory.from_peaks(of_one=2, of_two=6) == CallMemory(fixed_bytes=0, row_bytes=4)


class Card:
    """What torch.cuda would say of a GPU of 80 GiB."""

    def __init__(self, free, allocated, reserved):
        self.free, self.allocated, self.reserved, self.peak = free, allocated, reserved, 70 * GIB

    def put_in_place(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (self.free, 80 * GIB))
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: self.allocated)
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: self.reserved)
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: self.peak)
        monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: self.reset())

    def reset(self):
        self.peak = self.allocated


@pytest.mark.parametrize(
    ("free", "share", "available"),
    [
        (70, 1.0, 73),  # what is free, and 3 that are held unused
        (70, 0.25, 18),  # a quarter of 80, less the 2 that are taken
        (10, 0.75, 13),  # others have taken more than their share
        (70, 0.02, 0),  # more is taken than the share allows
    ],
)
def test_a_worker_takes_no_more_than_its_share_and_no_more_than_there_is(monkeypatch, free, share, available):
    Card(free * GIB, allocated=2 * GIB, reserved=5 * GIB).put_in_place(monkeypatch)
    assert GPUMemory(torch.device("cuda"), share).available_bytes() == available * GIB


def test_the_peak_of_a_call_is_what_it_took_besides_what_was_taken(monkeypatch):
    card = Card(60 * GIB, allocated=2 * GIB, reserved=5 * GIB)
    card.put_in_place(monkeypatch)

    def call():
        card.peak = 9 * GIB
        return "done"

    assert GPUMemory(torch.device("cuda"), 1.0).peak_of(call) == ("done", 7 * GIB)
