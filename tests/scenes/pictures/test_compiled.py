from pathlib import Path

import numba

from savg_ray.scenes.pictures import compiled as module
from savg_ray.scenes.pictures.patterns import beyond
from savg_ray.scenes.pictures.raster import find_nearest


def test_machine_code_lies_in_a_folder_of_its_sources():
    folders = {Path(function.stats.cache_path) for function in (beyond, find_nearest)}
    assert all(module._sources_digest() in str(folder) for folder in folders)
    assert numba.config.CACHE_DIR == "" or "compiled_" not in numba.config.CACHE_DIR


def test_another_source_gives_another_folder(tmp_path, monkeypatch):
    folders = []
    monkeypatch.setattr(module, "__file__", str(tmp_path / "compiled.py"))
    for text in ("LIMIT = 1", "LIMIT = 2"):
        (tmp_path / "numbers.py").write_text(text)
        module._sources_digest.cache_clear()
        folders.append(module._sources_digest())
    module._sources_digest.cache_clear()
    assert folders[0] != folders[1]


def test_a_compiled_function_computes_what_it_says():
    assert [beyond(value, 1.0, 0.5) for value in (0.5, 1.0, 1.125, 2.0)] == [0.0, 0.5, 0.75, 1.0]
    assert beyond.signatures
