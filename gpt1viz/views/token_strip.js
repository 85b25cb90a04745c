// The tokens as chips coloured by a value. mount(el, onPick) -> {update(bytes), destroy()}. Picks: {focus}.
const STRIP_STYLE = `
.g1v-strip { display: flex; flex-wrap: wrap; row-gap: 6px; max-height: 264px; overflow-y: auto; padding: 4px; }
.g1v-word { display: inline-flex; flex-wrap: wrap; max-width: 100%; margin-right: 6px; row-gap: 6px; }
.g1v-chip { height: 24px; min-width: 24px; max-width: min(100%, 280px); padding: 0 5px; font: 14px/22px ${PALETTE.MONO}; text-align: center;
  white-space: pre; overflow: hidden; text-overflow: ellipsis; cursor: pointer;
  background-color: var(--g1v-paper); color: var(--g1v-ink);
  border: 1px solid var(--g1v-hatch); border-right-width: 0; border-left-width: 0; }
.g1v-chip:first-child { border-left-width: 1px; border-radius: 4px 0 0 4px; }
.g1v-chip:last-child { border-right-width: 1px; border-radius: 0 10px 10px 0; padding-right: 8px; }
.g1v-chip:only-child { border-radius: 4px 10px 10px 4px; }
.g1v-chip + .g1v-chip { border-left: 2px dotted var(--g1v-border); }
.g1v-chip.g1v-unknown, .g1v-chip.g1v-masked {
  background-image: repeating-linear-gradient(-45deg, var(--g1v-hatch) 0 1px, transparent 1px 5px); }
.g1v-word > .g1v-special { border-radius: 12px; padding: 0 10px; }
.g1v-break { flex-basis: 100%; height: 0; }
.g1v-bracket { font: 700 18px/24px ${PALETTE.MONO}; margin-right: 4px; }
.g1v-chip[aria-selected=true] { outline: 2px solid var(--g1v-ink); outline-offset: 1px; }
.g1v-chip.g1v-hovered { outline: 2px solid var(--g1v-query); outline-offset: 1px; }
.g1v-chip:focus-visible { outline: 3px solid var(--g1v-link); outline-offset: 1px; }
.g1v-foot { display: flex; flex-wrap: wrap; gap: 0 16px; align-items: flex-start; padding: 4px; }
`;
const BITS_TICKS = [0, 3, 6, 9, 12, 15].map((bits) => [bits / 15, String(bits)]);
const TOP_RANK = 50000; // the colour of a rank is its logarithm up to here: about GPT-1's vocabulary

// Place of a value on its scale, 0..1, and how it is written.
const MEASURES = {
  probability: { stops: "violet", place: Math.sqrt, text: percentText, ticks: WEIGHT_TICKS },
  attention: { stops: "violet", place: Math.sqrt, text: (w) => weightText(w, 2), ticks: WEIGHT_TICKS },
  surprisal: { stops: "amber", place: (bits) => bits / 15, text: (bits) => bits.toFixed(1), ticks: BITS_TICKS },
  entropy: { stops: "amber", place: (bits) => bits / 15, text: (bits) => bits.toFixed(1), ticks: BITS_TICKS },
  rank: {
    stops: "amber", place: (rank) => Math.log(Math.max(rank, 1)) / Math.log(TOP_RANK), text: wholeText,
    ticks: [1, 10, 100, 1000, 10000].map((rank) => [Math.log(rank) / Math.log(TOP_RANK), wholeText(rank)]),
  },
};

