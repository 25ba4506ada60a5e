"""The widgets of the chapters work in a real browser: in JupyterLab and in Voila."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, sync_playwright

from dil_teach.course.build import METADATA
from dil_teach.image.shipped import shipped

pytestmark = pytest.mark.browser

# Chromium may connect only to this machine; the other flags turn off background work.
QUIET = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-sync "
    "disable-background-networking disable-component-update disable-dev-shm-usage"
)
FLAGS = [f"--{flag}" for flag in QUIET.split()]
FLAGS.append("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")

OPTIONS = {
    "jupyterlab": (
        "--no-browser --allow-root --port={port} --ServerApp.port_retries=0 "
        "--IdentityProvider.token= --ServerApp.root_dir={folder}"
    ),
    "voila": (
        "{folder} --no-browser --port={port} --Voila.port_retries=0 "
        "--Voila.ip=127.0.0.1 --show_tracebacks=True"
    ),
}


@dataclass(frozen=True)
class Server:
    """A separate server for the notebooks in one folder."""

    program: str
    address: str
    folder: Path

    def run(self, page: Page, name: str) -> None:
        """Open a notebook of the folder and run all cells."""
        if self.program == "voila":
            page.goto(f"{self.address}/voila/render/{name}", timeout=300_000)
            return  # Voila sends the page when all cells have run
        page.goto(f"{self.address}/lab/workspaces/fresh/tree/{name}?reset")
        page.get_by_text("| Idle").first.wait_for(timeout=120_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.get_by_text("| Busy").first.wait_for(timeout=60_000)
        idle = page.get_by_text("| Idle")
        for _ in range(100):  # between two cells a kernel may be idle for a moment
            idle.first.wait_for(timeout=300_000)
            page.wait_for_timeout(2000)
            if idle.count():
                break

    def scroll_to(self, page: Page, control: Locator) -> Locator:
        """Scroll until the first match of the control is visible."""
        if self.program == "voila":
            control.first.wait_for(timeout=60_000)
        else:
            # JupyterLab draws only visible cells: scroll until the control is drawn
            panel = page.locator(".jp-WindowedPanel-outer").first
            for top in range(0, 40_000, 700):
                panel.evaluate(f"element => element.scrollTo(0, {top})")
                page.wait_for_timeout(300)
                errors = page.locator(".jp-OutputArea-output[data-mime-type*=error]")
                assert errors.count() == 0
                if control.count():
                    break
        control.first.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        return control.first


@contextmanager
def serving(program: str, folder: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{k}_DIR": str(folder / k) for k in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"IPYTHONDIR": str(folder / "ipython"), "OMP_NUM_THREADS": "1"}
    options = [o.format(port=port, folder=folder) for o in OPTIONS[program].split()]
    with (folder / f"{program}.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", program, *options],
            env=os.environ | own,
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(address, timeout=5)
                break
            except OSError:
                assert server.poll() is None, f"{program} ended before it answered"
                time.sleep(0.5)
        yield Server(program, address, folder)
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    """Starts ``"jupyterlab"`` or ``"voila"`` on this test's folder."""
    with ExitStack() as running:
        yield lambda program: running.enter_context(serving(program, tmp_path))


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        screen = browser.new_context(
            viewport={"width": 1366, "height": 1000}, has_touch=True
        )
        yield screen.new_page()
        browser.close()


def widget_box(control: Locator) -> Locator:
    """The outermost box of widgets that contains the control."""
    return control.locator('xpath=ancestor::*[contains(@class,"widget-vbox")][last()]')


def slider(box: Locator, label: str) -> Locator:
    """The handle of the slider with this label."""
    return box.locator(".widget-inline-hbox", has_text=label).locator(".noUi-handle")


def spot(touch: Locator, row: float, column: float, size: tuple[int, int]) -> dict:
    """The position on the screen of a pixel of a picture of height x width pixels."""
    box = touch.bounding_box()
    assert box
    return {
        "x": box["x"] + (column + 0.5) / size[1] * box["width"],
        "y": box["y"] + (row + 0.5) / size[0] * box["height"],
    }


def click_pixel(touch: Locator, row: int, column: int, size: tuple[int, int]) -> None:
    touch.page.mouse.click(**spot(touch, row, column, size))


def drag(
    touch: Locator,
    start: tuple[float, float],
    stop: tuple[float, float],
    size: tuple[int, int],
) -> None:
    """Press at one (row, column) of the picture, and release at another position."""
    mouse = touch.page.mouse
    mouse.move(**spot(touch, *start, size))
    mouse.down()
    mouse.move(**spot(touch, *stop, size), steps=5)
    mouse.up()


