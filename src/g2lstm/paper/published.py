"""Reading the published numbers and the claims made about them."""

from pathlib import Path

import yaml

from g2lstm.errors import UserError

PAPER = "g2lstm"


def read_tables(published_path, paper=PAPER):
    """Return the published tables of one paper: table id -> caption, columns, rows, doubts."""
    document = _read_yaml(published_path, "published-numbers/1")
    if paper not in document["papers"]:
        raise UserError(
            f"{published_path}: no paper {paper}; it has {', '.join(document['papers'])}"
        )
    return document["papers"][paper]["tables"]


def read_claims(claims_path, paper=PAPER):
    """Return the claims of one paper, in the file's order: dictionaries with id, kind, expr ..."""
    document = _read_yaml(claims_path, "claims/1")
    return [claim for claim in document["claims"] if claim["paper"] == paper]


def doubts_of(table, row_id, column_id):
    """Return the notes on a printed cell; a doubt names whole rows or single cells."""
    names = {row_id, f"{row_id}.{column_id}"}
    return [doubt["note"] for doubt in table.get("doubts", ()) if names & set(doubt["cells"])]


def _read_yaml(path, schema):
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; it is part of the source tree") from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not valid YAML ({reason}); restore the file") from error
    if not isinstance(document, dict) or document.get("schema") != schema:
        raise UserError(f"{path}: not a file of schema {schema}; restore it")
    return document
