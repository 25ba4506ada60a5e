"""Tests of bibliography and citations, glossary and notation, and lab sheets."""

import copy
import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbformat import NotebookNode
from pybtex.database import parse_file

from dil_teach.course.build import chapters
from dil_teach.course.references import label, with_references
from dil_teach.image.shipped import shipped

CHAPTERS = pytest.mark.parametrize("name", chapters())
WORKS = parse_file(str(shipped("notebooks/references.bib"))).entries
OURS = r"""
@article{hag2001,
  author = {H{\"a}ggstr{\"o}m, Mikael Jean-Luc},
  title = {On {PSNR} --- and \& the rest},
  journal = {Journal}, volume = {3}, pages = {1--9}, year = {2001}, note = {A remark},
}
@inproceedings{beta2000,
  author = {de la Vall{\'e}e, Zo{\"e} and Beta, Al}, title = {Two}, year = {2000},
  booktitle = {Meeting}, doi = {10.1/a(1)b},
}
@inproceedings{many2000,
  author = {Alpha, A. and B, B. and C, C. and D, D.}, title = {Many}, year = {2000},
  booktitle = {Meeting}, url = {https://example.org},
}
@misc{talk, author = {Speaker, Ann}, title = {Said}, howpublished = {Talk}}
"""


def chapter(*cells: str, heading: bool = True) -> NotebookNode:
    texts = [*cells, "## References"] if heading else cells
    made = [nbformat.v4.new_markdown_cell(text) for text in texts]
    return nbformat.v4.new_notebook(cells=made)


@pytest.fixture
def bibliography(tmp_path: Path) -> Path:
    (tmp_path / "ours.bib").write_text(OURS)
    return tmp_path / "ours.bib"


def prose(name: str) -> str:
    cells = jupytext.read(shipped(f"notebooks/source/{name}.py")).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


# ---- citations


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("so [@hag2001].", "so ([Häggström, 2001](#references))."),
        ("@hag2001 says", "[Häggström (2001)](#references) says"),
        ("'@Hag2001's'", "'[Häggström (2001)](#references)'s'"),
        ("[@many2000]", "([Alpha et al., 2000](#references))"),
        (
            "[@hag2001; @beta2000]",
            "([Häggström, 2001](#references); "
            "[de la Vallée and Beta, 2000](#references))",
        ),
        ("[@hag2001, section 3]", "([Häggström, 2001](#references), section 3)"),
        ("[@talk]", "([Speaker, talk](#references))"),
        ("@talk", "[Speaker (talk)](#references)"),
    ],
)
def test_a_citation_becomes_a_link(written, read, bibliography):
    assert with_references(chapter(written), bibliography).cells[0].source == read


def test_three_names_are_written_out():
    cell = with_references(chapter("[@glasner2009]")).cells[0]
    assert cell.source == "([Glasner, Bagon and Irani, 2009](#references))"


@pytest.mark.parametrize(
    "untouched",
    [
        "```python\n@decorator\ndef f(): ...\n```",
        "~~~~\n~~~\n@decorator\n[@key]\n~~~~",
        "```\n@never closed",
        "`@property` and ``a ` @b``",
        "write to ann@example.org or see https://example.org/@ann",
        r"\@nobody",
        "a @ b, 3 @ 4",
        "[a link](https://example.org)",
    ],
)
def test_code_and_addresses_do_not_change(untouched):
    text = f"{untouched}\n"
    assert with_references(chapter(text)).cells[0].source == text


def test_citations_after_code_are_read(bibliography):
    text = "```\n@a\n```\n\n`@b` @talk\n\n~~~\n@c\n~~~\n[@talk]"
    read = with_references(chapter(text), bibliography).cells[0].source
    assert read.count("](#references)") == 2
    assert all(code in read for code in ("```\n@a\n```", "`@b`", "~~~\n@c\n~~~"))


def test_code_cells_do_not_change(bibliography):
    notebook = chapter("@talk")
    code = nbformat.v4.new_code_cell("@hag2001\n[@nobody]\n## References")
    notebook.cells.insert(1, code)
    assert with_references(notebook, bibliography).cells[1] == code


def test_the_list_has_the_cited_works_in_alphabetical_order(bibliography):
    notebook = chapter("@talk, [@hag2001]; [@hag2001, page 2], @beta2000 and @many2000")
    *_, last = with_references(notebook, bibliography).cells
    assert last.source.splitlines() == [
        "## References",
        "",
        '<a id="references"></a>',
        "",
        "- A. Alpha, B. B, C. C, and D. D. Many. In *Meeting*. 2000. "
        "URL: [https://example.org](https://example.org).",
        "- Z. de la Vallée and A. Beta. Two. In *Meeting*. 2000. "
        "[doi:10.1/a(1)b](https://doi.org/10.1/a(1)b).",
        "- M. J.-L. Häggström. On PSNR — and & the rest. *Journal*, 3:1–9, 2001. "
        "A remark.",
        "- A. Speaker. Said. Talk.",
    ]
    *_, last = with_references(chapter("@talk"), bibliography).cells
    assert last.source.count("\n- ") == 1


def test_the_heading_may_end_a_longer_cell(bibliography):
    notebook = chapter("@talk", "## Summary\n\nDone.\n\n## References\n", heading=False)
    *_, last = with_references(notebook, bibliography).cells
    assert last.source.startswith("## Summary\n\nDone.\n\n## References\n\n<a ")


def test_citations_keep_the_ids_of_the_cells(bibliography):
    notebook = chapter("@talk and [@beta2000]")
    ids = [cell.id for cell in notebook.cells]
    made = with_references(notebook, bibliography)
    assert [cell.id for cell in made.cells] == ids


