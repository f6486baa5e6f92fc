// Explore a model: samples by seed and class, directions, interpolation, arithmetic, photos found in its latent space.
import { html, useEffect, useMemo, useRef, useState } from "../lib/dom.js";
import { addJob, get, imageUrl, long, png, post, putImage } from "../lib/api.js";
import { address, go, setQuery } from "../lib/route.js";
import { clock } from "../lib/format.js";
import { Drop, Empty, Field, Page, Pixels, Problem, Progress, SamplingFields, Slider, fail, newest, say, useLoaded } from "../lib/ui.js";
import { turnable } from "../lib/solids.js";
import { preview } from "./gallery.js";

const WALL = 36;
const DIRECTIONS = 12;

export function Explore({ route, jobs }) {
  if (!route.id) return html`<${Choose} />`;
  return html`<${Model} id=${route.id} route=${route} jobs=${jobs} />`;
}

function Choose() {
  const { value, error, again } = useLoaded((signal) => get("/api/runs", { signal }), []);
  if (error) return html`<${Page} title="Explore"><${Problem} error=${error} again=${again} /><//>`;
  if (!value) return html`<p class="loading">Reading the runs…</p>`;
  const runs = value.runs.filter((run) => run.has_weights && (run.abilities || []).includes("Samples") && !run.archived);
  return html`<${Page} title="Explore" lead="Walk through what a trained model can generate.">
    <${Opened} />
    ${runs.length === 0 && html`<${Empty} title="No model yet"><a href=${address("train")}>Train one</a>; it can be explored as soon as it has saved for the first time.<//>`}
    <ul class="cards small">${runs.map((run) => html`<li class="card" key=${run.id}><a class="card-image" href=${address("explore", run.id)} tabindex="-1" aria-hidden="true">${preview(run)}</a>
      <div class="card-text"><h2><a href=${address("explore", run.id)}>${run.name}</a></h2><p class="quiet">${run.method} on ${run.data}</p></div></li>`)}</ul>
  <//>`;
}

// A file that the studio or the command line wrote leads back to what made it.
function Opened() {
  const open = async (files) => {
    try {
      const facts = await putImage(files[0]);
      const { runs } = await get("/api/runs");
      const made = facts.made;
      if (!made || !["sample", "edit"].includes(made.command)) throw new Error("This image does not say how it was made: only files of this studio and of ganvas sample do.");
      const run = runs.find((one) => one.name === made.run);
      if (!run) throw new Error(`The run ${made.run} that made it is not here.`);
      const point = (made.options || {}).point || JSON.stringify({ seed: made.seed || 0, ...((made.options || {}).label ? { label: String(made.options.label) } : {}) });
      go("explore", run.id, { p: point });
    } catch (problem) {
      fail(problem);
    }
  };
  return html`<${Drop} compact label="Drop an image that was saved here to return to it" accept="image/png" onFiles=${open} />`;
}

function Model({ id, route, jobs }) {
  const path = `/api/runs/${encodeURIComponent(id)}`;
  const weights = route.query.weights || "last";
  const finding = jobs.find((job) => job.kind === "directions" && job.run === id && ["queued", "running"].includes(job.state));
  const { value: model, error, again } = useLoaded((signal) => get(`${path}/model?weights=${weights}`, { signal }), [id, weights, Boolean(finding)]);
  if (error) return html`<${Page} title="Explore ${id}"><${Problem} error=${error} again=${again} /><//>`;
  if (!model) return html`<p class="loading">Reading the model… the first time takes some seconds.</p>`;
  const actions = html`
    <label class="inline">Weights <select value=${weights} onChange=${(event) => setQuery({ weights: event.target.value })}>
      <option value="last">last</option><option value="best">best step</option></select></label>
    <a class="button" href=${address("run", id)}>Run</a>`;
  return html`<${Page} title="Explore ${id}" lead="${model.method}, ${model.kind}${model.is_image ? ` of ${model.height} × ${model.width}` : ""}" actions=${actions}>
    ${!model.samples && html`<${Empty} title="Nothing to sample"><a href=${address("use", id)}>Use it on images</a> instead.<//>`}
    ${model.samples && model.is_image && html`<${Images} id=${id} path=${path} model=${model} weights=${weights} route=${route} finding=${finding} />`}
    ${model.samples && !model.is_image && html`<${Others} path=${path} model=${model} weights=${weights} route=${route} />`}
  <//>`;
}

