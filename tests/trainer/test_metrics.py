"""The figures themselves, against formulas written out in NumPy and pictures whose answer is known."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from vfxgan.errors import ModelError, UsageError
from vfxgan.trainer.distance import SlicedWasserstein, sliced_wasserstein
from vfxgan.trainer.evaluation.features import FeatureExtractor, feature_distances
from vfxgan.trainer.metrics import generator_metrics, ms_ssim_pairs, picture_metrics


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def ssim_in_numpy(a, b):
    """Wang et al. 2004, eq. 13: an 11×11 Gaussian window of deviation 1.5, mirrored at the border; one channel."""
    reach = np.arange(-5, 6)
    window = np.exp(-(reach[:, None] ** 2 + reach[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def local_mean(x):
        padded = np.pad(x, 5, mode="reflect")
        views = np.lib.stride_tricks.sliding_window_view(padded, (11, 11))
        return (views * window).sum(axis=(2, 3))

    mean_a, mean_b = local_mean(a), local_mean(b)
    variance_a, variance_b = local_mean(a * a) - mean_a**2, local_mean(b * b) - mean_b**2
    covariance = local_mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (above / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))).mean()


def test_psnr_ssim_and_l1_are_those_of_the_formulas():
    target = noise(2, 3, 24, 20)
    output = (target + 0.3 * (noise(2, 3, 24, 20, seed=1) - 0.5)).clamp(0, 1)
    found = picture_metrics(output, target)
    a, b = output.double().numpy(), target.double().numpy()
    psnr = np.mean([10 * np.log10(1 / ((x - y) ** 2).mean()) for x, y in zip(a, b, strict=True)])
    ssim = np.mean([ssim_in_numpy(a[n, c], b[n, c]) for n in range(2) for c in range(3)])
    assert found["l1"] == pytest.approx(np.abs(a - b).mean(), abs=1e-6)
    assert found["psnr"] == pytest.approx(psnr, abs=1e-3)
    assert found["ssim"] == pytest.approx(ssim, abs=1e-4)


def test_equal_pictures_have_100_db_and_values_outside_the_range_count_as_its_ends():
    target = noise(1, 3, 16, 16).round()
    assert picture_metrics(target, target) == {"l1": 0.0, "psnr": 100.0, "ssim": pytest.approx(1.0)}
    beyond = picture_metrics(target * 3 - 1, target)
    assert (beyond["psnr"], beyond["l1"]) == (100.0, pytest.approx(1.0, abs=0.5))


@pytest.mark.parametrize("side", [8, 10, 16, 24, 48, 100, 192])
def test_a_collapsed_set_has_a_similarity_of_one_at_every_size_and_noise_next_to_none(side):
    pictures = noise(4, 3, side, side)
    assert ms_ssim_pairs(pictures[:1].expand(4, -1, -1, -1)) == pytest.approx(1.0, abs=1e-5)
    assert ms_ssim_pairs(pictures) < 0.25


def test_the_pairs_follow_from_the_seed():
    pictures = noise(6, 3, 32, 32).cumsum(dim=3) / 32
    assert ms_ssim_pairs(pictures, 1) == ms_ssim_pairs(pictures, 1)
    assert ms_ssim_pairs(pictures, 1) != ms_ssim_pairs(pictures, 2)


def test_the_figures_of_a_generator_tell_a_collapse_from_a_copy():
    real = noise(8, 4, 32, 32) * 2 - 1
    copied, collapsed = generator_metrics(real.clone(), real), generator_metrics(real[:1].expand_as(real), real)
    assert copied["ms_ssim"] == copied["real_ms_ssim"] == collapsed["real_ms_ssim"] < 0.2
    assert collapsed["ms_ssim"] == pytest.approx(1.0, abs=1e-5)
    assert collapsed["swd"] > copied["swd"]


def test_the_distance_of_sets_that_come_in_parts_is_the_distance_of_the_sets():
    first, second = noise(10, 3, 32, 32), noise(10, 3, 32, 32, seed=1) ** 2
    parts = SlicedWasserstein(10, 3, 32, seed=4)
    for places in (torch.tensor([9, 1, 4]), torch.tensor([0, 2, 3, 5, 6, 7, 8])):
        parts.add(1, places, second[places])
        parts.add(0, places, first[places])
    assert parts.by_level() == sliced_wasserstein(first, second, 4)
    assert list(parts.by_level()) == [32, 16]


def test_fid_is_the_distance_of_the_two_gaussians_and_kid_of_the_cubic_kernel():
    fake, real = noise(50, 3).double(), noise(50, 3, seed=1).double() @ torch.diag(torch.tensor([1.0, 2, 3])).double()
    found = feature_distances(fake, real, 0)
    a, b = np.cov(fake.numpy().T), np.cov(real.numpy().T)
    values, vectors = np.linalg.eigh(a)
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T  # tr √(ab) = tr √(√a b √a), which is symmetric
    cross = np.sqrt(np.linalg.eigvalsh(root @ b @ root)).sum()
    means = ((fake.mean(0) - real.mean(0)) ** 2).sum().item()
    assert found["fid"] == pytest.approx(means + np.trace(a) + np.trace(b) - 2 * cross, rel=1e-6)

    def kernel(x, y):
        return (x @ y.T / 3 + 1) ** 3

    def of_two(x):
        return (kernel(x, x).sum() - kernel(x, x).diagonal().sum()) / (len(x) * (len(x) - 1))

    whole = of_two(fake) + of_two(real) - 2 * kernel(fake, real).mean()
    assert found["kid"] == pytest.approx(whole.item(), abs=4 * found["kid_std"] / 10)
    assert found == feature_distances(fake, real, 0)
    same = feature_distances(real, real, 0)
    assert same["fid"] == pytest.approx(0, abs=1e-6)


def extractor(path, nodes=None, *, entry=("N", 3, 4, 4), output=("N", 3), kind=TensorProto.FLOAT):
    """An ONNX file; by default its features are the mean colour of a picture."""
    nodes = nodes or [helper.make_node("ReduceMean", ["picture"], ["features"], axes=[2, 3], keepdims=0)]
    graph = helper.make_graph(
        nodes,
        "features",
        [helper.make_tensor_value_info("picture", kind, entry)],
        [helper.make_tensor_value_info("features", kind, output)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path))
    return path


@pytest.mark.parametrize(
    ("values", "expected"),
    [("0-1", [0.5] * 3), ("0-255", [127.5] * 3), ("-1-1", [0.0] * 3), ("imagenet", [0.06550, 0.19643, 0.41778])],
)
def test_pictures_reach_the_feature_network_in_the_range_and_size_it_wants(tmp_path, values, expected):
    network = FeatureExtractor(extractor(tmp_path / "mean.onnx"), values)
    features = network(torch.full((20, 3, 9, 7), 0.5))
    assert (features.shape, features.dtype) == ((20, 3), torch.float64)
    assert features[19].tolist() == pytest.approx(expected, abs=1e-4)


def test_a_network_with_a_batch_of_one_or_a_free_size_is_fed_so(tmp_path):
    one = FeatureExtractor(extractor(tmp_path / "one.onnx", entry=(1, 3, 4, 4), output=(1, 3)), "0-1")
    free = FeatureExtractor(extractor(tmp_path / "free.onnx", entry=("N", 3, "H", "W")), "0-1")
    pictures = noise(3, 3, 8, 8)
    assert one(pictures).shape == (3, 3)
    assert free.size is None
    assert torch.allclose(free(pictures), pictures.mean(dim=(2, 3)).double(), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"entry": ("N", 3, 4), "nodes": [helper.make_node("ReduceMean", ["picture"], ["features"], axes=[2])]},
         "its input is [N, 3, 4], needed is [N, 3, height, width]"),
        ({"entry": ("N", 4, 4, 4), "output": ("N", 4)}, "its input is [N, 4, 4, 4], needed is [N, 3, height, width]"),
        ({"entry": (8, 3, 4, 4), "output": (8, 3)}, "its batch is fixed at 8; export it with 1 or a free one"),
        ({"nodes": [helper.make_node("Identity", ["picture"], ["features"])], "output": ("N", 3, 4, 4)},
         "its first output is [N, 3, 4, 4], needed is [N, D]"),
        ({"kind": TensorProto.DOUBLE}, "needs one float32 input, has tensor(double) [N, 3, 4, 4]"),
        ({"nodes": [helper.make_node("Log", ["picture"], ["a"]),
                    helper.make_node("ReduceMean", ["a"], ["features"], axes=[2, 3], keepdims=0)]},
         "gave NaN or Inf; is --features-range right?"),
    ],
    ids=["rank", "channels", "batch", "output", "type", "inf"],
)  # fmt: skip
def test_a_feature_network_of_another_shape_is_refused_in_one_line(tmp_path, options, reason):
    path = extractor(tmp_path / "odd.onnx", **options)
    with pytest.raises(ModelError) as caught:
        FeatureExtractor(path, "0-1")(torch.zeros(2, 3, 4, 4))
    assert str(caught.value) == f"--features {path}: {reason}"


def test_a_file_that_is_missing_or_no_onnx_is_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("features")
    with pytest.raises(ModelError, match=r"text\.onnx: ONNX Runtime cannot load it \(.+\); give \.onnx"):
        FeatureExtractor(tmp_path / "text.onnx", "0-1")
    with pytest.raises(UsageError, match=r"lost\.onnx: no such file"):
        FeatureExtractor(tmp_path / "lost.onnx", "0-1")
