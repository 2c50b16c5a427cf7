"""The notebook runs on a study's folder, from its first cell to its last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbclient
import nbformat

NOTEBOOK = Path(__file__).parents[2] / "experiments" / "results.ipynb"


def test_the_notebook_shows_a_study(make_study: Callable[..., Path]) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    given = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    given.source = f"STUDY = {str(make_study())!r}"
    nbclient.NotebookClient(notebook, timeout=100, kernel_name="python3").execute()
    shown = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    tables = [out for outputs in shown for out in outputs if "text/html" in out.get("data", {})]
    assert len(tables) >= 6
    assert "hierarchical" in str(tables)


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
