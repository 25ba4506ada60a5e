"""The tour as a learner meets it: JupyterLab in a real browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from dil_teach.shipped import shipped

pytestmark = pytest.mark.browser

# Nothing but this machine is asked for anything; the rest keeps Chromium quiet.
QUIET = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-sync "
    "disable-background-networking disable-component-update disable-dev-shm-usage"
)
FLAGS = [f"--{flag}" for flag in QUIET.split()]
FLAGS.append("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Address of a JupyterLab of its own that serves a copy of the tour."""
    shutil.copy(shipped("notebooks/00_tour.ipynb"), tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{k}_DIR": str(tmp_path / k) for k in ("CONFIG", "DATA", "RUNTIME")}
    options = [
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        f"--ServerApp.root_dir={tmp_path}",
    ]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        env=os.environ | own | {"IPYTHONDIR": str(tmp_path / "ipython")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5)
                break
            except OSError:
                assert server.poll() is None, "JupyterLab ended before it answered"
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser.new_page(viewport={"width": 1366, "height": 1000})
        browser.close()


def test_the_tour_runs_and_its_divider_moves(lab: str, page: Page):
    page.goto(f"{lab}/lab/workspaces/fresh/tree/00_tour.ipynb?reset")
    page.get_by_text("| Idle").first.wait_for(timeout=120_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.get_by_text("| Busy").first.wait_for(timeout=60_000)
    page.get_by_text("| Idle").first.wait_for(timeout=300_000)

    # JupyterLab draws only the cells that are in view: scroll until the slider is
    panel = page.locator(".jp-WindowedPanel-outer").first
    divider = page.locator(".widget-inline-hbox", has_text="Divider")
    for top in range(0, 40_000, 700):
        panel.evaluate(f"element => element.scrollTo(0, {top})")
        page.wait_for_timeout(300)
        assert page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0
        if divider.count():
            break
    divider.first.scroll_into_view_if_needed()
    box = divider.first.locator('xpath=ancestor::*[contains(@class,"widget-vbox")][1]')
    picture = box.locator("img").first
    before = picture.get_attribute("src")
    assert "50%" in (picture.get_attribute("alt") or "")
    divider.first.locator(".noUi-handle").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    box.locator('img[alt*="47%"]').wait_for(timeout=20_000)
    assert picture.get_attribute("src") != before
