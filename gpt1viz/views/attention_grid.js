// All heads as tiles, one head large. mount(el, onPick) -> {update(bytes), destroy()}.
// Picks: {layer, head}; {layer, head, query, key}, null when unlocked; {layer, head, window} when the window moves.
const GRID_STYLE = `
.g1v-grid { display: flex; flex-wrap: wrap; gap: 16px 24px; align-items: flex-start; }
.g1v-grid > div { min-width: 0; }
.g1v-bar { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; margin-bottom: 8px; }
.g1v-bar strong { font: 600 14px ${PALETTE.MONO}; min-width: 56px; }
.g1v-stages { display: inline-flex; flex-wrap: wrap; gap: 4px; }
.g1v-waiting canvas { opacity: 0.45; }
`;
const STAGES = ["raw", "scaled", "masked", "weights"];
const SIDE_BY_SIDE = 760; // px of width from which the large head stands beside the tiles
const DIM_AFTER = 200; // ms
const GIVE_UP_AFTER = 5000; // ms without an answer to a pick
const KEY_PAUSE = 150; // ms after the last Shift+arrow before the host is asked

function mount(el, onPick) {
  const root = el.appendChild(make("div", { class: "g1v", "data-lm-suppress-shortcuts": "true" }));
  root.append(make("style", {}, STYLE + GRID_STYLE));
  const body = root.appendChild(make("div", { class: "g1v-grid", role: "group" }));
  const tiles = body.appendChild(make("div")).appendChild(make("canvas", { tabindex: "0", role: "application" }));
  const right = body.appendChild(make("div"));
  const bar = right.appendChild(make("div", { class: "g1v-bar" }));
  const title = bar.appendChild(make("strong"));
  const stages = bar.appendChild(make("span", { class: "g1v-stages", role: "group" }));
  const help = bar.appendChild(make("button", { type: "button", "aria-expanded": "false" }, "?"));
  const matrix = right.appendChild(make("canvas", { tabindex: "0", role: "application" }));
  const readout = right.appendChild(make("div", { class: "g1v-readout", "aria-live": "polite" }));
  const legend = right.appendChild(make("div", { class: "g1v-legend" }));
  const keys = root.appendChild(make("div", { hidden: "" }));
  const caption = root.appendChild(make("div", { class: "g1v-note", style: "margin-top: 8px" }));
  const twin = root.appendChild(make("div", { class: "g1v-hidden" })).appendChild(make("table"));

  let [p, theme] = [null, null]; // payload, colours
  let chosen = null; // {layer, head}: ringed among the tiles; ahead of the payload while the host computes
  let stage = "weights";
  let over = null; // tile cell under the pointer
  let hover = null; // {q, s} under the pointer; s is null when another view hovers q
  let [locked, cursor] = [null, null]; // {q, s}
  let [tg, mg] = [null, null]; // geometry of tiles and matrix
  const base = { tiles: document.createElement("canvas"), matrix: document.createElement("canvas") };
  let [queued, emitting, dimming, waiting] = [0, 0, 0, 0]; // timers
  let width = 0;

  const say = (key, values = {}) => fill(p.strings[key], values);
  const name = ({ layer, head }) => `L${layer}·H${head}`;
  const same = (a, b) => a.layer === b.layer && a.head === b.head;
  const exact = () => ({ layer: p.focus[0], head: p.focus[1] });
  // The tiles hold every weight (rounded) if nothing is pooled: then any head can be shown large at once.
  const preview = () => p.k === 1 && stage === "weights";
  const drawn = () => (preview() ? over || chosen : exact());
  const hides = (q, s) => p.causal && s > q + p.shift;
  const masked = (q, s) => hides(q, s) && (stage === "masked" || stage === "weights");
  const given = () => STAGES.filter((s) => s === "weights" || (s === "masked" ? p.scaled && p.causal : p[s]));
  const inWindow = ({ q, s }) => q >= p.rows[0] && q < p.rows[1] && (s === null || (s >= p.cols[0] && s < p.cols[1]));

  function value(q, s) {
    const head = drawn();
    if (!same(head, exact())) {
      const level = p.tiles[((head.layer * p.H + head.head) * p.T + q) * p.S + s] / (p.levels - 1);
      return level * level;
    }
    const array = p[stage === "masked" ? "scaled" : stage];
    return array[(q - p.rows[0]) * (p.cols[1] - p.cols[0]) + s - p.cols[0]];
  }

  // ---- drawing -------------------------------------------------------------------------------------------------
  function scale() {
    if (stage === "weights") {
      const shade = (w) => theme.violet(Math.sqrt(w));
      return { shade, text: (w) => weightText(w, 2).replace("<0", "<"), stops: theme.stops.violet, ticks: WEIGHT_TICKS };
    }
    const limit = niceLimit(p[stage === "raw" ? "raw" : "scaled"].reduce((most, x) => Math.max(most, Math.abs(x)), 0));
    const bound = String(Number(limit.toPrecision(1)));
    const ticks = [[0, `−${bound}`], [0.5, "0"], [1, `+${bound}`]];
    const text = (x) => signedText(x, Math.abs(x) < 9.95 ? 1 : 0);
    return { shade: (x) => theme.signed((x / limit + 1) / 2), text, stops: theme.stops.signed, ticks };
  }

  const later = () => (queued = queued || requestAnimationFrame(draw));

  function draw() {
    readTheme();
    cancelAnimationFrame(queued);
    queued = 0;
    if (!p || root.clientWidth < 40) return;
    width = root.clientWidth;
    const ratio = window.devicePixelRatio || 1;
    const beside = width >= SIDE_BY_SIDE;
    tg = tileGeometry(p, beside ? Math.floor(width * 0.46) : width, 560, ratio);
    drawTiles(tiles, p, tg, theme, ratio);
    keep("tiles", tiles, tg);
    right.style.width = `${beside ? width - tg.width - 24 : width}px`;
    drawHead();
    words();
  }

  function drawHead() {
    mg = matrixGeometry(matrix.getContext("2d"), p, right.clientWidth, 620);
    const look = scale();
    drawMatrix(matrix, p, mg, theme, window.devicePixelRatio || 1, { value, masked, ...look });
    keep("matrix", matrix, mg);
    drawLegend(legend, say(`legend_${stage === "masked" ? "scaled" : stage}`), look.stops, look.ticks, Math.min(240, right.clientWidth - 40));
    title.textContent = name(drawn());
    root.dataset.head = `${drawn().layer},${drawn().head}`;
    root.dataset.link = p.link;
    root.dataset.stage = stage;
    rings();
  }

  function keep(key, canvas, geometry) {
    [base[key].width, base[key].height] = [canvas.width, canvas.height];
    base[key].getContext("2d").drawImage(canvas, 0, 0);
    canvas.dataset.geometry = JSON.stringify(geometry);
  }

  function rings() {
    for (const [key, canvas] of [["tiles", tiles], ["matrix", matrix]]) {
      const ctx = canvas.getContext("2d");
      ctx.save();
      ctx.setTransform(1, 0, 0, 1, 0, 0);
      ctx.clearRect(0, 0, canvas.width, canvas.height);
      ctx.drawImage(base[key], 0, 0);
      ctx.restore();
    }
    if (over) ringTile(tiles.getContext("2d"), tg, over, theme.one("SECONDARY"));
    ringTile(tiles.getContext("2d"), tg, chosen, theme.one("INK"));
    const ctx = matrix.getContext("2d");
    const cell = hover || locked || cursor;
    if (cell) ringCell(ctx, p, mg, theme, cell);
    if (locked && inWindow(locked)) ringOne(ctx, mg, theme, locked);
    else if (cell && cell.s !== null && inWindow(cell)) ringOne(ctx, mg, theme, cell);
  }

  // ---- words ---------------------------------------------------------------------------------------------------
  function words() {
    const parts = [p.causal ? say("caption") : say("caption_open"), say("shape", p)];
    const pool = p.k * tg.pool;
    if (pool > 1) parts.push(say("pooled", { k: pool }));
    parts.push(say("levels", p));
    if (p.S > p.cols[1] - p.cols[0]) parts.push(say("window", { first: p.cols[0], last: p.cols[1] - 1, n: p.S }));
    if (p.causal && p.S === 1) parts.push(say("first"));
    caption.textContent = parts.join(p.lang === "zh" ? "" : " ");
    keys.textContent = say("keys");
    help.setAttribute("aria-label", say("help"));
    root.lang = p.lang;
    body.setAttribute("aria-label", say("label", p));
    tiles.setAttribute("aria-label", say("tiles_label"));
    matrix.setAttribute("aria-label", say("matrix_label", { ...p, head: name(exact()) }));
    stages.setAttribute("aria-label", say("stages"));
    if (stages.dataset.given !== given().join() || stages.dataset.lang !== p.lang) {
      stages.dataset.given = given().join();
      stages.dataset.lang = p.lang;
      const buttons = given().length > 1 ? given() : [];
      stages.replaceChildren(...buttons.map((s) => make("button", { type: "button", "data-stage": s }, say(`stage_${s}`))));
    }
    for (const button of stages.children) button.setAttribute("aria-pressed", String(button.dataset.stage === stage));
    tabulate();
    tell();
  }

  // The cell under the pointer or just reached by the arrows, else the locked one.
  const told = () => (hover && hover.s !== null ? hover : locked || cursor);

  // What that cell is.
  function tell() {
    const cell = told();
    if (over && over.i !== null) readout.textContent = tileWords();
    else readout.textContent = cell && inWindow(cell) ? cellWords(cell) : "";
  }

  const where = (head, query, q, key, s, text) => say("at", { head: name(head), query, q, key, s, value: text });

  function cellWords({ q, s }) {
    let text;
    if (masked(q, s)) text = say(stage === "masked" ? "masked_score" : "masked");
    else if (stage !== "weights") text = say(`value_${stage}`, { value: signedText(value(q, s), 4) });
    else if (same(drawn(), exact())) text = say("value_weights", { value: weightText(value(q, s), 4) });
    else text = aboutWords(value(q, s), 1);
    return where(drawn(), p.labels[q + p.shift], q + p.shift, p.labels[s], s, text);
  }

  // A weight that tiles hold: rounded, and the largest of k x k.
  const aboutWords = (w, k) => say(k > 1 ? "largest" : "about", { value: weightText(w, 2), k });

  function tileWords() {
    const { rows, cols } = tileCovers(p, tg, over.i, over.j);
    const range = (a, b, f) => (a === b ? f(a) : say("range", { first: f(a), last: f(b) }));
    const token = (position) => p.labels[position];
    const [q0, q1] = [rows[0] + p.shift, rows[1] + p.shift];
    const level = tileLevel(p, tg, over.layer, over.head, over.i, over.j) / (p.levels - 1);
    const text = tileMasked(p, tg, over.i, over.j) ? say("masked") : aboutWords(level ** 2, p.k * tg.pool);
    return where(over, range(q0, q1, token), range(q0, q1, String), range(...cols, token), range(...cols, String), text);
  }

  // The twin of the drawing for screen readers: the exact weights of one query.
  function tabulate() {
    const q = Math.min(Math.max((told() || { q: p.T - 1 }).q, p.rows[0]), p.rows[1] - 1);
    const span = p.cols[1] - p.cols[0];
    const row = (cell, ...texts) => {
      const tr = make("tr");
      tr.append(...texts.map((text) => make(cell, {}, text)));
      return tr;
    };
    twin.replaceChildren(make("caption", {}, say("table", { head: name(exact()), query: p.labels[q + p.shift] })));
    twin.append(row("th", say("table_key"), say("table_value")));
    for (let s = p.cols[0]; s < p.cols[1]; s++) {
      const w = p.weights[(q - p.rows[0]) * span + s - p.cols[0]];
      twin.append(row("td", p.labels[s], hides(q, s) ? say("masked") : weightText(w, 4)));
    }
  }

  // ---- acting --------------------------------------------------------------------------------------------------
  function choose(head, pause = 0) {
    chosen = head;
    clearTimeout(emitting);
    emitting = setTimeout(() => onPick({ ...head }), pause);
    wait();
    drawHead();
    tell();
  }

  function wait() {
    clearTimeout(dimming);
    clearTimeout(waiting);
    if (same(chosen, exact())) return right.classList.remove("g1v-waiting");
    if (!preview()) dimming = setTimeout(() => right.classList.add("g1v-waiting"), DIM_AFTER);
    waiting = setTimeout(() => {
      chosen = exact();
      right.classList.remove("g1v-waiting");
      draw();
    }, GIVE_UP_AFTER);
  }

  function lock(cell) {
    locked = cell && !(locked && locked.q === cell.q && locked.s === cell.s) ? cell : null;
    onPick({ ...chosen, query: locked ? locked.q : null, key: locked ? locked.s : null });
    rings();
    tabulate();
    tell();
  }

  function setStage(next) {
    if (!given().includes(next)) return;
    stage = next;
    drawHead();
    words();
  }

  function moveHead(dl, dh) {
    const head = { layer: chosen.layer + dl, head: chosen.head + dh };
    if (head.layer >= 0 && head.head >= 0 && head.layer < p.L && head.head < p.H) choose(head, KEY_PAUSE);
  }

  function moveCell(dq, ds) {
    const from = cursor || locked || { q: p.rows[1] - 1, s: p.cols[1] - 1 };
    const within = (x, [a, b]) => Math.min(Math.max(x, a), b - 1);
    cursor = { q: within(from.q + dq, p.rows), s: within(from.s + ds, p.cols) };
    hover = cursor;
    link.say(cursor.q + p.shift);
    rings();
    tabulate();
    tell();
  }

  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  function press(event) {
    if (!p || event.ctrlKey || event.altKey || event.metaKey) return;
    const step = given().indexOf(stage) + (event.key === "[" ? -1 : 1);
    if (ARROWS[event.key]) (event.shiftKey || event.target === tiles ? moveHead : moveCell)(...ARROWS[event.key]);
    else if (event.key === "Enter") lock(event.target === matrix ? cursor : null);
    else if (event.key === "Escape" && locked) lock(null);
    else if (event.key === "[" || event.key === "]") setStage(given()[step]);
    else if (event.key === "?") help.click();
    else if (event.key.startsWith("Page") && p.S > p.cols[1] - p.cols[0]) {
      onPick({ ...chosen, window: p.cols[0] + (event.key === "PageUp" ? -1 : 1) * (p.cols[1] - p.cols[0]) });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  const link = hoverLink((position) => {
    if (!p) return;
    hover = position === null || position < p.shift ? null : { q: position - p.shift, s: null };
    rings();
  });

  // ---- events --------------------------------------------------------------------------------------------------
  tiles.addEventListener("pointermove", (event) => {
    if (!p) return;
    const was = over;
    over = tileAt(p, tg, event.offsetX, event.offsetY);
    const moved = Boolean(was) !== Boolean(over) || (over && !same(was, over));
    const single = over && over.i !== null && p.k * tg.pool === 1;
    hover = single ? { q: over.i, s: over.j } : null;
    link.say(single ? over.i + p.shift : null);
    if (moved && preview()) drawHead();
    else rings();
    tell();
  });
  const leave = () => {
    if (!p) return;
    const redraw = over && preview();
    [over, hover] = [null, null];
    link.say(null);
    if (redraw) drawHead();
    else rings();
    tell();
  };
  tiles.addEventListener("pointerleave", leave);
  tiles.addEventListener("click", (event) => {
    const at = p && tileAt(p, tg, event.offsetX, event.offsetY);
    if (at) choose({ layer: at.layer, head: at.head });
  });
  matrix.addEventListener("pointermove", (event) => {
    if (!p) return;
    hover = matrixAt(mg, event.offsetX, event.offsetY);
    link.say(hover ? hover.q + p.shift : null);
    rings();
    tell();
  });
  matrix.addEventListener("pointerleave", leave);
  matrix.addEventListener("click", (event) => {
    const cell = p && matrixAt(mg, event.offsetX, event.offsetY);
    if (!cell) return;
    cursor = cell;
    lock(cell);
  });
  matrix.addEventListener("blur", () => {
    if (hover === cursor) leave();
  });
  for (const canvas of [tiles, matrix]) canvas.addEventListener("keydown", press);
  stages.addEventListener("click", (event) => event.target.dataset.stage && setStage(event.target.dataset.stage));
  help.addEventListener("click", () => {
    keys.hidden = !keys.hidden;
    help.setAttribute("aria-expanded", String(!keys.hidden));
  });

  const readTheme = watchTheme(root, (colours) => {
    theme = colours;
    later();
  });
  const resizes = new ResizeObserver(() => root.clientWidth !== width && later());
  resizes.observe(root);

  const update = receiver((payload) => {
    const asked = waiting && chosen;
    p = payload;
    if (p.factor !== null) p.scaled = p.raw.map((x) => x * p.factor);
    link.join(p.link);
    if (!asked || same(asked, exact()) || !p.tiles.length) chosen = exact();
    locked = p.cell ? { q: p.cell[0], s: p.cell[1] } : null;
    if (cursor && !inWindow(cursor)) cursor = null;
    [over, hover] = [null, null];
    if (!given().includes(stage)) stage = "weights";
    draw();
    if (theme) wait();
  });

  return {
    update,
    destroy() {
      for (const timer of [emitting, dimming, waiting]) clearTimeout(timer);
      cancelAnimationFrame(queued);
      resizes.disconnect();
      link.stop();
      root.remove();
    },
  };
}
