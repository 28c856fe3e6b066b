import numpy as np
import torch

from savg_ray.training.draws import Draw, SampleOrder, batch_noise, draws_of


def test_every_epoch_shows_every_item_once_in_an_order_of_its_own():
    order = SampleOrder(7, seed=3)
    epochs = [[order.item(position) for position in range(7 * epoch, 7 * epoch + 7)] for epoch in range(4)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert [SampleOrder(7, seed=3).item(position) for position in (20, 0, 13)] == [
        epochs[2][6],
        epochs[0][0],
        epochs[1][6],
    ]
    assert [order.draw(position).epoch for position in (0, 6, 7, 27)] == [0, 0, 1, 3]


def test_other_seeds_give_other_orders():
    orders = {tuple(SampleOrder(9, seed).item(position) for position in range(9)) for seed in range(5)}
    assert len(orders) == 5


def test_noise_belongs_to_a_position_and_a_purpose():
    draws = [SampleOrder(4, 1).draw(position) for position in range(3)]
    together = batch_noise(draws, "noise", (2, 5), torch.device("cpu"))
    assert together.shape == (3, 2, 5) and together.dtype == torch.float32
    for position, draw in enumerate(draws):
        assert torch.equal(batch_noise([draw], "noise", (2, 5), torch.device("cpu"))[0], together[position])
    assert not torch.equal(batch_noise(draws, "other", (2, 5), torch.device("cpu")), together)
    assert abs(float(batch_noise(draws, "noise", (5000,), torch.device("cpu")).std()) - 1) < 0.02


def test_a_draw_travels_in_a_batch():
    draws = [Draw(2**40, 17, 3), Draw(5, 18, 3)]
    assert draws_of(torch.from_numpy(np.stack([draw.column() for draw in draws]))) == draws


def test_a_purpose_begins_anew_at_every_call():
    draw = Draw(0, 0, 0)
    assert draw.generator("crop").random() == draw.generator("crop").random() != draw.generator("t").random()
