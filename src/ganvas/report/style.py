"""Looks and the one script of our pages. Series take the colours of Okabe and Ito, readable for colour-blind readers."""

PAGE_STYLE = """
:root{--page:#fff;--ink:#1b1f24;--soft:#59626d;--rule:#e3e7eb;--panel:#f6f8f9;--accent:#0b5cad;
--mark:#e7f2ec;--mark-ink:#0d5c3d;--warn:#9a4a00;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#b1568f;--c4:#a87400;--c5:#3a9bd6;--c6:#5b6570;--c7:#7a4fb0}
@media (prefers-color-scheme:dark){:root{--page:#14171a;--ink:#e6e9ec;--soft:#9aa5b0;--rule:#2c3238;
--panel:#1b1f24;--accent:#7ab8f5;--mark:#173328;
--mark-ink:#7fd6ad;--warn:#f0a35e;--c0:#5aaee8;--c1:#f58442;--c2:#35c598;--c3:#e394c4;--c4:#e8b33d;
--c5:#93d0f5;--c6:#a6b0ba;--c7:#bb9bea}}
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
main{max-width:1040px;margin:0 auto;padding:48px 24px 72px}
h1{font-size:2.1rem;line-height:1.15;letter-spacing:-.02em;font-weight:650;margin:0 0 6px;
overflow-wrap:anywhere}
h2{font-size:1.3rem;letter-spacing:-.01em;font-weight:640;margin:0 0 6px}
h3{font-size:.95rem;font-weight:620;margin:0}
p{margin:0 0 12px;max-width:72ch}
section{margin-top:52px;padding-top:28px;border-top:1px solid var(--rule)}
header p{margin-bottom:4px}
.eyebrow,.lead,.note,.key,figcaption,caption,dt,summary{color:var(--soft)}
.eyebrow{font-size:.8rem;letter-spacing:.07em;text-transform:uppercase;margin-bottom:10px}
.lead{margin-bottom:20px}
.note,.key,figcaption{font-size:.875rem}
.verdict{font-size:1.12rem;margin-top:18px}
.warn{border-left:3px solid var(--warn);padding:2px 0 2px 14px;margin:18px 0;max-width:76ch}
a{color:var(--accent);text-underline-offset:3px}
:focus-visible{outline:2px solid var(--accent);outline-offset:3px;border-radius:3px}
nav{margin-top:22px;display:flex;flex-wrap:wrap;gap:4px 20px;font-size:.925rem}
code{font:.875em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;
overflow-wrap:anywhere}
pre{font:.875rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;white-space:pre-wrap;
overflow-wrap:anywhere;max-height:34rem;overflow-y:auto;background:var(--panel);border-radius:8px;padding:14px 16px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:1px;background:var(--rule);
border:1px solid var(--rule);border-radius:10px;overflow:hidden;margin:26px 0 0;padding:0}
.tiles div{background:var(--page);padding:14px 18px 12px;display:block}
.tiles dt{font-size:.8rem}
.tiles dd{font-size:1.4rem;font-weight:600;letter-spacing:-.01em;font-variant-numeric:tabular-nums;
line-height:1.3}
.tiles small{display:block;font-size:.8rem;font-weight:400;letter-spacing:0;color:var(--soft)}
dl{margin:0}
dl>div{display:grid;grid-template-columns:minmax(110px,200px) minmax(0,1fr);gap:2px 20px;padding:7px 0;
border-bottom:1px solid var(--rule)}
dl.tiles>div{border:0}
dt{font-size:.9rem}
dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto;margin:0 0 10px}
.attention{margin-bottom:28px}
.attention table{width:auto}
.attention td,.attention th{padding:0;border:0;min-width:22px;height:22px}
.attention tbody th{padding-right:8px;text-align:right;vertical-align:middle}
.attention thead th{vertical-align:bottom}
.attention thead span{writing-mode:vertical-rl;transform:rotate(180deg);padding-top:6px}
.attention td{background:var(--c0);border:1px solid var(--page)}
table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:left;font-size:.875rem;padding-bottom:6px}
th,td{text-align:left;vertical-align:top;padding:8px 18px 8px 0;border-bottom:1px solid var(--rule);
font-weight:400}
thead th{color:var(--soft);font-size:.8rem;border-bottom-color:var(--soft);white-space:nowrap;
vertical-align:bottom}
tbody th{font-weight:560;white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td:last-child,th:last-child{padding-right:2px}
.tag{display:inline-block;background:var(--mark);color:var(--mark-ink);border-radius:4px;padding:0 7px;
font-size:.78rem;font-weight:560;margin-left:6px;white-space:nowrap}
.faint{color:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr));gap:34px 40px}
figure{margin:0;min-width:0}
.wide+.wide{margin-top:34px}
.wide+.charts,details+.charts,.note+.charts{margin-top:34px}
.charts h3{margin-bottom:2px}
svg.chart{display:block;width:100%;height:auto;overflow:visible;margin:6px 0 4px}
svg.chart text{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
svg.chart .grid{stroke:var(--rule);stroke-width:1}
svg.chart .axis{stroke:var(--soft);stroke-width:1;opacity:.6}
svg.chart .line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
svg.chart .raw{fill:none;stroke-width:.9;opacity:.32}
svg.chart .reference{stroke:var(--ink);stroke-width:1.2;stroke-dasharray:5 4;opacity:.75}
svg.chart text.reference-text{fill:var(--ink);opacity:.75}
figure.plot{position:relative}
svg.chart .cursor{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 3;pointer-events:none}
.hover{position:absolute;z-index:1;pointer-events:none;background:var(--panel);border:1px solid var(--rule);
border-radius:6px;padding:5px 9px;font-size:.78rem;line-height:1.45;white-space:nowrap;max-width:100%;overflow:hidden;
font-variant-numeric:tabular-nums;box-shadow:0 2px 8px #0002}
.hover b{font-weight:600}
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.s4{stroke:var(--c4)}
.s5{stroke:var(--c5)}.s6{stroke:var(--c6)}.s7{stroke:var(--c7)}
.dot{stroke:none}
.f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}.f4{fill:var(--c4)}
.f5{fill:var(--c5)}.f6{fill:var(--c6)}.f7{fill:var(--c7)}
.key{display:flex;flex-wrap:wrap;gap:0 16px;padding:0;margin:0;list-style:none}
.key svg{width:20px;height:9px;margin-right:6px;vertical-align:middle;overflow:visible}
.key svg line{stroke-width:2.4}
details{margin-top:6px;font-size:.9rem}
summary{cursor:pointer;font-size:.85rem;width:fit-content}
details[open]>summary{margin-bottom:10px}
.film{display:flex;gap:18px;overflow-x:auto;scroll-snap-type:x proximity;padding:4px 0 10px}
.film figure{flex:none;scroll-snap-align:start}
.film img,.grid img{display:block;image-rendering:pixelated;max-width:100%;height:auto;
border:1px solid var(--rule);border-radius:4px;background:#fff}
.film img{max-width:min(86vw,620px)}
.film.one{display:block;overflow:visible}
.film.one figcaption{display:none}
.controls{display:flex;align-items:center;gap:14px;max-width:620px;margin-top:12px}
.controls[hidden]{display:none}
.controls input{flex:1;min-width:80px;accent-color:var(--accent);height:28px}
.controls output{min-width:10ch;font-variant-numeric:tabular-nums;font-size:.9rem}
button{font:inherit;font-size:.9rem;color:var(--ink);background:var(--panel);border:1px solid var(--rule);
border-radius:7px;padding:5px 14px;min-width:76px;cursor:pointer}
.copies{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr));gap:14px 40px;
margin:22px 0 0;padding:0;list-style:none}
.copies li{display:flex;align-items:flex-start;gap:6px;padding-bottom:12px;
border-bottom:1px solid var(--rule)}
.copies figure{flex:1 1 0;max-width:76px}
.copies figure:first-child{margin-right:10px;max-width:84px}
.copies img{display:block;width:100%;height:auto;image-rendering:pixelated;border-radius:3px;
border:1px solid var(--rule);background:#fff}
.copies figure:first-child img{outline:2px solid var(--accent);outline-offset:1px}
.copies figcaption{font-size:.75rem;line-height:1.3;margin-top:4px;font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
.strips{display:grid;gap:16px;margin:22px 0 0;padding:0;list-style:none}
.strips.two{grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr));gap:16px 40px}
.strips li{padding-bottom:14px;border-bottom:1px solid var(--rule)}
.strips li p{margin-bottom:8px}
.strips .row{display:flex;flex-wrap:wrap;align-items:flex-start;gap:8px 14px}
.strips figure{max-width:100%}
.strips img{display:block;max-width:100%;height:auto;image-rendering:pixelated;border-radius:3px;
border:1px solid var(--rule);background:#fff}
.strips figcaption{font-size:.75rem;line-height:1.3;margin-top:4px;font-variant-numeric:tabular-nums}
.solids>div{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:8px}
.solids canvas{width:100%;height:auto;background:#fff;border:1px solid var(--rule);border-radius:3px;cursor:grab}
.solids canvas:active{cursor:grabbing}
svg.bars{display:block;width:100%;height:90px;margin:18px 0 4px}
.grids{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:28px 32px}
.grid img{width:100%}
.events{list-style:none;margin:0;padding:0}
.events li{display:grid;grid-template-columns:minmax(92px,200px) minmax(0,1fr);gap:2px 20px;padding:7px 0;
border-bottom:1px solid var(--rule)}
footer{margin-top:56px;font-size:.85rem;color:var(--soft)}
@media (max-width:560px){main{padding:28px 16px 48px}h1{font-size:1.65rem}
section{margin-top:38px;padding-top:22px}dl>div,.events li{grid-template-columns:1fr}
dl.tiles{grid-template-columns:1fr 1fr}.tiles div{padding:11px 13px}.tiles dd{font-size:1.2rem}
svg.chart text{font-size:12px}td:last-child:not(.n){min-width:220px}}
@media (prefers-reduced-motion:reduce){*{scroll-behavior:auto!important;transition:none!important}}
@media print{nav,.controls{display:none!important}main{max-width:none;padding:0}section{break-inside:auto}
figure,tr{break-inside:avoid}}
"""

