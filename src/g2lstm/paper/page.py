"""Markdown as a page for the browser."""

from pathlib import Path

from markdown_it import MarkdownIt
from mdit_py_plugins.footnote import footnote_plugin

from g2lstm.errors import UserError
from g2lstm.paper.render import template
from g2lstm.records import write_text


def write_page(text, page):
    """Write the Markdown file ``text``, with tables and footnotes, as the HTML file ``page``."""
    try:
        source = Path(text).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read {text}: {error.strerror}") from error
    markdown = MarkdownIt("commonmark").enable("table").use(footnote_plugin)
    body = markdown.render(source)
    write_text(page, template("page.html.j2", str).render(title=Path(text).stem, body=body))