CELLS = (
    """\
import torch
from dil_teach.notebook import Clickable, Mark, Slider, before_after, explore, paint
image = torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0))
image[:, 8:40, 8:56] = torch.linspace(0, 1, 48) * torch.linspace(1, 0.2, 32)[:, None]
renders = []""",
    """\
def render(row, column):
    renders.append((row, column))
    return image[:, row:row + 7, column:column + 7]

def marks(row, column):
    return [
        Mark(row, column, 7, 7, "patch"),
        Mark(row, 57 - column, 7, 7, "1", style=1),
        Mark(41 - row, column, 7, 7, "2", style=2),
    ]

explorer = explore(
    render,
    {"row": Slider("Row", 0, 41, 20, 1), "column": Slider("Column", 0, 57, 10, 1)},
    "The patch at row {row} and column {column}, enlarged",
    examples=[{"row": 10, "column": 20}, {"row": 30, "column": 5}],
    click=Clickable(image, marks=marks),
)""",
    """\
divider = before_after(image, 1 - image, ("image", "negative"), zoom=6)""",
    """\
from dil_teach.notebook import show
show({"image": image, "negative": 1 - image}, alt="Random colours and a negative")""",
    """\
painter = paint(image, "hole")""",
    """\
import ipywidgets
count = ipywidgets.HTML()
def say(change=None):
    painted = int(painter.mask.sum())
    count.value = f"{len(renders)} renders, {painted} painted"
painter.touch.observe(say, names="runs")
say()
ipywidgets.VBox([count, painter.touch])""",
)
SIZE = (48, 64)
DISC = 37  # pixels of the brush that is 7 across
PAINTED = """canvas => canvas.getContext("2d")
    .getImageData(0, 0, canvas.width, canvas.height).data
    .filter((value, i) => i % 4 === 3 && value > 0).length"""


@dataclass(frozen=True)
class Book:
    """A notebook that is open and was run."""

    server: Server
    page: Page

    def find(self, selector: str) -> tuple[Locator, Locator]:
        """The touch widget, scrolled into view, and the box with all its controls."""
        touch = self.server.scroll_to(self.page, self.page.locator(selector))
        return touch, widget_box(touch)

    def look(self, name: str) -> None:
        """Save a picture of the page, so that a person can look at it."""
        folder = os.environ.get("DIL_TEACH_SCREENSHOTS")
        if folder:
            self.page.screenshot(path=f"{folder}/{self.server.program}_{name}.png")


@pytest.fixture(params=["jupyterlab", "voila"])
def book(
    request: pytest.FixtureRequest,
    serve: Callable[[str], Server],
    page: Page,
    tmp_path: Path,
) -> Book:
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    nbformat.write(notebook, tmp_path / "touch.ipynb")
    server = serve(request.param)
    server.run(page, "touch.ipynb")
    return Book(server, page)


def test_what_is_touched_in_the_browser_reaches_python(book: Book):
    click(book)
    divide(book)
    enlarge(book)
    paint(book)


def click(book: Book) -> None:
    touch, box = book.find(".dil-click")
    book.look("click_before")
    picture = box.locator('img[alt*="enlarged"]')

    def wait_for(row: int, column: int) -> str | None:
        alt = f"The patch at row {row} and column {column}, enlarged"
        box.locator(f'img[alt="{alt}"]').wait_for()
        marked = f"at row {row}, column {column}, marked: patch, 1, 2"
        touch.locator(f'img[alt$="{marked}"]').wait_for()
        corner = touch.locator(".dil-mark rect").first
        assert corner.get_attribute("y") == str(row)
        assert corner.get_attribute("x") == str(column)
        return picture.get_attribute("src")

    sources = [wait_for(20, 10)]
    click_pixel(touch, 30, 40, SIZE)
    sources.append(wait_for(30, 40))
    assert touch.locator(".dil-mark").count() == 3
    book.look("click")

    slider(box, "Row").focus()
    book.page.keyboard.press("ArrowLeft")
    sources.append(wait_for(29, 40))
    touch.focus()
    book.page.keyboard.press("Shift+ArrowLeft")
    sources.append(wait_for(29, 30))
    box.locator(".widget-readout", has_text="30").wait_for()

    # a narrow page shrinks the picture, and a finger touches it
    book.page.set_viewport_size({"width": 700, "height": 1000})
    touch.scroll_into_view_if_needed()
    book.page.touchscreen.tap(**spot(touch, 3, 50, SIZE))
    sources.append(wait_for(3, 50))
    book.look("click_narrow")
    book.page.set_viewport_size({"width": 1366, "height": 1000})
    assert len(set(sources)) == len(sources)


