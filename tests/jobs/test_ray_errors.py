import pytest
import ray

from jobs.ray_errors import could_not_go_on, in_a_sentence
from savg_ray.errors import UserError


def test_a_workers_user_error_is_told_as_it_was():
    text = "ray::Worker() (pid=1)\n  File x\nsavg_ray.errors.UserError: i3d.pt is missing; fetch it.\nmore"
    with pytest.raises(UserError, match=r"^i3d\.pt is missing; fetch it\.$"), in_a_sentence():
        raise ray.exceptions.RayTaskError("f", text, ValueError(text))


def test_what_nobody_foresaw_is_named_by_its_last_line():
    with pytest.raises(UserError) as caught, in_a_sentence():
        raise ray.exceptions.RayTaskError("f", "Traceback\n  File x\nKeyError: 'x'.\n\n", KeyError("x"))
    assert "(RayTaskError: KeyError: 'x')" in str(caught.value)
    assert "the same command goes on" in str(caught.value)


def test_other_errors_are_not_touched():
    with pytest.raises(KeyError), in_a_sentence():
        raise KeyError("x")
    assert could_not_go_on(RuntimeError()).startswith("Ray could not go on (RuntimeError);")
