"""All tables and figures of a preset as one PDF, where a TeX engine is installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from g2lstm.errors import UserError
from g2lstm.paper.cells import scale
from g2lstm.paper.render import latex_escape, template
from g2lstm.records import link_or_copy, write_text

ENGINES = {  # the first one that is installed is used
    "tectonic": ["tectonic", "paper.tex"],
    "latexmk": ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
    "pdflatex": ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
}
PASSES = {"pdflatex": 2}  # the others repeat by themselves


def write_document(files, layout, output):
    """Compile ``files`` into the PDF ``output``.

    ``files``: the ``.tex`` of tables and figures in their order, and the ``.pdf`` of figures, which
    stand beside their ``.tex`` or, without one, at the end. Raises UserError when there is no TeX
    engine or a file does not compile.
    """
    engine = next((name for name in ENGINES if shutil.which(name)), None)
    if engine is None:
        raise UserError(
            f"no TeX engine is installed ({', '.join(ENGINES)}); install one, such as TeX Live, "
            f"to get {output}; tables and figures are complete without it"
        )
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            shutil.copy(file, folder)
        names = [Path(file) for file in files]
        floats = [path.name for path in names if path.suffix == ".tex"]
        curves = [p.name for p in names if p.suffix == ".pdf" and f"{p.stem}.tex" not in floats]
        text = template("paper.tex.j2", latex_escape).render(
            scale=scale(layout, layout["corpora"]), files=floats, curves=curves
        )
        write_text(Path(folder) / "paper.tex", text)
        _compile(engine, folder)
        link_or_copy(Path(folder) / "paper.pdf", output)


def _compile(engine, folder):
    """Run the engine; the date in the file is fixed, so that equal input gives equal bytes."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
    for _ in range(PASSES.get(engine, 1)):
        run = subprocess.run(
            ENGINES[engine], cwd=folder, env=environment, capture_output=True, text=True
        )
        if run.returncode != 0:
            output = (run.stdout + run.stderr).splitlines()
            wrong = next((line for line in output if line.startswith("!")), "see its messages")
            raise UserError(f"{engine} could not compile the tables and figures: {wrong}")
