"""Imports point one way: jobs, then actors, then savg_ray; and the science never imports Ray."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {"savg_ray": {"ray", "actors", "jobs"}, "actors": {"jobs"}, "jobs": set()}
FILES = [path for package in FORBIDDEN for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_import_against_the_stream(path):
    package = path.relative_to(ROOT).parts[0]
    assert not FORBIDDEN[package] & set(imported(path))