def divide(book: Book) -> None:
    touch, box = book.find(".dil-divide")
    over = touch.locator("img.dil-over")

    def wait_for(percent: int) -> None:
        touch.locator(f'img[alt*="at {percent}% of the width"]').wait_for()
        box.locator(".widget-readout", has_text=f"{percent / 100:.2f}").wait_for()
        style = over.get_attribute("style") or ""
        assert f"inset(0px {100 - percent}% 0px 0px)" in style

    wait_for(50)
    drag(touch, (24, 31.5), (10, 15.5), SIZE)
    wait_for(25)
    book.look("divide")
    slider(box, "Divider").focus()
    book.page.keyboard.press("ArrowRight")
    wait_for(26)
    touch.locator(".dil-line").focus()
    book.page.keyboard.press("Shift+ArrowLeft")
    wait_for(16)


def enlarge(book: Book) -> None:
    pictures = book.server.scroll_to(
        book.page, book.page.locator('.dil-row:has(img[alt^="negative"])')
    )
    views = pictures.locator(".dil-view")
    assert views.count() == 2

    def wait_for(scale: int, x: int, y: int) -> None:
        for number in range(2):
            style = views.nth(number).locator("img").get_attribute("style") or ""
            assert f"scale({scale})" in style, style
            (across, down) = re.findall(r"origin: ([\d.]+)% ([\d.]+)%", style)[0]
            assert [float(across), float(down)] == pytest.approx([x, y], abs=1)

    box = views.nth(1).bounding_box()
    assert box and box["width"] >= 256
    book.page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    wait_for(4, 25, 50)
    book.look("enlarge")
    book.page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    wait_for(1, 25, 50)
    pictures.focus()
    for key in ("Enter", "ArrowRight", "ArrowUp"):
        book.page.keyboard.press(key)
    wait_for(4, 29, 46)
    book.page.keyboard.press("Escape")
    wait_for(1, 50, 50)
    static = book.page.locator(".dil-static")
    hidden = [not static.nth(n).is_visible() for n in range(static.count())]
    assert hidden and all(hidden)


def paint(book: Book) -> None:
    touch, box = book.find(".dil-paint")

    def wait_for(painted: int) -> None:
        box.get_by_text(f"hole: {painted} of 3072 pixels are painted").wait_for()
        canvas = touch.locator("canvas")
        assert canvas.evaluate(PAINTED) == painted

    def press(name: str) -> None:
        box.get_by_role("button", name=name).focus()
        book.page.keyboard.press("Enter")

    wait_for(0)
    click_pixel(touch, 10, 12, SIZE)
    wait_for(DISC)
    press("Clear")
    wait_for(0)
    press("Paint")  # at the row and column of the last stroke
    wait_for(DISC)

    slider(box, "Column").focus()
    book.page.keyboard.press("ArrowRight")
    touch.locator('circle[cx="13.5"]').first.wait_for(state="attached")
    touch.focus()
    book.page.keyboard.press("Space")
    wait_for(DISC + 7)
    press("Erase")
    wait_for(7)

    press("Clear")
    wait_for(0)
    drag(touch, (20, 10), (20, 50), SIZE)
    wait_for(DISC + 40 * 7)
    book.look("paint")
    box.get_by_label("The pointer erases").check()
    drag(touch, (0, 30), (47, 30), SIZE)
    wait_for(DISC + 40 * 7 - 7 * 7)

    # a second view of the same widget, and what Python counted
    book.server.scroll_to(book.page, book.page.get_by_text(" renders, "))
    text = f"7 renders, {DISC + 40 * 7 - 7 * 7} painted"
    book.page.get_by_text(text).wait_for()
    second = book.page.locator(".dil-paint canvas").last
    assert second.evaluate(PAINTED) == DISC + 40 * 7 - 7 * 7
    book.look("count")