function parsed(text, otherwise) {
  try {
    return text ? JSON.parse(text) : otherwise;
  } catch {
    return otherwise;
  }
}

function Images({ id, path, model, weights, route, finding }) {
  const seed = Number(route.query.seed || 0);
  const label = route.query.label || "";
  const point = parsed(route.query.p, null);
  const pins = parsed(route.query.pins, []);
  const setPoint = (next) => setQuery({ p: next ? JSON.stringify(next) : "" });
  const setPins = (next) => setQuery({ pins: next.length ? JSON.stringify(next) : "" });
  const pin = (one) => (pins.length < 8 ? setPins([...pins, one]) : say("Eight pins are the most: remove one first.", "error"));
  return html`<div class="explore">
    <div>
      <${Wall} path=${path} model=${model} weights=${weights} seed=${seed} label=${label} chosen=${point} onChoose=${setPoint} />
      ${model.edits && html`<${Tray} path=${path} weights=${weights} model=${model} pins=${pins} onPins=${setPins} onChoose=${setPoint} />`}
      ${model.edits && html`<${Invert} path=${path} model=${model} weights=${weights} onPoint=${setPoint} />`}
    </div>
    <div class="stage">
      ${model.edits
        ? html`<${Editor} id=${id} path=${path} model=${model} weights=${weights} point=${point || { seed, ...(label ? { label } : {}) }} onPoint=${setPoint} onPin=${pin} finding=${finding} />`
        : html`<p class="quiet">${model.method} decides its values one by one, so there is no latent space to walk in. Its samples are on the left.</p>`}
    </div>
  </div>`;
}

