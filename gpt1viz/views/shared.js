// What both views share: decoding, colours, theme, numbers, small DOM helpers, the hover link between views.
const PALETTE = "__PALETTE__";

// ---- payload -------------------------------------------------------------------------------------------------
const ARRAYS = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };

function asBytes(data) {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(data);
}

function sameBytes(a, b) {
  if (!a || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

// Bytes -> {header..., arrays by name}: see gpt1viz/views/payload.py.
async function decode(bytes) {
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)));
  const payload = { ...header };
  for (const { name, dtype, offset, length } of header.arrays) {
    const blob = new Blob([bytes.subarray(4 + size + offset, 4 + size + offset + length)]);
    const stream = blob.stream().pipeThrough(new DecompressionStream("deflate"));
    payload[name] = new ARRAYS[dtype](await new Response(stream).arrayBuffer());
  }
  return payload;
}

// Decodes payloads in order and hands on the newest; equal bytes are not drawn twice.
function receiver(draw) {
  let last = null;
  let turn = 0;
  return async (data) => {
    const bytes = asBytes(data);
    if (bytes.length < 4 || sameBytes(last, bytes)) return;
    last = bytes.slice();
    const mine = ++turn;
    const payload = await decode(last);
    if (mine === turn) draw(payload);
  };
}

// ---- colours -------------------------------------------------------------------------------------------------
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const css = (c) => `rgb(${c[0]},${c[1]},${c[2]})`;

// Stops -> function of u in [0, 1], straight between neighbouring stops.
function ramp(stops) {
  const table = [];
  const last = stops.length - 1;
  for (let i = 0; i < 256; i++) {
    const x = (i / 255) * last;
    const j = Math.min(Math.floor(x), last - 1);
    const [a, b] = [rgb(stops[j]), rgb(stops[j + 1])];
    table.push(a.map((v, n) => Math.round(v + (b[n] - v) * (x - j))));
  }
  return (u) => table[Math.round(255 * Math.min(1, Math.max(0, u)))];
}

function colours(dark) {
  const one = (name) => PALETTE[name][dark ? 1 : 0];
  const [violet, amber] = [one("VIOLET"), one("AMBER")];
  const both = [...amber.slice(1).reverse(), ...violet];
  return {
    dark, one, stops: { violet, amber, signed: both },
    violet: ramp(violet), amber: ramp(amber), signed: ramp(both),
  };
}

function luminance([r, g, b]) {
  const lin = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * lin[0] + 0.7152 * lin[1] + 0.0722 * lin[2];
}

// Black or white, whichever contrasts more.
const textOn = (c) => (luminance(c) > 0.179 ? "#000000" : "#FFFFFF");

// Limit of a signed scale: 1, 2 or 5 times a power of ten.
function niceLimit(max) {
  if (!(max > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(max));
  return ([1, 2, 5].find((m) => max <= m * power * 1.0000001) || 10) * power;
}

// ---- theme ---------------------------------------------------------------------------------------------------
// The host's background decides between light and dark. The probe's own transition tells when a host changes it.
function watchTheme(root, changed) {
  const probe = root.appendChild(make("i", { class: "g1v-probe", "aria-hidden": "true" }));
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  let dark = null;
  const read = () => {
    pixel.fillStyle = "#fff";
    pixel.fillRect(0, 0, 1, 1);
    pixel.fillStyle = getComputedStyle(probe).backgroundColor || "#fff";
    pixel.fillRect(0, 0, 1, 1);
    const now = luminance(pixel.getImageData(0, 0, 1, 1).data) < 0.179;
    if (now === dark) return;
    dark = now;
    root.dataset.theme = dark ? "dark" : "light";
    const theme = colours(dark);
    for (const name of ["PAPER", "PANEL", "INK", "SECONDARY", "BORDER", "HATCH", "PRIMARY", "LINK", "QUERY", "KEY"])
      root.style.setProperty(`--g1v-${name.toLowerCase()}`, theme.one(name));
    changed(theme);
  };
  probe.addEventListener("transitionend", read);
  return read;
}

// ---- numbers -------------------------------------------------------------------------------------------------
// Weights: exactly 0 and 1 without decimals, never rounded to them.
function weightText(w, digits) {
  if (w === 0 || w === 1) return String(w);
  const text = w.toFixed(digits);
  const least = (10 ** -digits).toFixed(digits);
  if (Number(text) === 0) return `<${least}`;
  return Number(text) === 1 && w < 1 ? `>${(1 - 10 ** -digits).toFixed(digits)}` : text;
}

function percentText(p) {
  const x = 100 * p;
  if (p === 0 || p === 1) return `${x}%`;
  if (x < 0.001) return "<0.001%";
  if (x < 1) return `${Number(x.toPrecision(2))}%`;
  return x >= 99.95 ? ">99.9%" : `${x.toFixed(1)}%`;
}

function signedText(x, digits) {
  const text = Math.abs(x).toFixed(digits);
  return Number(text) === 0 ? text : (x < 0 ? "−" : "+") + text;
}

const wholeText = (n) => Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, ",");