# After the functions of assets/solids.js.
SOLIDS_SCRIPT = """
for (const row of document.querySelectorAll(".solids")) {
  const canvases = [...row.querySelectorAll("canvas")];
  row.hidden = false;
  turnable(canvases, canvases.map((canvas) => canvas.dataset));
}
"""

# Without it all grids stand in one strip to scroll. With it one shows at a time, and charts tell the values under the pointer;
# nothing moves unless asked.
PAGE_SCRIPT = """
"use strict";
for (const film of document.querySelectorAll(".film")) {
  const frames = [...film.children], controls = film.nextElementSibling;
  if (frames.length < 2 || !controls) continue;
  const [play, slider, shown] = ["button", "input", "output"].map((name) => controls.querySelector(name));
  let timer = 0;
  const show = () => {
    frames.forEach((frame, i) => { frame.hidden = i !== Number(slider.value); });
    shown.textContent = frames[slider.value].dataset.label;
    slider.setAttribute("aria-valuetext", shown.textContent);
  };
  const stop = () => { clearInterval(timer); timer = 0; play.textContent = "Play"; };
  const next = () => {
    if (Number(slider.value) >= frames.length - 1) return stop();
    slider.value = Number(slider.value) + 1;
    show();
  };
  slider.addEventListener("input", () => { stop(); show(); });
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(slider.value) >= frames.length - 1) { slider.value = 0; show(); }
    play.textContent = "Pause";
    timer = setInterval(next, 350);
  });
  film.classList.add("one");
  controls.hidden = false;
  show();
}
for (const chart of document.querySelectorAll("svg.chart")) {
  const [low, high, start, end] = ["low", "high", "start", "end"].map((name) => Number(chart.dataset[name]));
  const lines = [...chart.querySelectorAll("[data-points]")].map((path) => ({
    name: path.dataset.name, points: path.dataset.points.split(" ").map((pair) => pair.split(",").map(Number)),
  }));
  const view = chart.viewBox.baseVal;
  const cursor = document.createElementNS(chart.namespaceURI, "line");
  cursor.setAttribute("class", "cursor");
  const box = document.createElement("div");
  box.className = "hover";
  box.hidden = true;
  chart.after(box);
  const text = (value) => Number(value.toPrecision(4)).toLocaleString("en", {maximumSignificantDigits: 4});
  const nearest = (points, x) => points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a);
  const hide = () => { box.hidden = true; cursor.remove(); };
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("pointermove", (event) => {
    const frame = chart.getBoundingClientRect(), at = (event.clientX - frame.left) / frame.width * view.width;
    if (at < start - 4 || at > end + 4) return hide();
    const asked = low + (at - start) / (end - start) * (high - low);
    const x = nearest(lines.map((line) => nearest(line.points, asked)), asked)[0];
    const place = start + (x - low) / (high - low) * (end - start);
    for (const [name, value] of Object.entries({x1: place, x2: place, y1: 10, y2: view.height - 34}))
      cursor.setAttribute(name, value);
    chart.append(cursor);
    box.replaceChildren();
    const row = (name, value) => {
      const line = document.createElement("div"), bold = document.createElement("b");
      bold.textContent = value;
      line.append(name + " ", bold);
      box.append(line);
    };
    row(chart.dataset.label, x.toLocaleString("en"));
    for (const line of lines) {
      const point = nearest(line.points, x);
      row(line.name, text(point[1]) + (point[0] === x ? "" : " at " + point[0].toLocaleString("en")));
    }
    box.hidden = false;
    const left = place / view.width * frame.width, right = left > frame.width / 2;
    box.style.left = right ? "auto" : left + 12 + "px";
    box.style.right = right ? frame.width - left + 12 + "px" : "auto";
    box.style.top = frame.top - chart.parentNode.getBoundingClientRect().top + 8 + "px";
  });
}
"""
