// Use a model on images: restore, inpaint with a brush, translate a photo or a scribble, stylise.
import { html, useEffect, useRef, useState } from "../lib/dom.js";
import { get, imageUrl, long, png, post, putImage, remove } from "../lib/api.js";
import { address, setQuery } from "../lib/route.js";
import { Drop, Empty, Field, Page, Pixels, Problem, Progress, SamplingFields, Slider, fail, useLoaded } from "../lib/ui.js";
import { preview } from "./gallery.js";

export function Use({ route }) {
  if (route.id) return html`<${WithRun} id=${route.id} route=${route} />`;
  if (route.query.task === "stylise") return html`<${Page} title="Stylise a photo" lead="In the style of any image, by optimising the photo itself. Needs no training." actions=${html`<a class="button" href=${address("use")}>All tasks</a>`}><${Stylise} route=${route} /><//>`;
  return html`<${Choose} />`;
}

function Choose() {
  const { value, error, again } = useLoaded((signal) => get("/api/runs", { signal }), []);
  const results = useLoaded((signal) => get("/api/images?kind=result", { signal }), []);
  if (error) return html`<${Page} title="Use"><${Problem} error=${error} again=${again} /><//>`;
  if (!value) return html`<p class="loading">Reading the runs…</p>`;
  const able = (run, ability, kind) => run.has_weights && run.kind === kind && !run.archived && (run.abilities || []).includes(ability);
  const group = (title, ability, hint, kind = "images") => {
    const runs = value.runs.filter((run) => able(run, ability, kind));
    return html`<h2>${title}</h2>${runs.length === 0 ? html`<p class="quiet">${hint} <a href=${address("train")}>Train a model</a></p>` : html`<ul class="cards small">${runs.map((run) => html`<li class="card" key=${run.id}>
      <a class="card-image" href=${address("use", run.id)} tabindex="-1" aria-hidden="true">${preview(run)}</a><div class="card-text"><h3><a href=${address("use", run.id)}>${run.name}</a></h3><p class="quiet">${run.method} on ${run.data}</p></div></li>`)}</ul>`}`;
  };
  return html`<${Page} title="Use" lead="Give a model your own images." actions=${html`<a class="button primary" href=${address("use", "", { task: "stylise" })}>Stylise a photo</a>`}>
    ${group("Restore", "Restores", "No model restores images yet.")}
    ${group("Translate and scribble", "Translates", "No model translates images yet.")}
    ${group("Translate texts", "Translates", "No model translates texts yet: seq2seq learns it from pairs of sentences.", "parallel_text")}
    ${group("Stylise with a trained model", "Stylises", "No model of a style yet; stylising by optimising the photo works without one.")}
    ${results.value && results.value.images.length > 0 && html`<h2>Results</h2><${Results} images=${results.value.images} again=${results.again} />`}
  <//>`;
}

export function Results({ images, again }) {
  return html`<ul class="wall results">${images.slice(0, 60).map((image) => html`<li key=${image.id}>
    <a href=${imageUrl(image.id)} target="_blank" rel="noreferrer"><${Pixels} src=${imageUrl(image.id)} alt="${image.name}, ${image.width} × ${image.height}" title=${image.made_by} /></a>
    <button class="plain" aria-label="Delete ${image.name}" onClick=${() => remove(`/api/images/${image.id}`).then(again).catch(fail)}>✕</button></li>`)}</ul>`;
}

function WithRun({ id, route }) {
  const path = `/api/runs/${encodeURIComponent(id)}`;
  const { value: model, error, again } = useLoaded((signal) => get(`${path}/model`, { signal }), [id]);
  if (error) return html`<${Page} title="Use ${id}"><${Problem} error=${error} again=${again} /><//>`;
  if (!model) return html`<p class="loading">Reading the model… the first time takes some seconds.</p>`;
  const task = model.texts ? "Translate texts" : model.restores ? { denoise: "Denoise", upscale: "Upscale", inpaint: "Inpaint" }[model.restores.task] : model.translates.length ? "Translate" : model.stylises ? "Stylise" : "Use";
  return html`<${Page} title="${task} with ${id}" lead=${model.method} actions=${html`<a class="button" href=${address("use")}>All models</a>`}>
    ${model.restores && html`<${Restore} path=${path} model=${model} route=${route} />`}
    ${model.texts && html`<${TranslateTexts} path=${path} model=${model} route=${route} />`}
    ${model.translates.length > 0 && !model.texts && html`<${Translate} path=${path} model=${model} route=${route} />`}
    ${model.stylises && html`<${Stylise} run=${id} model=${model} route=${route} />`}
    ${!model.restores && !model.translates.length && !model.stylises && html`<${Empty} title="This model takes no images"><a href=${address("explore", id)}>Explore it</a> instead.<//>`}
  <//>`;
}

