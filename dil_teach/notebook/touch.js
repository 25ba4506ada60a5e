const ARROWS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
};
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function add(parent, tag, attributes = {}) {
  const inside = tag === "svg" || parent instanceof SVGElement;
  const made = inside
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const name in attributes) made.setAttribute(name, attributes[name]);
  return parent.appendChild(made);
}

// Each line is drawn three times: black next to white is visible on any photograph.
function outlined(parent, tag, shape, colour, dash) {
  for (const [stroke, thick, dashes] of [
    ["black", 4.5, ""], ["white", 3, ""], [colour, 2, dash],
  ]) {
    add(parent, tag, { ...shape, stroke, "stroke-width": thick, fill: "none",
      "stroke-dasharray": dashes, "vector-effect": "non-scaling-stroke" });
  }
}

function render({ model, el }) {
  const mode = model.get("mode"), [height, width] = model.get("size");
  const zoom = model.get("zoom");
  const ending = new AbortController(), followed = [];
  const listen = (target, event, act) =>
    target.addEventListener(event, act, { signal: ending.signal });
  const follow = (names, act) => {
    for (const name of names) {
      model.on(`change:${name}`, act);
      followed.push([`change:${name}`, act]);
    }
    act();
  };
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };

  const frame = add(el, "div", { class: `dil-touch dil-${mode}` });
  frame.style.width = `${width * zoom}px`;
  frame.style.aspectRatio = `${width} / ${height}`;
  const picture = add(frame, "img", { draggable: "false" });
  follow(["picture"], () => { picture.src = model.get("picture"); });

  // The page may show the picture smaller than its own size.
  const place = (event) => {
    const box = frame.getBoundingClientRect();
    return [((event.clientY - box.top) / box.height) * height,
            ((event.clientX - box.left) / box.width) * width];
  };
  const pixel = ([row, column]) => ({
    row: clamp(Math.floor(row), 0, height - 1),
    column: clamp(Math.floor(column), 0, width - 1),
  });
  let waiting = false;  // true until Python has answered a click
  const point = () => ({ row: model.get("row"), column: model.get("column") });
  const drag = (act, end = () => {}) => {
    listen(frame, "pointerdown", (event) => {
      if (event.button !== 0) return;
      frame.setPointerCapture(event.pointerId);
      act(event);
    });
    listen(frame, "pointermove", (event) => {
      if (frame.hasPointerCapture(event.pointerId)) act(event);
    });
    listen(frame, "lostpointercapture", end);
  };
  const keys = (target, act) => {
    target.tabIndex = 0;
    target.dataset.lmSuppressShortcuts = "true";  // else JupyterLab uses the arrows
    listen(target, "keydown", (event) => {
      if (!act(event.key, event.shiftKey ? 10 : 1)) return;
      event.preventDefault();
      event.stopPropagation();
    });
  };

  const walk = (key, step) => {
    if (!(key in ARROWS)) return false;
    const { row, column } = point(), [down, right] = ARROWS[key];
    waiting = true;
    set(pixel([row + step * down, column + step * right]));
    return true;
  };

  if (mode === "divide") divide();
  else {
    follow(["alt"], () => { picture.alt = model.get("alt"); waiting = false; });
    if (mode === "paint") paint();
    else if (mode === "click") click();
    frame.setAttribute("role", "application");
    frame.setAttribute("aria-label", {
      paint: "Paint with the pointer; arrow keys move the brush, space presses it",
      click: "Click a pixel; arrow keys move the point, with Shift by ten",
      corners: "Drag a corner; arrow keys move the corner in focus, with Shift by ten",
    }[mode]);
    const drawn = add(frame, "svg", { class: "dil-over",
      viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" });
    if (mode === "corners") corners(drawn);
    else follow(["marks", "row", "column", "brush", "alt"], () => { draw(drawn); });
  }

  function divide() {
    const over = add(frame, "img", { class: "dil-over", alt: "", draggable: "false" });
    const line = add(frame, "div", { class: "dil-line", role: "slider",
      "aria-label": "Divider", "aria-valuemin": 0, "aria-valuemax": 100 });
    follow(["other"], () => { over.src = model.get("other"); });
    follow(["position", "alt"], () => {
      const percent = Math.round(1000 * model.get("position")) / 10;
      over.style.clipPath = `inset(0 ${100 - percent}% 0 0)`;
      line.style.left = `${percent}%`;
      line.setAttribute("aria-valuenow", Math.round(percent));
      picture.alt = model.get("alt").replace("{position}", `${Math.round(percent)}%`);
    });
    const move = (position) => set({ position: clamp(position, 0, 1) });
    drag((event) => { move(place(event)[1] / width); });
    keys(line, (key, step) => {
      if (key in ARROWS) {
        const [down, right] = ARROWS[key];
        move(Math.round(100 * model.get("position") + step * (right - down)) / 100);
      }
      return key in ARROWS;
    });
  }

  function click() {
    listen(frame, "click", (event) => {
      waiting = true;
      set(pixel(place(event)));
    });
    keys(frame, walk);
  }

  function corners(drawn) {
    let shape = model.get("corners"), sent = shape, held = null;
    const outline = add(drawn, "g"), handles = shape.map((_, number) => {
      const handle = add(drawn, "circle", { class: "dil-handle", r: 8 / zoom,
        role: "button" });
      listen(handle, "pointerdown", () => { held = number; handle.focus(); });
      keys(handle, (key, step) => {
        if (!(key in ARROWS)) return false;
        const [down, right] = ARROWS[key], [row, column] = shape[number];
        move(number, [row + step * down, column + step * right]);
        return true;
      });
      return handle;
    });
    const show = () => {
      outline.replaceChildren();
      const points = shape.map(([row, column]) => `${column},${row}`).join(" ");
      outlined(outline, "polygon", { points }, "#D55E00", "6 3");
      handles.forEach((handle, number) => {
        const [row, column] = shape[number];
        handle.setAttribute("cx", column);
        handle.setAttribute("cy", row);
        handle.setAttribute("aria-label",
          `Corner ${number + 1} of 4 at row ${row}, column ${column}`);
      });
    };
    const send = () => {  // the outline moves at once; the network follows when it can
      if (waiting || String(sent) === String(shape)) return;
      waiting = true;
      sent = shape;
      set({ corners: shape });
    };
    const move = (number, [row, column]) => {
      const to = [clamp(Math.round(row), 0, height), clamp(Math.round(column), 0, width)];
      const moved = shape.map((corner, other) => {
        if (other === number) return to;
        if (!model.get("rectangle") || (other + number) % 2 === 0) return corner;
        return (other + number) % 4 === 1 ? [to[0], corner[1]] : [corner[0], to[1]];
      });
      if (!allowed(moved)) return;
      shape = moved;
      show();
      send();
    };
    const allowed = (points) => {  // convex, and each side is long enough to draw
      const least = model.get("least");
      return points.every(([row, column], i) => {
        const [nextRow, nextColumn] = points[(i + 1) % 4];
        const [afterRow, afterColumn] = points[(i + 2) % 4];
        const down = nextRow - row, right = nextColumn - column;
        const turn = right * (afterRow - nextRow) - down * (afterColumn - nextColumn);
        return Math.hypot(down, right) >= least && turn > least * least / 4;
      });
    };
    drag((event) => { if (held !== null) move(held, place(event)); },
         () => { held = null; send(); });
    follow(["corners"], () => {
      if (held !== null) return;
      shape = sent = model.get("corners");
      show();
    });
    follow(["alt"], () => { waiting = false; send(); });
  }

  function paint() {
    const canvas = add(frame, "canvas", { class: "dil-over", width, height });
    const ink = canvas.getContext("2d"), mask = new Uint8Array(height * width);
    const stripes = model.get("stripes");
    let last = null;
    const show = () => {
      const shown = ink.createImageData(width, height);
      mask.forEach((on, i) => {
        if (!on) return;
        const stripe = (Math.floor(i / width) + (i % width)) % 4 < 2 ? 0 : 1;
        const [red, green, blue, opacity] = stripes[stripe];
        shown.data.set([red, green, blue, 255 * opacity], 4 * i);
      });
      ink.putImageData(shown, 0, 0);
    };
    const press = (row, column) => {
      const brush = model.get("brush"), reach = brush >> 1;
      const value = model.get("erase") ? 0 : 1;
      for (let y = Math.max(row - reach, 0); y <= row + reach && y < height; y++)
        for (let x = Math.max(column - reach, 0); x <= column + reach && x < width; x++)
          if (4 * ((y - row) ** 2 + (x - column) ** 2) < brush ** 2)
            mask[y * width + x] = value;
    };
    const send = () => {
      const runs = [];
      let value = 0, length = 0;
      for (const on of mask) {
        if (on !== value) { runs.push(length); value = on; length = 0; }
        length += 1;
      }
      set({ runs: [...runs, length], ...last });
      last = null;
    };
    follow(["runs"], () => {
      let start = 0, value = 0;
      for (const length of model.get("runs")) {
        mask.fill(value, start, start + length);
        start += length;
        value = 1 - value;
      }
      show();
    });
    drag((event) => {
      const to = pixel(place(event)), from = last ?? to;
      const down = to.row - from.row, right = to.column - from.column;
      const steps = Math.max(Math.abs(down), Math.abs(right), 1);
      for (let i = 0; i <= steps; i++)
        press(Math.round(from.row + (i / steps) * down),
              Math.round(from.column + (i / steps) * right));
      last = to;
      show();
    }, send);
    keys(frame, (key, step) => {
      if (key !== " ") return walk(key, step);
      last = point();
      press(last.row, last.column);
      send();
      return true;
    });
  }

  function draw(drawn) {
    drawn.replaceChildren();
    for (const mark of model.get("marks")) {
      const { top, left, label, colour, dash } = mark;
      const group = add(drawn, "g", { class: "dil-mark" });
      const shape = { x: left, y: top, width: mark.width, height: mark.height };
      outlined(group, "rect", shape, colour, dash);
      const below = top < 14 / zoom;
      add(group, "text", { x: left, y: below ? top + mark.height + 13 / zoom
        : top - 4 / zoom, "font-size": 13 / zoom, "stroke-width": 3 / zoom,
      }).textContent = label;
    }
    const x = model.get("column") + 0.5, y = model.get("row") + 0.5;
    if (mode === "paint") {
      const r = model.get("brush") / 2;
      outlined(drawn, "circle", { cx: x, cy: y, r }, "black", "4 4");
    } else if (waiting) {
      const near = 4 / zoom, far = 10 / zoom;
      const d = [[0, 1], [0, -1], [1, 0], [-1, 0]].map(([a, b]) =>
        `M${x + a * near} ${y + b * near}L${x + a * far} ${y + b * far}`).join("");
      outlined(drawn, "path", { d }, "white", "");
    }
  }

  return () => {
    ending.abort();
    for (const [event, act] of followed) model.off(event, act);
    frame.remove();
  };
}

export default { render };
