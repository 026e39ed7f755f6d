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
    markdown.add_render_rule("footnote_caption", _footnote_mark)
    body = markdown.render(source)
    write_text(page, template("page.html.j2", str).render(title=Path(text).stem, body=body))


def _footnote_mark(_renderer, tokens, index, _options, _environment):
    """Return the mark of a footnote: the same wherever it is referred to."""
    return f"[{tokens[index].meta['id'] + 1}]"