def test_without_citations_nothing_changes():
    notebook = chapter("Nothing.", "## References\n\n- by hand", heading=False)
    assert with_references(copy.deepcopy(notebook)) == notebook


@pytest.mark.parametrize(
    "text", ["[@nobody1999]", "@nobody1999", "[@talk; @nobody1999]"]
)
def test_an_unknown_key_is_rejected_with_advice(text, bibliography):
    with pytest.raises(AssertionError, match=r"@nobody1999.*references\.bib"):
        with_references(chapter(text), bibliography)


@pytest.mark.parametrize("text", ["[@talk and others]", "[@talk; too]", "[@]"])
def test_a_citation_that_cannot_be_read_is_rejected(text, bibliography):
    with pytest.raises(AssertionError, match=r"expected \[@a\].*got \[@"):
        with_references(chapter(text), bibliography)


@pytest.mark.parametrize(
    "cells",
    [
        ("@talk",),
        ("@talk", "## References\n\n- A list by hand."),
        ("@talk", "## References", "## References"),
    ],
)
def test_citations_without_one_references_heading_are_rejected(cells, bibliography):
    with pytest.raises(AssertionError, match="write ## References once"):
        with_references(chapter(*cells, heading=False), bibliography)


@CHAPTERS
def test_the_chapters_cite_known_works(name):
    source = jupytext.read(shipped(f"notebooks/source/{name}.py"))
    made = with_references(source)
    assert len(made.cells) == len(source.cells)
    text = "\n".join(cell.source for cell in made.cells)
    assert text.count('<a id="references"></a>') == ("](#references)" in text)


# ---- the bibliography


@pytest.mark.parametrize("key", WORKS)
def test_every_work_is_complete(key):
    work = WORKS[key]
    assert work.persons["author"] and work.fields["title"]
    assert {"journal", "booktitle", "howpublished"} & set(work.fields)
    if "howpublished" not in work.fields:
        assert re.fullmatch(r"(19|20)\d\d", work.fields["year"])
        surname = label(work)[0].split()[0].rstrip(",")
        assert key == surname.lower().replace("-", "") + work.fields["year"]
    if "doi" in work.fields:
        assert re.fullmatch(r"10\.\d{4,5}/\S+", work.fields["doi"])
    if "pages" in work.fields:
        assert re.fullmatch(r"([\d:]+)--([\d:]+)", work.fields["pages"])


def test_two_works_never_have_the_same_label():
    labels = [label(work) for work in WORKS.values()]
    assert len(set(labels)) == len(labels)


# ---- glossary and notation


def headings(page: str) -> list[str]:
    text = shipped(f"notebooks/{page}").read_text(encoding="utf-8")
    return re.findall(r"^#+ (.+)$", text, re.MULTILINE)


def anchors(page: str) -> set[str]:
    """Anchors that work on Git hosts and in JupyterLab, which preserves capitals."""
    lab = {heading.replace(" ", "-") for heading in headings(page)}
    host = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in headings(page)
    }
    return lab & host


def links(text: str) -> list[tuple[str, str]]:
    return re.findall(r"\]\(([\w./]*\.md)?#([^)]+)\)", text)


@CHAPTERS
def test_links_of_a_chapter_to_glossary_and_notation_exist(name):
    for page, anchor in links(prose(name)):
        if page:
            assert anchor in anchors(page), f"{name}: {page} has no #{anchor}"


@pytest.mark.parametrize("page", ["glossary.md", "notation.md", "if_you_are_stuck.md"])
def test_links_of_a_page_exist(page):
    text = shipped(f"notebooks/{page}").read_text(encoding="utf-8")
    for target, anchor in links(text):
        assert anchor in anchors(target or page), f"{page}: no {target}#{anchor}"
    for target in re.findall(r"\]\(([\w./]+)\)", text):
        assert shipped(f"notebooks/{target}").exists()


def test_the_glossary_is_a_sorted_list_of_short_entries():
    title, *terms = headings("glossary.md")
    assert title == "Glossary"
    assert terms == sorted(set(terms))
    assert {term.replace(" ", "-") for term in terms} <= anchors("glossary.md")
    text = shipped("notebooks/glossary.md").read_text(encoding="utf-8")
    for entry in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]:
        sentences = re.findall(r"[.!?](?= |\n|$)", entry.strip())
        assert 1 <= len(sentences) <= 4, entry


# ---- lab sheets

SHEETS = sorted(path.stem for path in shipped("notebooks/lab_sheets").glob("*.md"))


def sheet(name: str) -> str:
    return shipped(f"notebooks/lab_sheets/{name}.md").read_text(encoding="utf-8")


@CHAPTERS
def test_each_chapter_has_a_lab_sheet(name):
    assert name in SHEETS


@pytest.mark.parametrize("name", SHEETS)
def test_a_lab_sheet_is_one_page_and_its_minutes_add_up(name):
    text = sheet(name)
    assert len(text.splitlines()) <= 60
    assert text.startswith(f"# Lab sheet: {name[:2]} ")
    minutes = [int(m) for m in re.findall(r"^\|[^|]+\| (\d+) \|$", text, re.MULTILINE)]
    (total,) = re.findall(r"^Total: (\d+) minutes", text, re.MULTILINE)
    assert sum(minutes) == int(total) <= 90
    wanted = ("Time", "Room", "What goes wrong, and what to ask", "To discuss")
    for section in (*wanted, "To collect"):
        assert f"\n## {section}\n" in text
