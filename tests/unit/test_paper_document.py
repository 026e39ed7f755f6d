"""The compiled document, with a stand-in for the TeX engine."""

import os

import pytest

from g2lstm.errors import UserError
from g2lstm.paper.document import write_document

LAYOUT = {"label": "demo: 100% synthetic", "reduced": ["lm"], "corpora": {"lm": "synthetic"}}


@pytest.fixture
def files(tmp_path):
    names = ["table1.tex", "figure1.tex", "figure1.pdf", "rank-curve.pdf"]
    for name in names:
        (tmp_path / name).write_text(f"content of {name}")
    return [tmp_path / name for name in names]


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Install a script as pdflatex, the only engine."""

    def install(script):
        program = tmp_path / "bin" / "pdflatex"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/nowhere")

    return install


def test_without_an_engine_it_says_what_to_install(files, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"no TeX engine .*pdflatex.*paper\.pdf.*complete without"):
        write_document(files, LAYOUT, tmp_path / "paper.pdf")


def test_floats_come_in_order_and_curves_at_the_end(files, tmp_path, engine):
    engine("/bin/cat figure1.pdf paper.tex > paper.pdf")
    write_document(files, LAYOUT, tmp_path / "paper.pdf")
    text = (tmp_path / "paper.pdf").read_text()
    order = ["content of figure1.pdf", r"100\% synthetic", r"\input{table1.tex}"]
    order += [r"\input{figure1.tex}", "{rank-curve.pdf}"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "includegraphics[width=\\columnwidth]{figure1.pdf}" not in text


def test_what_does_not_compile_is_told_in_one_line(files, tmp_path, engine):
    engine("echo This is TeX; echo '! Undefined control sequence.'; exit 1")
    with pytest.raises(UserError, match=r"could not compile.*! Undefined control sequence"):
        write_document(files, LAYOUT, tmp_path / "paper.pdf")
    assert not (tmp_path / "paper.pdf").exists()