function mount(el, onPick) {
  const root = el.appendChild(make("div", { class: "g1v", "data-lm-suppress-shortcuts": "true" }));
  root.append(make("style", {}, STYLE + STRIP_STYLE));
  const strip = root.appendChild(make("div", { class: "g1v-strip", role: "listbox", "aria-orientation": "horizontal" }));
  const foot = root.appendChild(make("div", { class: "g1v-foot" }));
  const legend = foot.appendChild(make("div", { class: "g1v-legend" }));
  const readout = foot.appendChild(make("div", { class: "g1v-readout", "aria-live": "polite", style: "flex: 1 1 240px" }));
  const cut = root.appendChild(make("div", { class: "g1v-note" }));

  let [p, theme] = [null, null]; // payload, colours
  let chips = [];
  let roving = 0; // the chip that Tab reaches
  let from = null; // the token whose attention colours the strip at the moment
  let queued = 0;

  const say = (key, values = {}) => fill(p.strings[key], values);
  const kind = () => (from === null ? p.kind : "attention");
  // The token whose attention is shown, or null.
  const query = () => (from === null && p.kind === "attention" ? p.focus : from);
  const value = (i) => (from === null ? p.values[i] : (p.attention[from * chips.length + i] / 65535) ** 2);
  const masked = (i) => query() !== null && i > query() && value(i) === 0;

  // ---- chips ---------------------------------------------------------------------------------------------------
  function build() {
    const [first, behind] = p.window || [-1, -1];
    chips = [];
    strip.replaceChildren();
    let word = null;
    p.tokens.forEach((token, i) => {
      if (i === first) strip.append(make("span", { class: "g1v-bracket", "aria-hidden": "true" }, "["));
      if (!word) word = strip.appendChild(make("span", { class: "g1v-word", role: "presentation" }));
      const chip = make("span", { class: "g1v-chip", role: "option", tabindex: "-1", "data-i": i }, token.label);
      if (token.unknown) chip.classList.add("g1v-unknown");
      if (token.special) chip.classList.add("g1v-special");
      chips.push(word.appendChild(chip));
      if (token.word_end || token.special || token.newline || i + 1 === first || i + 1 === behind) word = null;
      if (i + 1 === behind) strip.append(make("span", { class: "g1v-bracket", "aria-hidden": "true" }, "]"));
      if (token.newline) strip.append(make("span", { class: "g1v-break", role: "presentation" }));
    });
  }

  function paint() {
    const { stops, place } = MEASURES[kind()];
    chips.forEach((chip, i) => {
      const token = p.tokens[i];
      const x = value(i);
      const fill = Number.isNaN(x) || masked(i) ? null : theme[stops](place(x));
      chip.classList.toggle("g1v-masked", masked(i));
      if (token.special && from === null) {
        const solid = rgb(theme.one(token.special.toUpperCase()));
        chip.style.backgroundColor = css(solid);
        chip.style.color = textOn(solid);
      } else {
        chip.style.backgroundColor = fill ? css(fill) : "";
        chip.style.color = fill ? textOn(fill) : "";
      }
    });
  }

  function draw() {
    readTheme();
    cancelAnimationFrame(queued);
    queued = 0;
    if (!p) return;
    paint();
    const measure = MEASURES[kind()];
    const what = from === null ? say(`legend_${p.kind}`) : say("from", { token: p.tokens[from].label, position: from });
    drawLegend(legend, what, theme.stops[measure.stops], measure.ticks, 200);
    root.dataset.kind = kind();
    root.lang = p.lang;
    strip.setAttribute("aria-label", say("label", { n: chips.length, kind: say(`kind_${p.kind}`) }));
    cut.textContent = p.n_typed > chips.length ? say("cut", { n: chips.length, m: p.n_typed }) : "";
    chips.forEach((chip, i) => {
      chip.setAttribute("aria-selected", String(i === p.focus));
      chip.tabIndex = i === roving ? 0 : -1;
    });
    tell(p.focus);
  }

  function words(i) {
    const token = p.tokens[i];
    const parts = [say("token", { label: token.label, position: i })];
    parts.push(say("entry", token));
    if (token.unknown) parts.push(say("unknown"));
    if (token.id !== null) parts.push(say("id", token));
    if (token.end > token.start) parts.push(say("typed", { start: token.start, end: token.end - 1 }));
    if (Number.isNaN(p.values[i])) parts.push(say("none"));
    else if (from === null && masked(i)) parts.push(say("masked"));
    else parts.push(say(`value_${p.kind}`, { value: MEASURES[p.kind].text(p.values[i]) }));
    return parts.join(" · ");
  }

  function tell(i) {
    readout.textContent = i === null ? say("hint") : words(i);
  }

  // ---- acting --------------------------------------------------------------------------------------------------
  function mark(i) {
    for (const chip of strip.querySelectorAll(".g1v-hovered")) chip.classList.remove("g1v-hovered");
    if (i !== null && chips[i]) chips[i].classList.add("g1v-hovered");
  }

  // The pointer or the keyboard is at token i, or has left (null).
  function visit(i) {
    mark(i);
    link.say(i);
    if (p.attention && i !== from) {
      from = i;
      draw();
    }
    tell(i === null ? p.focus : i);
  }

  function go(i) {
    chips[roving].tabIndex = -1;
    roving = Math.min(Math.max(i, 0), chips.length - 1);
    chips[roving].tabIndex = 0;
    chips[roving].focus();
  }

  const link = hoverLink((position) => p && mark(position));
  const at = (event) => (event.target.dataset.i === undefined ? null : Number(event.target.dataset.i));

  function choose(i) {
    p.focus = roving = i;
    chips.forEach((chip, j) => chip.setAttribute("aria-selected", String(j === i)));
    onPick({ focus: i });
  }

  strip.addEventListener("pointerover", (event) => p && at(event) !== null && visit(at(event)));
  strip.addEventListener("pointerleave", () => p && visit(null));
  strip.addEventListener("click", (event) => p && at(event) !== null && choose(at(event)));
  strip.addEventListener("focusin", (event) => p && at(event) !== null && event.target.matches(":focus-visible") && visit(at(event)));
  strip.addEventListener("focusout", () => p && visit(null));
  strip.addEventListener("keydown", (event) => {
    if (!p || at(event) === null || event.ctrlKey || event.altKey || event.metaKey) return;
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1, Home: -chips.length, End: chips.length };
    if (moves[event.key]) go(at(event) + moves[event.key]);
    else if (event.key === "Enter" || event.key === " ") choose(at(event));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const readTheme = watchTheme(root, (colours) => {
    theme = colours;
    queued = queued || requestAnimationFrame(draw);
  });

  const update = receiver((payload) => {
    const focused = chips.findIndex((chip) => chip.matches(":focus"));
    p = payload;
    from = null;
    link.join(p.link);
    build();
    roving = Math.min(focused >= 0 ? focused : p.focus || 0, chips.length - 1);
    draw();
    if (focused >= 0) go(focused);
    else if (p.focus !== null) reveal(chips[p.focus]);
  });

  // Scrolls the strip, not the page.
  function reveal(chip) {
    const top = chip.offsetTop - strip.offsetTop;
    if (top < strip.scrollTop || top + 24 > strip.scrollTop + strip.clientHeight) strip.scrollTop = top - strip.clientHeight / 2;
  }

  return {
    update,
    destroy() {
      cancelAnimationFrame(queued);
      link.stop();
      root.remove();
    },
  };
}
