"""Plans and stats in a notebook cell.

Rules: no I/O, ever; every text is escaped; no scripts, so that a saved or untrusted notebook
looks the same. Colours are our own variables over JupyterLab's `--jp-*` (which follow its
theme), with fallbacks for light and dark pages that are not JupyterLab. Markup has meaning
without the style sheet, since some viewers (GitHub, mail) strip it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from streamframe.display.steps import Step, known_schema, lay_out, one_line
from streamframe.display.text import LAZY_NOTE
from streamframe.plan.quantities import plural

if TYPE_CHECKING:
    import pyarrow as pa

    from streamframe.plan.node import Node
    from streamframe.plan.report import Stats

_MAX_STEPS = 40
# A table with tens of thousands of columns is real, and would make the notebook file huge.
_MAX_COLUMNS = 200
# So many columns are shown at once; above, one click away.
_OPEN_COLUMNS = 8

# Drawn by borders, since characters leave gaps between lines. The characters stay for viewers that
# strip the style sheet.
_TREE_CLASSES = {"┌": "sf-open", "├": "sf-fork", "│": "sf-bar", "└": "sf-join"}

# The fallbacks keep a contrast of at least 4.5 : 1 on their own background, in both schemes.
_STYLE = """<style>
.sf-view{--sf-text:var(--jp-ui-font-color1,#1f2328);--sf-quiet:var(--jp-ui-font-color2,#59636e);
--sf-line:var(--jp-border-color2,#d1d9e0);--sf-back:var(--jp-layout-color1,#fff);
--sf-code:var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace);
box-sizing:border-box;max-width:60em;padding:.6em .9em;border:1px solid var(--sf-line);border-radius:6px;
background:var(--sf-back);color:var(--sf-text);font-size:13px;line-height:1.5}
@media (prefers-color-scheme:dark){.sf-view{--sf-text:var(--jp-ui-font-color1,#e6edf3);
--sf-quiet:var(--jp-ui-font-color2,#9da7b1);--sf-line:var(--jp-border-color2,#3d444d);--sf-back:var(--jp-layout-color1,#161b22)}}
.sf-view .sf-title{margin:0 0 .3em;font-weight:600}
.sf-view .sf-note,.sf-view .sf-type,.sf-view .sf-count{color:var(--sf-quiet);font-weight:400}
.sf-view .sf-note{margin:.4em 0 0}
.sf-view ol{margin:0;padding:0;list-style:none}
.sf-view li{margin:0;display:flex;gap:.6em;font-family:var(--sf-code);line-height:1.5}
.sf-view li>code{flex:1;padding:0;background:none;color:inherit;font:inherit;
white-space:pre-wrap;overflow-wrap:anywhere}
.sf-view .sf-number{min-width:var(--sf-digits);text-align:right;color:var(--sf-quiet)}
.sf-view .sf-tree{display:flex;font-size:0}
.sf-view .sf-tree span{position:relative;width:14px;border-left:1px solid transparent}
.sf-view :is(.sf-bar,.sf-fork){border-color:var(--sf-quiet)!important}
.sf-view :is(.sf-open,.sf-fork,.sf-join)::after{content:"";position:absolute;left:-1px;top:10px;width:10px;
border-top:1px solid var(--sf-quiet)}
.sf-view :is(.sf-open,.sf-join)::before{content:"";position:absolute;left:-1px;top:0;height:10px;
border-left:1px solid var(--sf-quiet)}
.sf-view .sf-open::before{top:10px;height:calc(100% - 10px)}
.sf-view details{margin:.4em 0 0}
.sf-view summary{cursor:pointer}
.sf-view table{margin:.3em 0 0;border-collapse:collapse;font-size:inherit;color:inherit}
.sf-view th,.sf-view td{padding:.1em 1.2em .1em 0;text-align:left;border:0;background:none;font-weight:400}
.sf-view tbody th{font-family:var(--sf-code)}
.sf-view thead th,.sf-view .sf-facts th{font-family:inherit;color:var(--sf-quiet)}
</style>"""


def plan_html(node: Node, schema: pa.Schema | None = None) -> str:
    """Return the `_repr_html_` of a frame: its steps, its columns if known, and that nothing has run.

    Parameters
    ----------
    node
        The last step of the plan.
    schema
        Its output, if an earlier look has shown it; otherwise what the plan itself knows.
    """
    layout = lay_out(node, _MAX_STEPS)
    items = [_item(step) for step in layout.head]
    if layout.hidden:
        items.append(f'<li class="sf-note">… ({plural(layout.hidden, "step")} more)</li>')
    items += [_item(step) for step in layout.tail]
    count = f'<span class="sf-count">{plural(layout.total, "step")}</span>'
    digits = f"--sf-digits:{len(f'{layout.total:,}.')}ch"
    return _view(
        "lazy plan",
        f'<p class="sf-title">StreamFrame {count}</p><ol role="list" style="{digits}">{"".join(items)}</ol>'
        + _columns(schema if schema is not None else known_schema(node))
        + f'<p class="sf-note">{escape(LAZY_NOTE)}</p>',
    )


def stats_html(stats: Stats) -> str:
    """Return a run's snapshot as a small table.

    Parameters
    ----------
    stats
        What `iteration.stats()` returned.
    """
    rows = ((label, escape(value)) for label, value in stats.facts())
    return _view("statistics of a run", f'<p class="sf-title">Stats</p><div class="sf-facts">{_table((), rows)}</div>')


def _view(label: str, body: str) -> str:
    return f'{_STYLE}<div class="sf-view" role="group" aria-label="StreamFrame: {label}">{body}</div>'


def _item(step: Step) -> str:
    # Screen readers read the number and the step; the tree is for the eye.
    cells = "".join(f'<span class="{_TREE_CLASSES.get(char, "")}">{char} </span>' for char in step.tree[::2])
    tree = f'<span class="sf-tree" aria-hidden="true">{cells}</span>' if cells else ""
    return f'<li>{tree}<span class="sf-number">{step.number:,}.</span><code>{escape(step.text)}</code></li>'


def _columns(schema: pa.Schema | None) -> str:
    if schema is None:
        return ""
    rows = (
        (one_line(field.name), f'<span class="sf-type">{escape(one_line(str(field.type)))}</span>')
        for field in list(schema)[:_MAX_COLUMNS]
    )
    hidden = len(schema) - _MAX_COLUMNS
    more = f'<p class="sf-note">… ({hidden:,} more)</p>' if hidden > 0 else ""
    is_open = " open" if len(schema) <= _OPEN_COLUMNS else ""
    summary = f"<summary>{plural(len(schema), 'column')}</summary>"
    return f"<details{is_open}>{summary}{_table(('column', 'type'), rows)}{more}</details>"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, str]]) -> str:
    """Return a table; labels are escaped here, values come as HTML."""
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    body = "".join(f'<tr><th scope="row">{escape(label)}</th><td>{value}</td></tr>' for label, value in rows)
    return f"<table>{f'<thead><tr>{titles}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
