from itertools import chain

import pytest
import torch

from savg_ray.sampling.parts import Parts


def rows_that_fit(limit):
    seen = []

    def work(part):
        n = part.stop - part.start
        if n > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        seen.append(n)
        return list(range(part.start, part.stop))

    return work, seen


def test_all_rows_are_done_in_order():
    work, seen = rows_that_fit(100)
    assert list(chain.from_iterable(Parts(4).run(work, 10))) == list(range(10))
    assert seen == [4, 4, 2]


def test_memory_that_runs_out_halves_the_parts_for_good_and_says_so():
    parts = Parts(8)
    work, seen = rows_that_fit(3)
    assert list(chain.from_iterable(parts.run(work, 9))) == list(range(9))
    assert seen == [2, 2, 2, 2, 1]
    assert "out of memory at 4 at a time, went on with 2" in parts.notes
    assert list(chain.from_iterable(parts.run(work, 2))) == [0, 1]
    assert seen[-1] == 2


def test_a_row_that_never_fits_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        Parts(2).run(rows_that_fit(0)[0], 2)


@pytest.mark.parametrize(("n_rows", "sizes"), [(3, [2, 1]), (8, [4, 4]), (11, [4, 4, 2, 1])])
def test_left_over_rows_may_go_in_powers_of_two(n_rows, sizes):
    work, seen = rows_that_fit(100)
    assert list(chain.from_iterable(Parts(4, few_sizes=True).run(work, n_rows))) == list(range(n_rows))
    assert seen == sizes