function Wall({ path, model, weights, seed, label, chosen, onChoose }) {
  const [items, setItems] = useState([]);
  const [progress, setProgress] = useState(null);
  const [problem, setProblem] = useState(null);
  const cancel = useRef(null);
  useEffect(() => {
    const controller = new AbortController();
    cancel.current = () => { controller.abort(); setProgress(null); };
    setProgress(0);
    setProblem(null);
    long(`${path}/wall`, { seed, n: WALL, weights, ...(label ? { label } : {}) }, { onProgress: (one) => setProgress(one.done), signal: controller.signal })
      .then((result) => { setItems(result.items); setProgress(null); })
      .catch((error) => { if (error.name !== "AbortError") { setProblem(error); setProgress(null); } });
    return () => controller.abort();
  }, [path, seed, label, weights]);
  const small = model.height <= 96;
  return html`<div>
    <div class="toolbar">
      <${Field} label="From seed"><input type="number" min="0" step="1" value=${seed} onChange=${(event) => setQuery({ seed: Math.max(0, Math.floor(Number(event.target.value) || 0)) })} /><//>
      ${model.classes.length > 0 && html`<${Field} label="Class"><select value=${label} onChange=${(event) => setQuery({ label: event.target.value })}>
        <option value="">all</option>${model.classes.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select><//>`}
      <button onClick=${() => setQuery({ seed: Math.floor(Math.random() * 1e6) })}>Shuffle</button>
      <button onClick=${() => setQuery({ seed: Math.max(0, seed - WALL) })} disabled=${seed === 0} aria-label="Earlier seeds">←</button>
      <button onClick=${() => setQuery({ seed: seed + WALL })} aria-label="Later seeds">→</button>
    </div>
    ${problem && html`<${Problem} error=${problem} />`}
    ${progress !== null && items.length === 0 && html`<${Progress} value=${progress || undefined} label="sampling" onCancel=${() => cancel.current()} />`}
    <ul class="wall ${progress !== null ? "stale" : ""}" aria-label="Samples of seeds ${seed} to ${seed + WALL - 1}">
      ${items.map((item) => html`<li key=${item.seed}><button class=${chosen && chosen.seed === item.seed ? "on" : ""} draggable
        onDragStart=${dragged({ seed: item.seed, ...(label ? { label } : {}) })}
        onClick=${() => onChoose({ seed: item.seed, ...(label ? { label } : {}) })}><${Pixels} small=${small} src=${png(item.png)} alt="Seed ${item.seed}" /></button></li>`)}
    </ul>
  </div>`;
}

// Renders points; of those asked for while one is rendered only the newest. `images` are those of `points`, which are older than
// what was asked for until it is rendered.
function useRendered(path, weights, points) {
  const [state, setState] = useState({ images: [], points: [] });
  const key = JSON.stringify([weights, points]);
  const send = useMemo(
    () => newest(async ({ points: asked, weights: which }) => {
      try {
        const began = performance.now();
        const result = await post(`${path}/render`, { points: asked, weights: which });
        setState({ images: result.items.map((item) => item.png), points: asked, milliseconds: performance.now() - began });
      } catch (error) {
        setState((old) => ({ ...old, error }));
      }
    }),
    [path],
  );
  useEffect(() => {
    if (points.length) send({ points, weights });
    else setState({ images: [], points: [] });
  }, [key]);
  return state;
}

function Editor({ id, path, model, weights, point, onPoint, onPin, finding }) {
  const { images, points, error, milliseconds } = useRendered(path, weights, [point]);
  const shown = points[0]; // what the image is of: the file and its name say that, not what is still rendered
  const change = (name, value, group) => {
    const values = { ...(point[group] || {}), [name]: value };
    if (value === 0 && group === "moves") delete values[name];
    const next = { ...point, [group]: values };
    if (!Object.keys(values).length) delete next[group];
    onPoint(next);
  };
  const find = () => addJob("directions", { run: id, count: 6 }).then(() => say("Looking for directions is in the queue.")).catch(fail);
  const named = [...model.directions].sort((a, b) => Number(/\d$/.test(a.name)) - Number(/\d$/.test(b.name)));
  const edited = point.moves || point.codes || point.truncation !== undefined;
  const plain = () => {
    const { moves, codes, truncation, ...rest } = point;
    onPoint(rest);
  };
  return html`<div class="editor">
    <figure>
      ${images[0] ? html`<${Pixels} small=${model.height <= 96} class="large" src=${png(images[0])} alt=${describe(shown)} data-ms=${milliseconds && Math.round(milliseconds)} />` : html`<div class="large blank"></div>`}
      <figcaption>${describe(point)}</figcaption>
    </figure>
    ${error && html`<${Problem} error=${error} />`}
    <div class="actions">
      <button onClick=${() => onPin(point)}>Pin</button>
      <button onClick=${plain} disabled=${!edited}>Undo the edits</button>
      ${images[0] && html`<a class="button" download="${id}-${describe(shown).replace(/[^\w]+/g, "-").slice(0, 60)}.png" href=${png(images[0])}>Download</a>`}
    </div>
    <${Slider} label="Truncation" min=${0} max=${1.5} step=${0.05} value=${point.truncation ?? 1} shown=${(point.truncation ?? 1).toFixed(2)}
      help="1 as sampled; lower is nearer to the mean image." onReset=${() => onPoint({ ...point, truncation: undefined })}
      onInput=${(value) => onPoint(value === 1 ? (({ truncation, ...rest }) => rest)(point) : { ...point, truncation: value })} />
    ${model.codes.length > 0 && html`<h2>Codes</h2>${model.codes.map((code) => html`<${Slider} key=${code.name} label=${code.name}
      min=${code.kind === "categorical" ? 0 : -2} max=${code.kind === "categorical" ? code.size - 1 : 2} step=${code.kind === "categorical" ? 1 : 0.05}
      value=${(point.codes || {})[code.name] ?? 0} onInput=${(value) => change(code.name, value, "codes")} />`)}`}
    <h2>Directions</h2>
    ${named.length === 0 && !finding && html`<p class="quiet">Directions change one thing of an image, such as thickness. They are found once for a model, in about a minute.</p>
      <button class="primary" onClick=${find}>Find directions</button>`}
    ${finding && html`<${Progress} label=${finding.state === "queued" ? "waiting in the queue" : "looking for directions"} onCancel=${() => post(`/api/jobs/${finding.id}`, { action: "stop" }).catch(fail)} />`}
    ${named.slice(0, DIRECTIONS).map((one) => html`<${DirectionSlider} key=${one.name} one=${one} value=${(point.moves || {})[one.name] || 0} onInput=${(value) => change(one.name, value, "moves")} />`)}
    ${named.length > DIRECTIONS && html`<details><summary>${named.length - DIRECTIONS} more</summary>${named.slice(DIRECTIONS).map((one) => html`<${DirectionSlider} key=${one.name} one=${one}
      value=${(point.moves || {})[one.name] || 0} onInput=${(value) => change(one.name, value, "moves")} />`)}</details>`}
  </div>`;
}

function DirectionSlider({ one, value, onInput }) {
  const effects = one.effects.slice(0, 2).map((effect) => `${effect.attribute} ${effect.deviations > 0 ? "+" : ""}${effect.deviations.toFixed(1)}`).join(", ");
  return html`<${Slider} label=${one.name} min=${-4} max=${4} step=${0.1} value=${value} shown=${value.toFixed(1)} help=${effects ? `${effects} (standard deviations)` : one.how}
    onInput=${onInput} onReset=${() => onInput(0)} />`;
}

// A point in words.
export function describe(point) {
  let words;
  if ("seed" in point) words = `seed ${point.seed}`;
  else if ("image" in point) words = "your photo";
  else if (point.between) words = `between ${describe(point.between[0])} and ${describe(point.between[1])}, ${Math.round((point.share ?? 0.5) * 100)} %`;
  else words = (point.sum || []).map((part, index) => `${part.weight < 0 ? "− " : index ? "+ " : ""}${describe(part.of)}`).join(" ");
  if (point.label) words += `, class ${point.label}`;
  for (const [name, value] of Object.entries({ ...point.codes, ...point.moves })) words += `, ${name} ${value > 0 ? "+" : ""}${Number(value).toFixed(1)}`;
  if (point.truncation !== undefined) words += `, truncation ${point.truncation}`;
  return words;
}

const POINT = "application/x-point";
const SIGNS = { A: "", B: "−", C: "+" };
const WEIGHTS = { A: 1, B: -1, C: 1 };

const dragged = (point) => (event) => event.dataTransfer.setData(POINT, JSON.stringify(point));

// What a drop brings: calls `take` with the point that was dragged.
const dropped = (take) => ({
  onDragOver: (event) => event.preventDefault(),
  onDrop: (event) => {
    event.preventDefault();
    event.stopPropagation();
    const point = parsed(event.dataTransfer.getData(POINT), null);
    if (point) take(point);
  },
});

// Images that were put aside: to walk from one to the next, and to calculate with three.
function Tray({ path, weights, model, pins, onPins, onChoose }) {
  const { images } = useRendered(path, weights, pins);
  const [share, setShare] = useState(0.5);
  const [slots, setSlots] = useState({});
  const filled = Object.keys(SIGNS).filter((name) => slots[name]);
  const rendered = useRendered(path, weights, filled.map((name) => slots[name]));
  const small = model.height <= 96;
  const walk = (value) => {
    const from = Math.min(Math.floor(value), pins.length - 2);
    setShare(value);
    onChoose({ between: [pins[from], pins[from + 1]], share: Number((value - from).toFixed(2)) });
  };
  const put = (name, point) => {
    const next = { ...slots, [name]: point };
    setSlots(next);
    if (Object.keys(SIGNS).every((one) => next[one])) {
      onChoose({ sum: Object.keys(SIGNS).map((one) => ({ weight: WEIGHTS[one], of: next[one] })) });
    }
  };
  const slot = (name) => {
    const at = pins.findIndex((one) => JSON.stringify(one) === JSON.stringify(slots[name]));
    const png64 = rendered.images[filled.indexOf(name)];
    return html`<div class="slot" key=${name} ...${dropped((point) => put(name, point))}>
      <span>${SIGNS[name]} ${name}</span>
      ${slots[name] && png64 ? html`<${Pixels} small=${small} src=${png(png64)} alt="${name}: ${describe(slots[name])}" />` : html`<div class="blank" aria-hidden="true"></div>`}
      <select aria-label=${name} value=${at < 0 ? "none" : at} onChange=${(event) => put(name, pins[Number(event.target.value)])}>
        <option value="none" disabled>${slots[name] ? "dragged" : "pin"}</option>${pins.map((_, number) => html`<option key=${number} value=${number}>${number + 1}</option>`)}</select>
    </div>`;
  };
  return html`<div class="panel tray" ...${dropped((point) => pins.length < 8 && onPins([...pins, point]))}>
    <h2>Pins</h2>
    ${pins.length === 0 && html`<p class="quiet">Pin images to walk between them. Samples can also be dragged here.</p>`}
    <ul class="wall pins">${pins.map((one, index) => html`<li key=${index}>
      <button onClick=${() => onChoose(one)} title=${describe(one)} draggable onDragStart=${dragged(one)}>${images[index] ? html`<${Pixels} small=${small} src=${png(images[index])} alt="Pin ${index + 1}: ${describe(one)}" />` : index + 1}</button>
      <button class="plain" aria-label="Remove pin ${index + 1}" onClick=${() => onPins(pins.filter((_, at) => at !== index))}>✕</button></li>`)}</ul>
    ${pins.length >= 2 && html`<${Slider} label="From pin 1 to pin ${pins.length}" min=${0} max=${pins.length - 1} step=${0.02} value=${share} shown=${(1 + share).toFixed(2)} onInput=${walk} />`}
    <h2>Arithmetic</h2>
    <div class="arithmetic" role="group" aria-label="Arithmetic">${Object.keys(SIGNS).map(slot)}</div>
    <p class="quiet">Drag samples or pins onto A, B and C, or choose pins: the image of A − B + C is shown.</p>
  </div>`;
}

function Invert({ path, model, weights, onPoint }) {
  const [state, setState] = useState(null);
  const [label, setLabel] = useState(model.classes[0] || "");
  const run = async (files) => {
    const controller = new AbortController();
    try {
      setState({ done: 0, cancel: () => controller.abort() });
      const image = await putImage(files[0]);
      const result = await long(`${path}/invert`, { image: image.id, steps: 150, weights, ...(model.classes.length ? { label } : {}) }, {
        signal: controller.signal,
        onProgress: (one) => setState((old) => old && { ...old, done: one.done, shown: one.png || old.shown }),
      });
      setState({ result });
      onPoint({ image: image.id });
    } catch (problem) {
      setState(null);
      fail(problem);
    }
  };
  return html`<div class="panel">
    <h2>Your own photo</h2>
    ${model.classes.length > 0 && html`<${Field} label="Its class"><select value=${label} onChange=${(event) => setLabel(event.target.value)}>${model.classes.map((one) => html`<option key=${one}>${one}</option>`)}</select><//>`}
    <${Drop} compact label="Drop a photo to find it in this latent space" accept="image/*" onFiles=${run} />
    ${state && state.done !== undefined && html`<${Progress} value=${state.done} label="looking for it" onCancel=${state.cancel} />`}
    ${state && state.shown && html`<${Pixels} small src=${png(state.shown)} alt="The nearest image so far" width="96" />`}
    ${state && state.result && html`<p class="pair"><${Pixels} small src=${png(state.result.target)} alt="Your photo at the size of the model" width="96" />
      <${Pixels} small src=${png(state.result.png)} alt="The nearest image of the model" width="96" /> <span class="quiet">PSNR ${state.result.psnr} dB. It can be edited on the right.</span></p>`}
  </div>`;
}

// A volume turned by dragging or by the arrow keys, or turning by itself.
function Turntable({ item }) {
  const canvas = useRef(null);
  const [turning, setTurning] = useState(false);
  const film = `data:image/webp;base64,${item.webp}`;
  useEffect(() => turnable([canvas.current], [item.solid]), [item.solid]);
  return html`<div class="turntable">
    <canvas ref=${canvas} hidden=${turning} width="320" height="320" tabindex="0" role="img" aria-label="Seed ${item.seed}, turned by dragging or by the arrow keys"></canvas>
    ${turning && html`<${Pixels} small src=${film} alt="Seed ${item.seed}, turning" width="320" />`}
    <button aria-pressed=${turning} onClick=${() => setTurning(!turning)}>Turn by itself</button> <a download="seed-${item.seed}.webp" href=${film}>Download</a>
  </div>`;
}

// Sounds, texts, films and volumes that turn.
function Others({ path, model, weights, route }) {
  const [items, setItems] = useState([]);
  const [running, setRunning] = useState(null);
  const [prompt, setPrompt] = useState("");
  const [settings, setSettings] = useState({});
  const seed = Number(route.query.seed || 0);
  const count = Number(route.query.n || 4);
  const generate = async () => {
    const controller = new AbortController();
    setRunning({ done: 0, cancel: () => controller.abort() });
    try {
      const result = await long(`${path}/wall`, { seed, n: count, weights, settings, ...(prompt ? { prompt } : {}), ...(route.query.label ? { label: route.query.label } : {}) }, {
        signal: controller.signal, onProgress: (one) => setRunning((old) => old && { ...old, done: one.done }),
      });
      setItems(result.items);
    } catch (problem) {
      fail(problem);
    }
    setRunning(null);
  };
  return html`<div class="columns">
    <div class="panel">
      ${model.prompts && html`<${Field} label="Beginning" help="The text is continued from here."><textarea rows="3" maxlength="2000" value=${prompt} onInput=${(event) => setPrompt(event.target.value)}></textarea><//>`}
      ${model.classes.length > 0 && html`<${Field} label="Class"><select value=${route.query.label || ""} onChange=${(event) => setQuery({ label: event.target.value })}><option value="">all</option>${model.classes.map((one) => html`<option key=${one}>${one}</option>`)}</select><//>`}
      <${Field} label="From seed"><input type="number" min="0" step="1" value=${seed} onInput=${(event) => setQuery({ seed: event.target.value })} /><//>
      <${Field} label="How many"><input type="number" min="1" max="16" step="1" value=${count} onInput=${(event) => setQuery({ n: event.target.value })} /><//>
      <${SamplingFields} fields=${model.sampling} values=${settings} onChange=${setSettings} />
      <button class="primary" onClick=${generate} disabled=${Boolean(running)}>Generate</button>
      ${running && html`<${Progress} value=${running.done} label="generating" onCancel=${running.cancel} />`}
    </div>
    <div aria-live="polite">
      ${items.length === 0 && !running && html`<${Empty} title="Nothing generated yet">Choose a seed, then generate.<//>`}
      ${items.map((item) => html`<article class="panel" key=${item.seed}><p class="quiet">seed ${item.seed}${item.seconds ? `, ${clock(item.seconds)}` : ""}</p>
        ${item.text !== undefined && html`<pre class="text">${item.text}</pre>`}
        ${item.wav && html`<audio controls src="data:audio/wav;base64,${item.wav}" aria-label="Sound of seed ${item.seed}"></audio> <a download="seed-${item.seed}.wav" href="data:audio/wav;base64,${item.wav}">Download</a>`}
        ${item.solid && html`<${Turntable} item=${item} />`}
        ${item.webp && !item.solid && html`<${Pixels} small src="data:image/webp;base64,${item.webp}" alt="Seed ${item.seed}, moving" width="256" /> <a download="seed-${item.seed}.webp" href="data:image/webp;base64,${item.webp}">Download</a>`}</article>`)}
    </div>
  </div>`;
}
