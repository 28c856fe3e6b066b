import pytest
import torch

from savg_ray.networks import seld
from savg_ray.weights.fill import fill_deterministic
from tests.toys import check_manifest, golden_json, golden_npz


@pytest.fixture(scope="module")
def net():
    net = seld.SeldNet().eval()
    return fill_deterministic(net, seld.FILL_SALT, seld.FILL_GAIN, seld.fill_exceptions(net))


def some_features(n: int, frames: int, bins: int = seld.N_BINS) -> torch.Tensor:
    return torch.rand(n, 3, bins, frames, generator=torch.Generator().manual_seed(0))


def test_state_dict_is_the_official_one(net):
    check_manifest(net, golden_json("seld_manifest.json.gz"))


def test_fill_constants_are_the_golden_ones():
    golden = golden_npz("seld.npz")
    assert golden["salt"].item() == seld.FILL_SALT
    assert pytest.approx(golden["gain"].item()) == seld.FILL_GAIN
    assert golden["bias_sed"].tolist() == pytest.approx(seld.FILL_BIAS_SED)
    assert golden["bias_doa"].tolist() == pytest.approx(seld.FILL_BIAS_DOA)


@torch.inference_mode()
def test_a_step_lasts_four_frames_and_windows_do_not_touch(net):
    features = some_features(2, frames=32)
    logits, position = net(features)
    for output in (logits, position):
        assert output.shape == (2, 2, 32)
        steps = output.reshape(2, 2, 8, 4)
        assert torch.equal(steps, steps[..., :1].expand_as(steps))
        assert not torch.equal(steps[..., 0, 0], steps[..., 1, 0])
    torch.testing.assert_close(net(features[1:])[0], logits[1:], atol=1e-4, rtol=0)


@torch.inference_mode()
def test_position_branch_receives_the_updated_activity_branch(net):
    sed, doa = torch.full((1, 64, 1, 1), 2.0), torch.full((1, 64, 1, 1), 3.0)
    stitch = torch.tensor([[10.0, 1.0], [100.0, 1000.0]]).expand(64, 2, 2)
    new_sed, new_doa = seld._exchange(stitch, sed, doa)
    assert new_sed.unique().tolist() == [10 * 2 + 1 * 3]
    assert new_doa.unique().tolist() == [100 * 23 + 1000 * 3]


def test_gradients_reach_every_parameter():
    net = seld.SeldNet()
    logits, position = net(some_features(1, frames=8, bins=32))
    (logits.square().mean() + position.square().mean()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@torch.inference_mode()
def test_bfloat16_stays_close(net):
    features = some_features(1, frames=16)
    exact = net(features)[0].sigmoid()
    with torch.autocast("cpu", torch.bfloat16):
        rough = net(features)[0].float().sigmoid()
    assert (rough - exact).abs().max() < 0.1


@torch.inference_mode()
def test_mini_is_small_and_answers_in_the_same_form():
    torch.manual_seed(0)
    mini = seld.SeldNet(seld.SeldConfig.mini()).eval()
    assert 0.3e6 < sum(p.numel() for p in mini.parameters()) < 1.2e6
    assert list(mini.state_dict()) == list(seld.SeldNet().state_dict())
    for output in mini(some_features(2, frames=128)):
        assert output.shape == (2, 2, 128)
        assert torch.equal(output[:, :, ::4], output[:, :, 3::4])


@torch.inference_mode()
def test_mini_knows_no_jump_of_the_phase_and_takes_silence():
    torch.manual_seed(0)
    mini = seld.SeldNet(seld.SeldConfig.mini()).eval()
    features = torch.zeros(1, 3, seld.N_BINS, 8)
    turned = features.clone()
    turned[:, 2] = 2 * torch.pi
    for silent, after in zip(mini(features), mini(turned), strict=True):
        assert silent.isfinite().all()
        torch.testing.assert_close(silent, after, atol=1e-5, rtol=0)


@pytest.mark.gpu
@torch.inference_mode()
def test_gpu_agrees_with_cpu(net):
    features = some_features(1, frames=128)
    expected = net(features)
    found = seld.SeldNet().eval().cuda()
    found.load_state_dict(net.state_dict())
    for a, b in zip(found(features.cuda()), expected, strict=True):
        torch.testing.assert_close(a.cpu(), b, atol=2e-2, rtol=0)
