import re

import pytest

from g2lstm.errors import UserError
from g2lstm.paper.page import write_page

TEXT = """# Comparison

| Model | Ours |
|:--|--:|
| AWD-LSTM | 2.0[^1] |
| G² (a \\| b) \\<small\\> | 1.0[^1] |

(a) holds<br>(b) fails

[^1]: Doubtful.
"""


@pytest.fixture
def page(tmp_path):
    (tmp_path / "comparison.md").write_text(TEXT, encoding="utf-8")
    write_page(tmp_path / "comparison.md", tmp_path / "comparison.html")
    return (tmp_path / "comparison.html").read_text(encoding="utf-8")


def test_tables_and_escapes_are_those_of_the_markdown(page):
    assert "<h1>Comparison</h1>" in page
    assert "<title>comparison</title>" in page
    assert ">G² (a | b) &lt;small&gt;</td>" in page
    assert "holds<br>(b)" in page


def test_links_of_footnotes_lead_somewhere(page):
    assert page.count(">[1]</a>") == 2
    links = re.findall(r'href="#([^"]+)"', page)
    assert len(links) == 4  # there and back, from two cells
    assert set(links) <= set(re.findall(r'id="([^"]+)"', page))


def test_a_missing_text_is_told(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*claims\.md"):
        write_page(tmp_path / "claims.md", tmp_path / "claims.html")
