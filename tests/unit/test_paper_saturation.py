import numpy as np
import pytest
from paper_figure_records import LAYOUT, is_complete, rows_of

from g2lstm.errors import UserError
from g2lstm.paper.saturation import write_saturation_sketch


def test_sketch_has_two_intervals_of_one_width_and_the_exact_changes(tmp_path):
    write_saturation_sketch(LAYOUT, tmp_path / "figure2")
    assert is_complete(tmp_path / "figure2")
    rows = rows_of(tmp_path / "figure2")
    widths = {float(row["x_high"]) - float(row["x_low"]) for row in rows}
    assert len(widths) == 1
    for row in rows:
        low, high = (1 / (1 + np.exp(-float(row[name]))) for name in ("x_low", "x_high"))
        assert float(row["change"]) == pytest.approx(high - low)
    assert float(rows[0]["change"]) > 10 * float(rows[1]["change"])


def test_file_names_that_latex_cannot_find_are_refused(tmp_path):
    with pytest.raises(UserError, match="letters, digits, dots and hyphens only"):
        write_saturation_sketch(LAYOUT, tmp_path / "figure_2")