// The image in use: dropped, or one of the data. Its id is in the address, so that a reload keeps it.
function useImage(route, name = "image") {
  const id = route.query[name] || "";
  const [facts, setFacts] = useState(null);
  const [sending, setSending] = useState(null);
  useEffect(() => {
    setFacts(null);
    if (id) get(`/api/images/${id}/facts`).then(setFacts).catch((problem) => { fail(problem); setQuery({ [name]: "" }); });
  }, [id]);
  const take = async (files) => {
    const controller = new AbortController();
    setSending({ value: 0, cancel: () => controller.abort() });
    try {
      const image = await putImage(files[0], files[0].name || "image.png", { signal: controller.signal, onProgress: (value) => setSending((old) => old && { ...old, value }) });
      setQuery({ [name]: image.id });
    } catch (problem) {
      fail(problem);
    }
    setSending(null);
  };
  return { id, facts, take, sending };
}

function Source({ image, path, label = "Drop a photo", examples = true }) {
  const [shown, setShown] = useState([]);
  useEffect(() => {
    if (path && examples && !image.id) post(`${path}/examples`, { n: 8 }).then((result) => setShown(result.items)).catch(() => setShown([]));
  }, [path, image.id]);
  const choose = async (one) => {
    const content = Uint8Array.from(atob(one.png), (sign) => sign.charCodeAt(0));
    image.take([new File([content], "example.png", { type: "image/png" })]);
  };
  return html`<div>
    <${Drop} compact=${Boolean(image.id)} label=${label} accept="image/*" onFiles=${image.take} />
    ${image.sending && html`<${Progress} value=${image.sending.value} label="sending" onCancel=${image.sending.cancel} />`}
    ${!image.id && shown.length > 0 && html`<p class="quiet">Or one of the run's own data:</p><ul class="wall examples">${shown.map((one, index) => html`<li key=${index}><button onClick=${() => choose(one)}><${Pixels} small src=${png(one.png)} alt="Example ${index + 1} of the data" /></button></li>`)}</ul>`}
  </div>`;
}

// A long operation with its progress, preview and cancel.
function useTask() {
  const [state, setState] = useState({});
  const run = async (path, content) => {
    const controller = new AbortController();
    setState({ done: 0, cancel: () => controller.abort() });
    try {
      const result = await long(path, content, {
        signal: controller.signal, onProgress: (one) => setState((old) => ({ ...old, done: one.done, preview: one.png || old.preview })),
      });
      setState({ result });
      return result;
    } catch (problem) {
      setState({});
      fail(problem);
      return null;
    }
  };
  return { ...state, run };
}

function Restore({ path, model, route }) {
  const image = useImage(route);
  const task = useTask();
  const mask = useRef(null);
  const [seed, setSeed] = useState(0);
  const inpaint = model.restores.task === "inpaint";
  const done = route.query.result;
  const start = async () => {
    const content = { image: image.id, seed };
    if (inpaint) {
      const blob = await mask.current.blob();
      if (!blob) return fail(new Error("Paint over what is to be filled first."));
      const sent = await putImage(new File([blob], "mask.png", { type: "image/png" }));
      content.mask = sent.id;
    } else if (!model.restores.any_size) content.fit = true;
    const result = await task.run(`${path}/restore`, content);
    if (result) setQuery({ result: result.items[0].id });
    return null;
  };
  return html`<div class="columns">
    <div>
      <${Source} image=${image} path=${path} label=${{ denoise: "Drop a noisy photo", upscale: "Drop a small photo", inpaint: "Drop a photo with something to fill" }[model.restores.task]} />
      ${image.facts && inpaint && html`<${Brush} handle=${mask} image=${image.facts} />`}
      ${image.facts && !inpaint && html`<${Pixels} small=${image.facts.width <= 96} class="fit" src=${imageUrl(image.id)} alt="Your photo" />`}
      ${image.facts && html`<div class="actions">
        ${model.restores.answers && html`<label class="inline">Seed <input type="number" min="0" step="1" value=${seed} onInput=${(event) => setSeed(Number(event.target.value) || 0)} /></label>`}
        <button class="primary" onClick=${start} disabled=${task.done !== undefined}>${{ denoise: "Denoise", upscale: `Upscale ${model.restores.scale} ×`, inpaint: "Fill" }[model.restores.task]}</button></div>`}
      ${task.done !== undefined && html`<${Progress} value=${task.done} label="working" onCancel=${task.cancel} />`}
    </div>
    <div>${done && image.id ? html`<${BeforeAfter} before=${imageUrl(image.id)} after=${imageUrl(done)} id=${done} />` : html`<${Empty} title="The result comes here">With a slider between before and after.<//>`}</div>
  </div>`;
}

function Translate({ path, model, route }) {
  const image = useImage(route);
  const task = useTask();
  const [direction, setDirection] = useState(model.translates[0]);
  const [scribble, setScribble] = useState(Boolean(model.edges));
  const canvas = useRef(null);
  const done = route.query.result;
  const start = async () => {
    let id = image.id;
    if (scribble) {
      const blob = await canvas.current.blob();
      if (!blob) return fail(new Error("Draw something first."));
      const sent = await putImage(new File([blob], "scribble.png", { type: "image/png" }));
      id = sent.id;
    }
    const result = await task.run(`${path}/translate`, { image: id, direction });
    if (result) setQuery({ result: result.items[0].id, image: id });
    return null;
  };
  return html`<div class="columns">
    <div>
      <div class="toolbar" role="radiogroup" aria-label="Where the image comes from">
        <label class="choice ${scribble ? "on" : ""}"><input type="radio" name="how" checked=${scribble} onChange=${() => setScribble(true)} /> draw it</label>
        <label class="choice ${scribble ? "" : "on"}"><input type="radio" name="how" checked=${!scribble} onChange=${() => setScribble(false)} /> a file</label>
        ${model.translates.length > 1 && html`<label class="inline">Direction <select value=${direction} onChange=${(event) => setDirection(event.target.value)}>
          ${model.translates.map((one) => html`<option key=${one} value=${one}>${DIRECTIONS[one]}</option>`)}</select></label>`}
      </div>
      ${scribble ? html`<${Scribble} handle=${canvas} width=${model.width} height=${model.height} onStroke=${start} />` : html`<${Source} image=${image} path=${path} />${image.facts && html`<${Pixels} small=${image.facts.width <= 96} class="fit" src=${imageUrl(image.id)} alt="Your photo" />`}`}
      <div class="actions"><button class="primary" onClick=${start} disabled=${task.done !== undefined || (!scribble && !image.facts)}>Translate</button></div>
      ${task.done !== undefined && html`<${Progress} value=${task.done} label="translating" onCancel=${task.cancel} />`}
    </div>
    <div>${done ? html`<${BeforeAfter} before=${image.id ? imageUrl(image.id) : ""} after=${imageUrl(done)} id=${done} />` : html`<${Empty} title="The result comes here">It is generated anew after each stroke.<//>`}</div>
  </div>`;
}

const DIRECTIONS = { ab: "to the partners", ba: "from the partners" };
const KEPT_CHARACTERS = 1000; // of a text that the address keeps

function TranslateTexts({ path, model, route }) {
  const task = useTask();
  const [text, setText] = useState(route.query.text || "");
  const [settings, setSettings] = useState({});
  const [direction, setDirection] = useState(model.translates[0]);
  const start = (event) => {
    event.preventDefault();
    setQuery({ text: text.length <= KEPT_CHARACTERS ? text : "" });
    return task.run(`${path}/translate-text`, { text, direction, settings });
  };
  return html`<div class="columns">
    <form onSubmit=${start} class="panel">
      <${Field} label="Text" help="Each line is translated for itself."><textarea rows="6" maxlength="10000" required value=${text} onInput=${(event) => setText(event.target.value)}></textarea><//>
      ${model.translates.length > 1 && html`<${Field} label="Direction"><select value=${direction} onChange=${(event) => setDirection(event.target.value)}>
        ${model.translates.map((one) => html`<option key=${one} value=${one}>${DIRECTIONS[one]}</option>`)}</select><//>`}
      <${SamplingFields} fields=${model.sampling} values=${settings} onChange=${setSettings} />
      <div class="actions"><button class="primary" disabled=${task.done !== undefined}>Translate</button></div>
      ${task.done !== undefined && html`<${Progress} value=${task.done} label="translating" onCancel=${task.cancel} />`}
    </form>
    <div aria-live="polite">${task.result ? html`<article class="panel"><h2>Translation</h2><pre class="text translation">${task.result.text}</pre></article>` : html`<${Empty} title="The translation comes here">The model knows the kind of sentences that it was trained on.<//>`}</div>
  </div>`;
}

const MOST_STYLES = 4;

// The styles in use and how much of each; both are in the address.
function useStyles(route, most) {
  const ids = (route.query.style || "").split(",").filter(Boolean).slice(0, most);
  const given = (route.query.shares || "").split(",").map(Number);
  const shares = ids.map((_, index) => (given[index] >= 0 && given[index] <= 1 && route.query.shares ? given[index] : 1));
  const [sending, setSending] = useState(null);
  const keep = (styles) => setQuery({ style: styles.map((one) => one.id).join(","), shares: styles.length > 1 ? styles.map((one) => one.share).join(",") : "" });
  const styles = ids.map((id, index) => ({ id, share: shares[index] }));
  const drop = (index) => keep(styles.filter((_, at) => at !== index));
  useEffect(() => {
    const missing = (id) => (problem) => { fail(problem); keep(styles.filter((one) => one.id !== id)); };
    for (const id of ids) get(`/api/images/${id}/facts`).catch(missing(id));
  }, [ids.join()]);
  const take = async (files) => {
    const controller = new AbortController();
    setSending({ value: 0, cancel: () => controller.abort() });
    const added = [];
    try {
      for (const file of files.slice(0, most)) {
        const image = await putImage(file, file.name || "style.png", { signal: controller.signal, onProgress: (value) => setSending((old) => old && { ...old, value }) });
        added.push({ id: image.id, share: 1 });
      }
    } catch (problem) {
      fail(problem);
    }
    setSending(null);
    keep([...styles, ...added].slice(-most));
  };
  const weigh = (index, share) => keep(styles.map((one, at) => (at === index ? { ...one, share } : one)));
  return { styles, take, drop, weigh, sending, sum: shares.reduce((sum, share) => sum + share, 0) };
}

function Styles({ chosen, most }) {
  const { styles, take, drop, weigh, sending, sum } = chosen;
  return html`<div><h2>${most > 1 ? "Styles" : "Style"}</h2>
    ${styles.map((one, index) => html`<div class="style" key=${one.id}>
      <${Pixels} class="fit" src=${imageUrl(one.id)} alt=${most > 1 ? `Style ${index + 1}` : "The style"} />
      <button class="plain" aria-label="Remove style ${index + 1}" onClick=${() => drop(index)}>✕</button>
      ${styles.length > 1 && html`<${Slider} label="Weight of style ${index + 1}" min=${0} max=${1} step=${0.05} value=${one.share} shown=${sum ? `${Math.round((100 * one.share) / sum)} %` : "0 %"} onInput=${(value) => weigh(index, value)} />`}
    </div>`)}
    ${(styles.length < most || most === 1) && html`<${Drop} compact=${styles.length > 0} multiple=${most > 1} label=${styles.length === 0 ? "Drop an artwork" : most > 1 ? "Mix with another style" : "Another artwork"} accept="image/*" onFiles=${take} />`}
    ${sending && html`<${Progress} value=${sending.value} label="sending" onCancel=${sending.cancel} />`}
  </div>`;
}

function Stylise({ run, model, route }) {
  const content = useImage(route, "image");
  const takesStyle = !model || model.stylises.takes_style;
  const most = !model || model.stylises.mixes ? MOST_STYLES : 1;
  const chosen = useStyles(route, most);
  const task = useTask();
  const network = useLoaded((signal) => (run ? Promise.resolve({}) : get("/api/stylise", { signal })), [run]);
  const [steps, setSteps] = useState(60);
  const [size, setSize] = useState(256);
  const [strength, setStrength] = useState(1);
  const [colour, setColour] = useState(false);
  const done = route.query.result;
  const start = async () => {
    const styles = takesStyle ? chosen.styles : [];
    const asked = { image: content.id, styles: styles.map((one) => one.id), size, preserve_colour: colour };
    if (styles.length > 1) asked.shares = styles.map((one) => one.share);
    Object.assign(asked, run ? { run, strength } : { steps });
    const result = await task.run("/api/stylise", asked);
    if (result) setQuery({ result: result.items[0].id });
  };
  const ready = content.facts && (!takesStyle || (chosen.styles.length && chosen.sum > 0));
  const needs = network.value && network.value.needs;
  return html`<div>
    ${needs && html`<p class="needs" role="status">${needs}</p>`}
    <div class="columns">
    <div>
      <div class="columns two">
        <div><h2>Photo</h2><${Source} image=${content} label="Drop a photo" examples=${false} />${content.facts && html`<${Pixels} class="fit" src=${imageUrl(content.id)} alt="Your photo" />`}</div>
        ${takesStyle && html`<${Styles} chosen=${chosen} most=${most} />`}
      </div>
      ${run && html`<${Slider} label="Strength" min=${0} max=${1} step=${0.05} value=${strength} onInput=${setStrength} />`}
      ${!run && html`<${Slider} label="Steps" min=${10} max=${400} step=${10} value=${steps} onInput=${setSteps} help="More steps look finer and take longer." />`}
      <${Slider} label="Size while working" min=${128} max=${768} step=${64} value=${size} shown="${size} pixels" onInput=${setSize} />
      <label class="inline"><input type="checkbox" checked=${colour} onChange=${(event) => setColour(event.target.checked)} /> keep the colours of the photo</label>
      <div class="actions"><button class="primary" onClick=${start} disabled=${!ready || task.done !== undefined}>Stylise</button></div>
      ${task.done !== undefined && html`<${Progress} value=${task.done} label="stylising" onCancel=${task.cancel} />`}
    </div>
    <div>
      ${task.preview && html`<figure><${Pixels} class="fit" src=${png(task.preview)} alt="Preview" /><figcaption>Preview</figcaption></figure>`}
      ${!task.preview && done && content.id ? html`<${BeforeAfter} before=${imageUrl(content.id)} after=${imageUrl(done)} id=${done} />` : !task.preview && html`<${Empty} title="The result comes here">With previews while it works.<//>`}
    </div>
  </div></div>`;
}

// Two images over each other, with a slider between them.
function BeforeAfter({ before, after, id }) {
  const [at, setAt] = useState(50);
  return html`<figure class="before-after">
    <div class="pane">
      <img class="pixels sharp" src=${after} alt="The result" />
      ${before && html`<div class="over" style=${{ clipPath: `inset(0 ${100 - at}% 0 0)` }}><img class="pixels sharp" src=${before} alt="Before" /></div><div class="line" style=${{ left: `${at}%` }}></div>`}
    </div>
    ${before && html`<${Slider} label="Before and after" min=${0} max=${100} step=${1} value=${at} shown="${at} %" onInput=${setAt} />`}
    <figcaption><a class="button" href=${after} download="${id}.png">Download</a></figcaption>
  </figure>`;
}

// --- canvases -------------------------------------------------------------------------------------------------------------

// A canvas for pointer and keyboard: arrow keys move a cursor, space draws.
function useDrawing({ width, height, colour, size, onStroke, erase }) {
  const canvas = useRef();
  const drawing = useRef(null);
  const cursor = useRef({ x: width / 2, y: height / 2, down: false });
  const marked = useRef(false);
  const place = (event) => {
    const box = canvas.current.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * width, y: ((event.clientY - box.top) / box.height) * height };
  };
  const stroke = (from, to) => {
    const context = canvas.current.getContext("2d");
    context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    context.strokeStyle = colour;
    context.lineWidth = size;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x + 0.01, to.y);
    context.stroke();
    marked.current = true;
  };
  const handlers = {
    onPointerDown: (event) => { event.preventDefault(); canvas.current.setPointerCapture(event.pointerId); drawing.current = place(event); stroke(drawing.current, drawing.current); },
    onPointerMove: (event) => { if (!drawing.current) return; const next = place(event); stroke(drawing.current, next); drawing.current = next; },
    onPointerUp: () => { if (drawing.current) { drawing.current = null; if (onStroke) onStroke(); } },
    onPointerCancel: () => { drawing.current = null; },
    onKeyDown: (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const old = { ...cursor.current };
      if (event.key === " ") { event.preventDefault(); cursor.current.down = !old.down; if (old.down && onStroke) onStroke(); return; }
      if (!step) return;
      event.preventDefault();
      const pace = Math.max(1, Math.round(width / 40));
      cursor.current.x = Math.min(width, Math.max(0, old.x + step[0] * pace));
      cursor.current.y = Math.min(height, Math.max(0, old.y + step[1] * pace));
      if (cursor.current.down) stroke(old, cursor.current);
    },
  };
  const clear = () => {
    canvas.current.getContext("2d").clearRect(0, 0, width, height);
    marked.current = false;
  };
  return { canvas, handlers, clear, marked };
}

const flat = (canvas, width, height, background, paint) => {
  const out = document.createElement("canvas");
  out.width = width;
  out.height = height;
  const context = out.getContext("2d");
  context.fillStyle = background;
  context.fillRect(0, 0, width, height);
  if (paint) {
    // What is painted becomes white, whatever its colour on the page.
    const layer = document.createElement("canvas");
    layer.width = width;
    layer.height = height;
    const inner = layer.getContext("2d");
    inner.drawImage(canvas, 0, 0);
    inner.globalCompositeOperation = "source-in";
    inner.fillStyle = paint;
    inner.fillRect(0, 0, width, height);
    context.drawImage(layer, 0, 0);
  } else context.drawImage(canvas, 0, 0);
  return new Promise((resolve) => out.toBlob(resolve, "image/png"));
};

function Brush({ image, handle }) {
  const { width, height } = image;
  const [size, setSize] = useState(Math.max(2, Math.round(Math.min(width, height) / 8)));
  const [erase, setErase] = useState(false);
  const { canvas, handlers, clear, marked } = useDrawing({ width, height, colour: "#ff2d95", size, erase });
  handle.current = { blob: () => (marked.current ? flat(canvas.current, width, height, "#000", "#fff") : null) };
  return html`<div class="brush">
    <div class="pane" style=${{ aspectRatio: `${width} / ${height}` }}><img class="pixels sharp" src=${imageUrl(image.id)} alt="Your photo" />
      <canvas ref=${canvas} width=${width} height=${height} tabindex="0" role="img" aria-label="Mask: paint what is to be filled. Arrow keys move the brush, space begins and ends a stroke." ...${handlers}></canvas></div>
    <div class="toolbar">
      <${Slider} label="Brush" min=${1} max=${Math.max(8, Math.round(Math.min(width, height) / 2))} step=${1} value=${size} onInput=${setSize} />
      <button aria-pressed=${erase} onClick=${() => setErase(!erase)}>Erase</button><button onClick=${clear}>Clear</button>
    </div>
  </div>`;
}

function Scribble({ width, height, onStroke, handle }) {
  const scale = Math.max(1, Math.round(256 / Math.max(width, height)));
  const [size, setSize] = useState(1);
  const { canvas, handlers, clear, marked } = useDrawing({ width: width * scale, height: height * scale, colour: "#000", size: size * scale, onStroke });
  handle.current = {
    blob: () => {
      if (!marked.current) return null;
      const small = document.createElement("canvas");
      small.width = width;
      small.height = height;
      const context = small.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(canvas.current, 0, 0, width, height);
      return flat(small, width, height, "#fff", null);
    },
  };
  return html`<div class="scribble">
    <div class="pane"><canvas ref=${canvas} width=${width * scale} height=${height * scale} tabindex="0" role="img" aria-label="Drawing. Arrow keys move the pen, space begins and ends a stroke." ...${handlers}></canvas></div>
    <div class="toolbar"><${Slider} label="Pen" min=${1} max=${6} step=${1} value=${size} onInput=${setSize} /><button onClick=${clear}>Clear</button></div>
  </div>`;
}
