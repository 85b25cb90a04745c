// The large head: queries down, keys across, with labels on both axes.
const LABEL_MAX = 92;
const CELL_MAX = 48;

function clip(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  let n = text.length - 1;
  while (n > 1 && ctx.measureText(`${text.slice(0, n)}…`).width > width) n--;
  return `${text.slice(0, n)}…`;
}

// Sizes in CSS pixels of rows x cols cells and the gutters of their labels.
function matrixGeometry(ctx, p, width, height) {
  const [q0, q1] = p.rows;
  const [s0, s1] = p.cols;
  const [m, n] = [q1 - q0, s1 - s0];
  ctx.font = `12px ${PALETTE.MONO}`;
  let longest = 58; // room for the names of the axes
  for (let s = s0; s < s1; s++) longest = Math.max(longest, ctx.measureText(p.labels[s]).width);
  const gutter = Math.ceil(Math.min(LABEL_MAX, longest)) + 8;
  const cell = Math.max(1, Math.min((width - gutter - 4) / n, (height - gutter) / m, CELL_MAX));
  const whole = cell >= 8 ? Math.floor(cell) : cell; // even cells where there is room for them
  return {
    m, n, q0, s0, cell: whole, left: gutter, top: gutter,
    width: Math.ceil(gutter + n * whole) + 4, height: Math.ceil(gutter + m * whole) + 4,
  };
}

function drawMatrix(canvas, p, g, theme, ratio, { value, masked, shade, text }) {
  const ctx = sizeCanvas(canvas, g.width, g.height, ratio);
  const small = document.createElement("canvas");
  small.width = g.n;
  small.height = g.m;
  const pen = small.getContext("2d");
  const image = pen.createImageData(g.n, g.m);
  for (let i = 0; i < g.m; i++)
    for (let j = 0; j < g.n; j++) {
      if (masked(g.q0 + i, g.s0 + j)) continue;
      image.data.set(shade(value(g.q0 + i, g.s0 + j)), 4 * (i * g.n + j));
      image.data[4 * (i * g.n + j) + 3] = 255;
    }
  pen.putImageData(image, 0, 0);
  const [w, v] = [g.n * g.cell, g.m * g.cell];
  ctx.fillStyle = theme.one("PAPER");
  ctx.fillRect(g.left, g.top, w, v);
  ctx.fillStyle = hatching(ctx, theme.one("HATCH"), ratio);
  for (let i = 0; i < g.m; i++)
    for (let j = 0; j < g.n; j++)
      if (masked(g.q0 + i, g.s0 + j)) {
        // the rest of the row is masked too: one rectangle
        ctx.fillRect(g.left + j * g.cell, g.top + i * g.cell, (g.n - j) * g.cell, g.cell);
        break;
      }
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(small, g.left, g.top, w, v);
  if (g.cell >= 12) {
    ctx.fillStyle = theme.one("PAPER");
    for (let j = 1; j < g.n; j++) ctx.fillRect(g.left + j * g.cell - 0.5, g.top, 1, v);
    for (let i = 1; i < g.m; i++) ctx.fillRect(g.left, g.top + i * g.cell - 0.5, w, 1);
  }
  ctx.strokeStyle = theme.one("BORDER");
  ctx.lineWidth = 1;
  ctx.strokeRect(g.left - 0.5, g.top - 0.5, w + 1, v + 1);
  if (g.cell >= 31) {
    ctx.font = `12px ${PALETTE.MONO}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (let i = 0; i < g.m; i++)
      for (let j = 0; j < g.n; j++) {
        if (masked(g.q0 + i, g.s0 + j)) continue;
        const x = value(g.q0 + i, g.s0 + j);
        ctx.fillStyle = textOn(shade(x));
        ctx.fillText(text(x), g.left + (j + 0.5) * g.cell, g.top + (i + 0.5) * g.cell);
      }
  }
  drawLabels(ctx, p, g, theme);
}

// As many labels as fit at 12 px; none overlaps another.
function drawLabels(ctx, p, g, theme) {
  const every = Math.max(1, Math.ceil(13 / g.cell));
  for (let i = 0; i < g.m; i += every) rowLabel(ctx, p, g, g.q0 + i, theme.one("QUERY"));
  for (let j = 0; j < g.n; j += every) columnLabel(ctx, p, g, g.s0 + j, theme.one("KEY"));
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  ctx.fillStyle = theme.one("KEY");
  ctx.fillText(p.strings.axis_key, g.left - 14, g.top - 24);
  ctx.fillStyle = theme.one("QUERY");
  ctx.fillText(p.strings.axis_query, g.left - 14, g.top - 6);
}

function rowLabel(ctx, p, g, q, colour, paper) {
  ctx.font = `12px ${PALETTE.MONO}`;
  const text = clip(ctx, p.labels[q + p.shift], g.left - 8);
  const y = g.top + (q - g.q0 + 0.5) * g.cell;
  if (paper) {
    ctx.fillStyle = paper;
    ctx.fillRect(g.left - 10 - ctx.measureText(text).width, y - 8, ctx.measureText(text).width + 8, 16);
  }
  ctx.fillStyle = colour;
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  ctx.fillText(text, g.left - 6, y);
}

function columnLabel(ctx, p, g, s, colour, paper) {
  ctx.save();
  ctx.translate(g.left + (s - g.s0 + 0.5) * g.cell, g.top - 6);
  ctx.rotate(-Math.PI / 2);
  ctx.font = `12px ${PALETTE.MONO}`;
  const text = clip(ctx, p.labels[s], g.top - 8);
  if (paper) {
    ctx.fillStyle = paper;
    ctx.fillRect(-4, -8, ctx.measureText(text).width + 8, 16);
  }
  ctx.fillStyle = colour;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillText(text, 0, 0);
  ctx.restore();
}

// Which cell lies at (x, y): {q, s}, or null.
function matrixAt(g, x, y) {
  const [i, j] = [Math.floor((y - g.top) / g.cell), Math.floor((x - g.left) / g.cell)];
  return i >= 0 && j >= 0 && i < g.m && j < g.n ? { q: g.q0 + i, s: g.s0 + j } : null;
}

// The query's row and the key's column in their colours; `s` may be null (a row only).
function ringCell(ctx, p, g, theme, { q, s }) {
  const inside = (x, from, n) => x !== null && x >= from && x < from + n;
  ctx.lineWidth = 2;
  if (inside(q, g.q0, g.m)) {
    rowLabel(ctx, p, g, q, theme.one("QUERY"), theme.one("PANEL"));
    ctx.strokeStyle = theme.one("QUERY");
    ctx.strokeRect(g.left - 1, g.top + (q - g.q0) * g.cell - 1, g.n * g.cell + 2, g.cell + 2);
  }
  if (inside(s, g.s0, g.n)) {
    columnLabel(ctx, p, g, s, theme.one("KEY"), theme.one("PANEL"));
    ctx.strokeStyle = theme.one("KEY");
    ctx.strokeRect(g.left + (s - g.s0) * g.cell - 1, g.top - 1, g.cell + 2, g.m * g.cell + 2);
  }
}

// The cell itself in ink.
function ringOne(ctx, g, theme, { q, s }) {
  ctx.strokeStyle = theme.one("INK");
  ctx.lineWidth = 2;
  ctx.strokeRect(g.left + (s - g.s0) * g.cell - 1, g.top + (q - g.q0) * g.cell - 1, g.cell + 2, g.cell + 2);
}
