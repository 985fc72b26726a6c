"""What every runtime holds at its border, and how one is chosen."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vfxgan.errors import RuntimeFailure
from vfxgan.modelfile import ModelFile, read_model
from vfxgan.render.runtimes import CPU_RUNTIMES, RuntimeOptions, load_runtime
from vfxgan.render.runtimes.onnxruntime_session import OnnxRuntimeSession


@pytest.fixture
def model(image_model: Any, tmp_path: Path) -> ModelFile:
    return read_model(image_model(tmp_path / "m.onnx", size=(8, 8)))


class FourAtATime:
    """An ONNX Runtime whose session was made for a batch of 4, and adds to each frame the number of its place."""

    ExecutionMode = SimpleNamespace(ORT_SEQUENTIAL=0)
    SessionOptions = SimpleNamespace

    def set_default_logger_severity(self, level: int) -> None:
        pass

    def InferenceSession(self, data: bytes, options: Any, providers: Any) -> Any:  # noqa: N802  # its name
        source = SimpleNamespace(name="image", type="tensor(float)", shape=[4, 3, 8, 8])
        return SimpleNamespace(get_inputs=lambda: [source], run=self.run)

    def run(self, names: None, feed: dict[str, Any]) -> list[Any]:
        (x,) = feed.values()
        assert x.shape == (4, 3, 8, 8)
        return [x + np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1)]


@pytest.mark.parametrize("name", CPU_RUNTIMES)
def test_cpu_runtimes_take_one_frame_at_a_time(model: ModelFile, name: str) -> None:
    x = np.random.RandomState(0).rand(2, 3, 8, 8).astype(np.float32)
    with load_runtime(name, model, RuntimeOptions()) as runtime:
        assert (runtime.batch, runtime.input_shape) == (1, (1, 3, 8, 8))
        np.testing.assert_array_equal(runtime.infer(x[:1]), x[:1])
        with pytest.raises(RuntimeFailure, match=r"input is float32 \[2, 3, 8, 8\], the model takes float32 \[1, 3, 8"):
            runtime.infer(x)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_a_model_of_a_fixed_batch_gets_all_of_it_and_gives_what_was_asked(model: ModelFile, count: int) -> None:
    session = OnnxRuntimeSession(FourAtATime(), model, [], {}, batched=True)
    x = np.random.RandomState(0).rand(count, 3, 8, 8).astype(np.float32)
    assert (session.batch, session.input_shape) == (4, (1, 3, 8, 8))
    np.testing.assert_array_equal(session.infer(x), x + np.arange(count, dtype=np.float32).reshape(count, 1, 1, 1))


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (5, 3, 8, 8), (4, 3, 8, 9)])
def test_more_frames_than_the_batch_or_none_are_refused(model: ModelFile, shape: tuple[int, ...]) -> None:
    session = OnnxRuntimeSession(FourAtATime(), model, [], {}, batched=True)
    with pytest.raises(RuntimeFailure, match=r"the model takes float32 \[1 to 4, 3, 8, 8\]"):
        session.infer(np.zeros(shape, np.float32))


def test_a_fixed_batch_is_refused_where_frames_go_one_by_one(model: ModelFile) -> None:
    with pytest.raises(RuntimeFailure, match=r"its input is \[4, 3, 8, 8\], but its spec says \[1, 3, 'height'"):
        OnnxRuntimeSession(FourAtATime(), model, [], {})
