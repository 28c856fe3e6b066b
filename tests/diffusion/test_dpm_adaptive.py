import numpy as np
import pytest
import torch

from savg_ray.diffusion import dpm_solver_adaptive
from savg_ray.diffusion.dpm_adaptive import MAX_ATTEMPTS
from savg_ray.errors import ClipError
from tests.diffusion.goldens import MixtureDenoiser, RowwiseDenoiser, assert_close, golden, modalities

OFFICIAL = [("dpm_adaptive_a", True), ("dpm_adaptive_b", True), ("dpm_adaptive_nothr", False)]


def rows(x: dict[str, torch.Tensor], indices: list[int]) -> dict[str, torch.Tensor]:
    return {name: tensor[indices] for name, tensor in x.items()}


def assert_attempts(trace, arrays, prefix=""):
    attempts = trace.attempts
    assert [attempt.accepted for attempt in attempts] == arrays[f"{prefix}attempt_accepted"].tolist()
    np.testing.assert_allclose([a.from_time for a in attempts], arrays[f"{prefix}attempt_s"], atol=1e-5)
    np.testing.assert_allclose([a.to_time for a in attempts], arrays[f"{prefix}attempt_t"], atol=1e-5)
    np.testing.assert_allclose([a.error for a in attempts], arrays[f"{prefix}attempt_E"], rtol=2e-3)


@pytest.mark.parametrize(("name", "thresholding"), OFFICIAL)
def test_the_official_controller(name, thresholding):
    arrays = golden(name)
    solution = dpm_solver_adaptive(MixtureDenoiser(arrays), modalities(arrays, "xT_"), thresholding=thresholding)
    assert solution.nfe == int(arrays["nfe"])
    assert solution.labels == arrays["model_t"].tolist()
    assert_attempts(solution.traces[0], arrays)
    np.testing.assert_allclose(solution.accepted_t, arrays["attempt_t"][arrays["attempt_accepted"]], atol=1e-5)
    assert_close(solution.sample, arrays, "out_", 1e-4)


@pytest.mark.parametrize("row", [0, 1])
def test_the_official_controller_on_one_sample(row):
    arrays = golden("dpm_adaptive_a")
    solution = dpm_solver_adaptive(MixtureDenoiser(arrays), rows(modalities(arrays, "xT_"), [row]))
    assert solution.labels == arrays[f"single{row}_model_t"].tolist()
    assert_attempts(solution.traces[0], arrays, f"single{row}_")
    assert_close(solution.sample, arrays, f"single{row}_out_", 1e-4)


def test_each_sample_goes_the_way_it_goes_alone():
    arrays = golden("dpm_adaptive_a")
    solution = dpm_solver_adaptive(MixtureDenoiser(arrays), modalities(arrays, "xT_"), per_sample=True)
    for row, trace in enumerate(solution.traces):
        prefix = f"single{row}_"
        assert_attempts(trace, arrays, prefix)
        assert_close(rows(solution.sample, [row]), arrays, f"{prefix}out_", 1e-4)
        accepted, official = arrays[f"{prefix}attempt_accepted"], arrays[f"{prefix}model_t"].tolist()
        # The second try at a time does not ask about that time again.
        asked_again = [2 * i for i in range(1, len(accepted)) if not accepted[i - 1]]
        assert trace.labels == [label for i, label in enumerate(official) if i not in asked_again]
        assert trace.nfe == int(arrays[f"{prefix}nfe"]) - int((~accepted).sum())
    assert solution.nfe == max(trace.nfe for trace in solution.traces)
    assert solution.labels == [trace.labels for trace in solution.traces]
    assert [times[-1] for times in solution.accepted_t] == pytest.approx([0.001, 0.001])


@pytest.mark.parametrize("thresholding", [True, False])
def test_no_bit_of_a_sample_depends_on_batch_mates(thresholding):
    arrays = golden("dpm_adaptive_b")
    generator = torch.Generator().manual_seed(5)
    x_T = {
        name: torch.randn(5, *tensor.shape[1:], generator=generator)
        for name, tensor in modalities(arrays, "xT_").items()
    }

    def solve(indices):
        return dpm_solver_adaptive(
            RowwiseDenoiser(arrays), rows(x_T, indices), thresholding=thresholding, per_sample=True
        )

    together = solve([0, 1, 2, 3, 4])
    assert len({trace.nfe for trace in together.traces}) > 1
    for indices in ([3, 0, 4, 2, 1], [2, 4], [0], [3]):
        solution = solve(indices)
        for name, tensor in solution.sample.items():
            assert torch.equal(tensor, together.sample[name][indices])
        assert solution.traces == [together.traces[i] for i in indices]