// ---- DOM -----------------------------------------------------------------------------------------------------
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));

function make(tag, attributes = {}, text = null) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
}

const STYLE = `
.g1v { position: relative; box-sizing: border-box; width: 100%; font: 13px/1.5 ${PALETTE.SANS};
  color: var(--st-text-color, var(--jp-ui-font-color1, var(--g1v-ink))); }
.g1v *, .g1v *::before { box-sizing: border-box; }
.g1v canvas { display: block; touch-action: pan-y; }
.g1v-probe { position: absolute; width: 1px; height: 1px; clip-path: inset(50%); pointer-events: none;
  transition: background-color 1ms;
  background-color: var(--st-background-color, var(--jp-layout-color0, var(--vscode-editor-background, Canvas))); }
.g1v-hidden { position: absolute; top: 0; left: 0; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.g1v-note { color: var(--g1v-secondary); }
.g1v-readout { min-height: 20px; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.g1v-legend { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: flex-start; padding-right: 8px; }
.g1v-legend > div { flex: none; }
.g1v-legend i { display: block; height: 10px; margin-top: 5px; border: 1px solid var(--g1v-border); }
.g1v-legend span { position: relative; display: block; height: 18px; font: 12px/18px ${PALETTE.MONO}; }
.g1v-legend b { position: absolute; transform: translateX(-50%); font-weight: normal; }
.g1v :focus-visible { outline: 2px solid var(--g1v-ink); outline-offset: 2px; }
.g1v button { font: inherit; min-height: 24px; min-width: 24px; padding: 1px 8px; color: inherit; cursor: pointer;
  background: transparent; border: 1px solid var(--g1v-border); border-radius: 4px; }
.g1v button[aria-pressed=true] { background: var(--g1v-primary); border-color: var(--g1v-primary); color: #fff; }
`;

// What the colours mean, and a bar of them with ticks [[place in 0..1, label], ...].
function drawLegend(node, words, stops, ticks, width) {
  const bar = make("i");
  bar.style.cssText = `width:${width}px;background:linear-gradient(90deg,${stops.join(",")})`;
  const row = make("span", { style: `width:${width}px` });
  for (const [place, text] of ticks) row.append(make("b", { style: `left:${100 * place}%` }, text));
  const box = make("div");
  box.append(bar, row);
  node.replaceChildren(make("div", { class: "g1v-note" }, words), box);
}

const WEIGHT_TICKS = [0, 0.01, 0.1, 0.25, 0.5, 1].map((w) => [Math.sqrt(w), w < 1 ? String(w).replace("0.", ".") : "1"]);

// Hovering a position in one view shows it in all views of the same text.
function hoverLink(heard) {
  const me = {};
  let group = null;
  const listen = ({ detail }) => {
    if (detail.from !== me && (detail.link === undefined || detail.link === group)) heard(detail.position);
  };
  document.addEventListener("gpt1viz:hover", listen);
  return {
    join: (link) => (group = link),
    say: (position) =>
      document.dispatchEvent(new CustomEvent("gpt1viz:hover", { detail: { position, link: group, from: me } })),
    stop: () => document.removeEventListener("gpt1viz:hover", listen),
  };
}