def test_the_tour_runs_and_its_divider_moves(
    serve: Callable[[str], Server], page: Page, tmp_path: Path
):
    shutil.copy(shipped("notebooks/00_tour.ipynb"), tmp_path)
    server = serve("jupyterlab")
    server.run(page, "00_tour.ipynb")
    touch = server.scroll_to(page, page.locator(".dil-divide"))
    over = touch.locator("img.dil-over")
    before = over.get_attribute("style")
    assert "50%" in (touch.locator("img").first.get_attribute("alt") or "")
    slider(widget_box(touch), "Divider").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    touch.locator('img[alt*="47%"]').wait_for(timeout=20_000)
    assert over.get_attribute("style") != before


def cut_chapter(name: str, folder: Path, code: str = "click=") -> str:
    """Copy a chapter up to its first cell with this code; the file's name."""
    notebook = nbformat.read(shipped(f"notebooks/{name}.ipynb"), as_version=4)
    clickable = [n for n, cell in enumerate(notebook.cells) if code in cell.source]
    notebook.cells = notebook.cells[: clickable[0] + 1]
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return f"{name}.ipynb"


@pytest.mark.parametrize("program", ["jupyterlab", "voila"])
def test_chapter_01_finds_the_matches_of_the_patch_that_is_clicked(
    program: str, serve: Callable[[str], Server], page: Page, tmp_path: Path
):
    name = cut_chapter("01_patch_recurrence", tmp_path)
    book = Book(serve(program), page)
    book.server.run(page, name)
    touch, box = book.find(".dil-click")
    book.look("chapter_before")
    matches, marks = box.locator(".dil-row img"), touch.locator(".dil-mark")
    drawing = touch.locator("svg").get_attribute("viewBox") or ""
    width, height = (int(side) for side in drawing.split()[2:])
    row, column = height // 3, width // 2

    def seen() -> tuple[str, str]:
        return matches.nth(1).get_attribute("src") or "", marks.last.inner_html()

    def changed(alt: str, before: tuple[str, str]) -> tuple[str, str]:
        """Wait for this alt text; return the picture and a mark, which must change."""
        box.locator(f'img[alt^="The patch at"][alt*="{alt}"]').wait_for(timeout=20_000)
        now = seen()
        assert now[0] != before[0] and now[1] != before[1]
        return now

    first = seen()
    start = time.perf_counter()
    click_pixel(touch, row, column, (height, width))
    second = changed(f"row {row}, column {column},", first)
    print(f"{program}: {time.perf_counter() - start:.2f} s from click to picture")
    touch.locator(f'img[alt*="at row {row}, column {column}, marked: patch, 1, "]')
    book.look("chapter_clicked")

    slider(box, "Scale of the search").focus()
    page.keyboard.press("ArrowLeft")
    changed("scale 0.79,", second)
    book.look("chapter_scale")


@pytest.mark.slow
def test_chapter_12_draws_the_shape_whose_corner_is_dragged(
    serve: Callable[[str], Server], page: Page, tmp_path: Path
):
    name = cut_chapter("12_ingan", tmp_path, "= drag_corners(")
    book = Book(serve("jupyterlab"), page)
    book.server.run(page, name)
    touch, box = book.find(".dil-corners")
    drawing = touch.locator("svg").get_attribute("viewBox") or ""
    width, height = (int(side) for side in drawing.split()[2:])

    def drawn(alt: str) -> str:
        picture = touch.locator(f'img[alt*="{alt}"]')
        picture.wait_for(timeout=60_000)
        return picture.get_attribute("src") or ""

    page.wait_for_timeout(1000)  # pictures above it grow while they load
    touch.scroll_into_view_if_needed()
    before = drawn("twice as wide")
    corner = touch.locator(".dil-handle").nth(2)
    row, column = (int(corner.get_attribute(name) or 0) for name in ("cy", "cx"))
    start, stop = (row - 0.5, column - 1.5), (row + 39.5, column - 90.5)  # rounded
    drag(touch, start, stop, (height, width))
    at = f"{row + 40}, {column - 90}"
    by_pointer = drawn(f"({at}), ({row + 40}, 0)")
    assert by_pointer != before
    outline = touch.locator("polygon").first.get_attribute("points") or ""
    assert outline.split()[2] == f"{column - 90},{row + 40}"
    book.look("corner_dragged")
    corner.focus()
    page.keyboard.press("Shift+ArrowLeft")
    assert drawn(f"({row + 40}, {column - 100})") != by_pointer
    box.get_by_label("Keep a rectangle").uncheck()
    corner.focus()
    page.keyboard.press("Shift+ArrowUp")
    drawn(f"(0, {column - 100}), ({row + 30}, {column - 100}), ({row + 40}, 0)")
    book.look("corner_by_keyboard")
