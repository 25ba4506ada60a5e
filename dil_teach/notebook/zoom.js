// Pictures of one row are enlarged together. A click or Enter enlarges the row at a
// point, the pointer or the arrow keys move this point, and a second click or Escape
// shows the whole pictures again. One set of listeners serves every row of the page.
if (!window.dilZoom) {
  window.dilZoom = true;
  const LARGER = 4, STEP = 4;
  const draw = (row, zoom, x, y) => {
    const inside = (percent) => Math.min(Math.max(percent, 0), 100);
    Object.assign(row.dataset, { zoom, x: inside(x), y: inside(y) });
    for (const picture of row.querySelectorAll("img")) {
      picture.style.transformOrigin = `${inside(x)}% ${inside(y)}%`;
      picture.style.transform = `scale(${zoom})`;
      picture.style.cursor = zoom > 1 ? "zoom-out" : "zoom-in";
    }
  };
  const at = (event, act) => {
    const view = event.target.closest?.(".dil-row .dil-view");
    if (!view) return;
    const box = view.getBoundingClientRect(), row = view.closest(".dil-row");
    act(row, 100 * (event.clientX - box.left) / box.width,
      100 * (event.clientY - box.top) / box.height);
  };
  document.addEventListener("click", (event) => at(event, (row, x, y) =>
    draw(row, row.dataset.zoom > 1 ? 1 : LARGER, x, y)));
  document.addEventListener("pointermove", (event) => at(event, (row, x, y) => {
    if (row.dataset.zoom > 1) draw(row, LARGER, x, y);
  }));
  document.addEventListener("keydown", (event) => {
    const row = event.target;
    if (!row.classList?.contains("dil-row")) return;
    const { zoom = 1, x = 50, y = 50 } = row.dataset;
    const [right, down] = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0],
      ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key] ?? [0, 0];
    if (event.key === "Enter") draw(row, zoom > 1 ? 1 : LARGER, +x, +y);
    else if (event.key === "Escape") draw(row, 1, 50, 50);
    else if (zoom > 1 && (right || down)) draw(row, zoom, +x + right, +y + down);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
}
