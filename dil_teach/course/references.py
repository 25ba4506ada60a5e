"""Citations in the chapters, and the list of references at the end of each.

In a chapter's text, ``[@glasner2009]``, ``[@a; @b]`` and ``[@a, section 3]`` become
links in brackets, and ``@glasner2009`` becomes the authors' names with a link. The
cited works, from ``notebooks/references.bib``, are listed below the chapter's last
heading, ``## References``.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from nbformat import NotebookNode
from pybtex.database import Person, parse_file
from pybtex.richtext import Text

from dil_teach.image.shipped import shipped

ANCHOR = "references"  # the list's id; JupyterLab gives the heading `References`
MOST_NAMES = 3  # largest number of authors named in the text; the list names all

_CITATION = re.compile(
    r"""
    (?P<code>
        ^\ {0,3} (?P<fence>`{3,}|~{3,}) [^\n]*\n       # a fence and its end
        (?:.*?\n)?? (?:\ {0,3}(?P=fence)[`~]*\ *$|\Z)
      | (?P<ticks>`+)(?!`) .*? (?<!`)(?P=ticks)(?!`)   # `code` within a line
    )
  | \[(?P<group>@[^\[\]]*)\]
  | (?<![\w/.@+`\\-])@(?P<key>[A-Za-z]\w*)   # no e-mail, URL or escaped \@
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_HEADING = re.compile(r"^## References\s*\Z", re.MULTILINE)


@dataclass(frozen=True)
class Work:
    """One entry of the bibliography, in plain characters."""

    surnames: tuple[str, ...]
    authors: tuple[str, ...]
    """All authors, with their initials."""
    fields: dict[str, str]
    """BibTeX fields, such as title, journal, year, pages and doi."""

    @property
    def when(self) -> str:
        """The year, or if there is none, the kind of work, such as 'talk'."""
        return self.fields.get("year") or self.fields.get("howpublished", "no year")


def with_references(
    notebook: NotebookNode, chapter: str, bibliography: Path | None = None
) -> NotebookNode:
    """Turn a chapter's citations into links, and list the cited works.

    Code cells, fenced code and code within a line do not change.

    Parameters
    ----------
    notebook : NotebookNode
        It is changed in place and returned.
    chapter : str
        The chapter's name for error messages, such as ``"00_tour"``.
    bibliography : Path, optional
        A BibTeX file to read instead of ``notebooks/references.bib``.

    Raises
    ------
    ValueError
        If a cited work is not in the bibliography, a citation cannot be read, or works
        are cited but no cell ends with the heading ``## References``.
    """
    works = read_bibliography(bibliography)
    cited: dict[str, Work] = {}

    def look_up(key: str) -> Work:
        if key.lower() not in works:
            raise ValueError(
                f"chapter {chapter}: expected a key of the bibliography, got @{key}; "
                "add the work to notebooks/references.bib, or write `@` in backticks "
                "if it is not a citation"
            )
        return cited.setdefault(key.lower(), works[key.lower()])

    def link(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        if match["key"]:
            work = look_up(match["key"])
            return f"[{_names(work)} ({work.when})](#{ANCHOR})"
        links = []
        for item in match["group"].split(";"):
            parts = re.fullmatch(r"\s*@(\w+)(,.+)?\s*", item, re.DOTALL)
            if parts is None:
                raise ValueError(
                    f"chapter {chapter}: expected [@key], [@key; @key] or [@key, "
                    f"section 3], got {match[0]}"
                )
            work = look_up(parts[1])
            comma = "" if "year" in work.fields else ","
            label = f"{_names(work)}{comma} {work.when}"
            links.append(f"[{label}](#{ANCHOR}){parts[2] or ''}")
        return f"({'; '.join(links)})"

    prose = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in prose:
        cell.source = _CITATION.sub(link, cell.source)
    if cited:
        ends = [cell for cell in prose if _HEADING.search(cell.source)]
        if len(ends) != 1:
            raise ValueError(
                f"chapter {chapter}: expected one cell that ends with the heading "
                f"'## References', for the list of works, got {len(ends)}; write the "
                "heading once, as the last line of the chapter"
            )
        entries = "".join(
            f"\n- {_full(work)}" for work in sorted(cited.values(), key=_alphabetically)
        )
        before = ends[0].source.rstrip()
        ends[0].source = f'{before}\n\n<a id="{ANCHOR}"></a>\n{entries}'
    return notebook


def read_bibliography(path: Path | None = None) -> dict[str, Work]:
    """The works by their keys in lower case, in the order of the file."""
    source = path or shipped("notebooks/references.bib")
    works = {}
    for key, entry in parse_file(str(source), bib_format="bibtex").entries.items():
        people = (entry.persons or {}).get("author", [])
        fields = (entry.fields or {}).items()
        works[key.lower()] = Work(
            tuple(_name(person) for person in people),
            tuple(_name(person, initials=True) for person in people),
            {name.lower(): str(Text.from_latex(value)) for name, value in fields},
        )
    return works


def _names(work: Work) -> str:
    if len(work.surnames) > MOST_NAMES:
        return f"{work.surnames[0]} et al."
    return _and(work.surnames)


def _full(work: Work) -> str:
    """The work's entry in the list of references."""
    of = work.fields
    parts = [_and(work.authors), f"'{of['title']}'"]
    if "journal" in of:
        number = f"({of['number']})" if "number" in of else ""
        parts.append(f"*{of['journal']}* {of.get('volume', '')}{number}".rstrip())
    elif "booktitle" in of:
        parts.append(f"*{of['booktitle']}*")
    parts.append(work.when)
    if "pages" in of:
        parts.append(f"pp. {of['pages']}")
    entry = ", ".join(parts)
    if "note" in of:
        entry += f" ({of['note']})"
    if "doi" in of:
        return f"{entry}. [doi:{of['doi']}](https://doi.org/{quote(of['doi'])})"
    return f"{entry}. <{of['url']}>" if "url" in of else f"{entry}."


def _alphabetically(work: Work) -> tuple[list[str], str, str]:
    return [n.casefold() for n in work.surnames], work.when, work.fields["title"]


def _name(person: Person, initials: bool = False) -> str:
    given = [*person.rich_first_names, *person.rich_middle_names] if initials else []
    surname = [*person.rich_prelast_names, *person.rich_last_names]
    return " ".join(map(str, [*(name.abbreviate() for name in given), *surname]))


def _and(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