def test_samples_share_calls_and_the_model_is_told_whose_they_are():
    arrays = golden("dpm_adaptive_b")
    x_T = modalities(arrays, "xT_")
    model, told = RowwiseDenoiser(arrays), []
    seen = []

    def watched(x, labels):
        seen.append((len(x["video"]), labels.tolist()))
        return model(x, labels)

    solution = dpm_solver_adaptive(
        watched, x_T, per_sample=True, announce=lambda rows, calls: told.append((list(rows), list(calls)))
    )
    assert len(seen) == len(told) == solution.nfe < sum(trace.nfe for trace in solution.traces)
    asked = {row: [] for row in range(3)}
    for (n_rows, labels), (rows_told, calls) in zip(seen, told, strict=True):
        assert n_rows == len(rows_told) == len(calls)
        for row, call, label in zip(rows_told, calls, labels, strict=True):
            assert call == len(asked[row])
            asked[row].append(label)
    assert [asked[row] for row in range(3)] == solution.labels
    # A row that is done leaves: the last call is not for all.
    assert len(told[0][0]) == 3 > len(told[-1][0])


def test_shifts_drawn_by_row_and_call_keep_samples_independent():
    """A network that is random in each call, as the official one, serves clips alike when told whose call it is."""
    arrays = golden("dpm_adaptive_b")
    denoiser, x_T = RowwiseDenoiser(arrays), modalities(arrays, "xT_")

    def solve(indices):
        current = []

        def announce(rows, calls):
            current[:] = [(indices[row], call) for row, call in zip(rows, calls, strict=True)]

        def model(x, labels):
            shifts = [np.random.default_rng(pair).uniform(-0.02, 0.02) for pair in current]
            noise = denoiser(x, labels)
            return {k: torch.stack([v + s for v, s in zip(n, shifts, strict=True)]) for k, n in noise.items()}

        return dpm_solver_adaptive(model, rows(x_T, indices), per_sample=True, announce=announce).sample

    together, shuffled = solve([0, 1, 2]), solve([2, 0])
    assert all(torch.equal(shuffled[name], together[name][[2, 0]]) for name in together)


@pytest.mark.parametrize("per_sample", [True, False])
def test_the_solver_stays_in_float32_with_a_network_in_bfloat16(per_sample):
    arrays = golden("dpm_adaptive_a")
    denoiser = MixtureDenoiser(arrays)

    def half(x, labels):
        assert all(tensor.dtype == torch.float32 for tensor in x.values())
        return {name: noise.bfloat16() for name, noise in denoiser(x, labels).items()}

    def rounded(x, labels):
        return {name: noise.float() for name, noise in half(x, labels).items()}

    x_T = modalities(arrays, "xT_")
    sample = dpm_solver_adaptive(half, x_T, per_sample=per_sample).sample
    expected = dpm_solver_adaptive(rounded, x_T, per_sample=per_sample).sample
    assert all(torch.equal(sample[name], expected[name]) for name in x_T)
    assert_close(sample, arrays, "out_", 0.05)


def test_a_network_that_returns_nan_ends_with_a_sentence():
    x_T = modalities(golden("dpm_adaptive_a"), "xT_")
    with pytest.raises(ClipError, match="not finite") as error:
        dpm_solver_adaptive(lambda x, labels: {k: v * torch.nan for k, v in x.items()}, x_T)
    assert error.value.reason == "diverged"


def test_steps_that_shrink_without_end_end_with_a_sentence():
    calls = []

    def model(x, labels):
        calls.append(labels)
        return {k: torch.full_like(v, 1e12 * (len(calls) % 2 == 0)) for k, v in x.items()}

    x_T = {"video": torch.ones(1, 1, 3, 2, 2), "audio": torch.ones(1, 2, 4)}
    with pytest.raises(ClipError, match=f"within {MAX_ATTEMPTS} steps") as error:
        dpm_solver_adaptive(model, x_T, thresholding=False)
    assert error.value.reason == "diverged" and len(calls) == 2 * MAX_ATTEMPTS


def test_wrong_shapes_are_named():
    x_T = {"video": torch.zeros(1, 1, 3, 2, 2), "audio": torch.zeros(1, 2, 4)}
    with pytest.raises(ValueError, match="must return shapes"):
        dpm_solver_adaptive(lambda x, labels: {"video": x["video"]}, x_T)
    with pytest.raises(ValueError, match="same number of samples"):
        dpm_solver_adaptive(lambda x, labels: x, {**x_T, "audio": torch.zeros(2, 2, 4)})
    with pytest.raises(ValueError, match="same number of samples"):
        dpm_solver_adaptive(lambda x, labels: x, {})
