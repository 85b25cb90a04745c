// The small multiples: L rows of H tiles, each the pooled weights of one head.
const TILE_GAP = 5; // 1 px of paper, 2 px of ring, 2 px of paper
const TILE_LEFT = 30;
const TILE_TOP = 20;

// Sizes in CSS pixels; `pool` groups payload cells where a tile has fewer pixels than cells.
function tileGeometry(p, width, height, ratio) {
  const [rows, cols] = [Math.ceil(p.T / p.k), Math.ceil(p.S / p.k)];
  const fit = Math.min((width - TILE_LEFT) / p.H, Math.max(height / p.L, 20), 68);
  const step = Math.max(6, Math.floor(fit));
  const size = step - TILE_GAP;
  const pool = Math.max(1, Math.ceil(Math.max(rows, cols) / Math.max(1, Math.floor(size * ratio))));
  const [m, n] = [Math.ceil(rows / pool), Math.ceil(cols / pool)];
  const cell = size / Math.max(m, n);
  return {
    step, size, pool, rows, cols, m, n, cell, left: TILE_LEFT, top: TILE_TOP,
    width: TILE_LEFT + p.H * step - TILE_GAP + 3, height: TILE_TOP + p.L * step - TILE_GAP + 3,
  };
}

// The level of a drawn cell (i, j) of head (l, h): the maximum of pool x pool payload cells.
function tileLevel(p, g, l, h, i, j) {
  const base = (l * p.H + h) * g.rows * g.cols;
  let most = 0;
  for (let q = i * g.pool; q < Math.min((i + 1) * g.pool, g.rows); q++)
    for (let s = j * g.pool; s < Math.min((j + 1) * g.pool, g.cols); s++) most = Math.max(most, p.tiles[base + q * g.cols + s]);
  return most;
}

// Tokens that a drawn cell covers: [first, last] query rows and key columns.
function tileCovers(p, g, i, j) {
  const each = p.k * g.pool;
  return {
    rows: [i * each, Math.min((i + 1) * each, p.T) - 1],
    cols: [j * each, Math.min((j + 1) * each, p.S) - 1],
  };
}

// Masked: even the last query of the cell comes before its first key.
function tileMasked(p, g, i, j) {
  const { rows, cols } = tileCovers(p, g, i, j);
  return p.causal && cols[0] > rows[1] + p.shift;
}

// Hatching at 45 degrees, for what is masked.
function hatching(ctx, colour, ratio, spacing = 6) {
  const side = Math.round(spacing * ratio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = side;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = ratio;
  pen.beginPath();
  for (const d of [-side, 0, side]) {
    pen.moveTo(d - 1, side + 1);
    pen.lineTo(d + side + 1, -1);
  }
  pen.stroke();
  const pattern = ctx.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}

// A canvas of `width` x `height` CSS pixels, its context scaled so that one unit is one CSS pixel.
function sizeCanvas(canvas, width, height, ratio) {
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ctx;
}

// One pixel a cell for every head, side by side; masked cells are left transparent.
function tileMosaic(p, g, theme) {
  const canvas = document.createElement("canvas");
  canvas.width = p.H * g.n;
  canvas.height = p.L * g.m;
  const ctx = canvas.getContext("2d");
  const image = ctx.createImageData(canvas.width, canvas.height);
  const shade = Array.from({ length: p.levels }, (_, level) => theme.violet(level / (p.levels - 1)));
  const hidden = Array.from({ length: g.m }, (_, i) => Array.from({ length: g.n }, (_, j) => tileMasked(p, g, i, j)));
  for (let l = 0; l < p.L; l++)
    for (let h = 0; h < p.H; h++)
      for (let i = 0; i < g.m; i++)
        for (let j = 0; j < g.n; j++) {
          if (hidden[i][j]) continue;
          const at = 4 * ((l * g.m + i) * canvas.width + h * g.n + j);
          image.data.set(shade[tileLevel(p, g, l, h, i, j)], at);
          image.data[at + 3] = 255;
        }
  ctx.putImageData(image, 0, 0);
  return canvas;
}

function drawTiles(canvas, p, g, theme, ratio) {
  const ctx = sizeCanvas(canvas, g.width, g.height, ratio);
  const mosaic = tileMosaic(p, g, theme);
  const hatch = hatching(ctx, theme.one("HATCH"), ratio, 5);
  ctx.imageSmoothingEnabled = false;
  ctx.font = `12px ${PALETTE.MONO}`;
  ctx.fillStyle = theme.one("SECONDARY");
  ctx.textBaseline = "middle";
  ctx.textAlign = "center";
  const every = g.step < 26 ? 2 : 1;
  for (let h = 0; h < p.H; h += every) ctx.fillText(`H${h}`, g.left + h * g.step + g.size / 2, g.top / 2);
  ctx.textAlign = "right";
  for (let l = 0; l < p.L; l += g.step < 14 ? 2 : 1) ctx.fillText(`L${l}`, g.left - 6, g.top + l * g.step + g.size / 2);
  const [w, v] = [g.n * g.cell, g.m * g.cell];
  for (let l = 0; l < p.L; l++)
    for (let h = 0; h < p.H; h++) {
      const [x, y] = [g.left + h * g.step, g.top + l * g.step];
      ctx.fillStyle = theme.one("PAPER");
      ctx.fillRect(x, y, w, v);
      if (p.causal) {
        ctx.fillStyle = hatch;
        ctx.fillRect(x, y, w, v);
      }
      ctx.drawImage(mosaic, h * g.n, l * g.m, g.n, g.m, x, y, w, v);
    }
}

// What lies at (x, y): {layer, head, i, j}, or null.
function tileAt(p, g, x, y) {
  const [h, l] = [Math.floor((x - g.left) / g.step), Math.floor((y - g.top) / g.step)];
  if (h < 0 || l < 0 || h >= p.H || l >= p.L) return null;
  const i = Math.floor((y - g.top - l * g.step) / g.cell);
  const j = Math.floor((x - g.left - h * g.step) / g.cell);
  return i < g.m && j < g.n ? { layer: l, head: h, i, j } : { layer: l, head: h, i: null, j: null };
}

// A 2 px ring around a tile.
function ringTile(ctx, g, { layer, head }, colour) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2;
  ctx.strokeRect(g.left + head * g.step - 2, g.top + layer * g.step - 2, g.n * g.cell + 4, g.m * g.cell + 4);
}
