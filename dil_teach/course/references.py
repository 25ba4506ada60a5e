"""Citations in the chapters, and the list of references at the end of each.

In a chapter's text, ``[@glasner2009]``, ``[@a; @b]`` and ``[@a, section 3]`` become
links in brackets, and ``@glasner2009`` becomes the authors' names with a link. The
list of cited works stands below the chapter's last heading, ``## References``. It is
made from ``notebooks/references.bib``.
"""

import re
from pathlib import Path

from nbformat import NotebookNode
from pybtex.backends.markdown import Backend
from pybtex.database import Entry, parse_file
from pybtex.style.formatting.plain import Style

from dil_teach.image.shipped import shipped

ANCHOR = "references"  # id of the list; JupyterLab gives `References` to the heading
MOST_NAMES = 3  # authors; a citation with more is "et al.", but the list names all
HEADING = "## References"

_CITATION = re.compile(
    r"""
    (?P<code> (?P<fence>`+|~{3,}) .*? (?:(?P=fence)|\Z) )  # code stays unchanged
  | \[(?P<group>@[^\[\]]*)\]
  | (?<![\w/.@+`\\-])@(?P<key>[A-Za-z]\w*)   # no e-mail, URL or escaped \@
    """,
    re.VERBOSE | re.DOTALL,
)


class _Markdown(Backend):
    def format_str(self, text: str) -> str:
        """Leave the text unescaped, because some viewers take ``\\(`` for a formula."""
        return text


def with_references(
    notebook: NotebookNode, bibliography: Path | None = None
) -> NotebookNode:
    """Turn a chapter's citations into links, and list the cited works.

    Code does not change. An AssertionError names a citation that cannot be read or is
    not in the bibliography, or says that the heading ``## References`` is missing.

    Parameters
    ----------
    notebook : NotebookNode
        The notebook is changed in place and returned.
    bibliography : Path, optional
        A BibTeX file to read instead of ``notebooks/references.bib``.
    """
    works = parse_file(str(bibliography or shipped("notebooks/references.bib"))).entries
    cited: dict[str, Entry] = {}

    def look_up(key: str) -> tuple[str, str]:
        assert key in works, (
            f"@{key}: add this work to notebooks/references.bib, or write `@` in "
            "backticks if it is not a citation"
        )
        cited[key.lower()] = works[key]
        return label(works[key])

    def link(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        if match["key"]:
            names, year = look_up(match["key"])
            return f"[{names} ({year})](#{ANCHOR})"
        links = []
        for item in match["group"].split(";"):
            parts = re.fullmatch(r"\s*@(\w+)(,.+)?\s*", item, re.DOTALL)
            assert parts, f"expected [@a], [@a; @b] or [@a, section 3], got {match[0]}"
            names, year = look_up(parts[1])
            links.append(f"[{names}, {year}](#{ANCHOR}){parts[2] or ''}")
        return f"({'; '.join(links)})"

    prose = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in prose:
        cell.source = _CITATION.sub(link, cell.source)
    if cited:
        ends = [c for c in prose if c.source.strip().split("\n")[-1] == HEADING]
        assert len(ends) == 1, f"write {HEADING} once, as the last line of the chapter"
        entries = Style(abbreviate_names=True).format_entries(cited.values())
        texts = (" ".join(e.text.render(_Markdown()).split()) for e in entries)
        listed = "".join(f"\n- {text}" for text in texts)
        ends[0].source = f'{ends[0].source.rstrip()}\n\n<a id="{ANCHOR}"></a>\n{listed}'
    return notebook


def label(work: Entry) -> tuple[str, str]:
    """The authors' surnames and the year, or the kind of a work without a year."""
    people, fields = work.persons or {}, work.fields or {}
    names = [
        " ".join(map(str, [*person.rich_prelast_names, *person.rich_last_names]))
        for person in people["author"]
    ]
    year = fields.get("year") or fields["howpublished"].lower()
    if len(names) > MOST_NAMES:
        return f"{names[0]} et al.", year
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])), year
