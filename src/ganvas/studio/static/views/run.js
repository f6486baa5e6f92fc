// One run: samples over time, live curves, figures, the doctor, settings.
import { html, useEffect, useMemo, useRef, useState } from "../lib/dom.js";
import { addJob, get, long, patch, post, text } from "../lib/api.js";
import { address, go, setQuery } from "../lib/route.js";
import { bytes, clock, number } from "../lib/format.js";
import { Chart, grouped } from "../lib/chart.js";
import { Job, OPEN } from "../lib/job.js";
import { Empty, Field, Page, Pixels, Problem, Progress, Slider, Tabs, fail, say, useLoaded } from "../lib/ui.js";
import { STATES } from "./gallery.js";

const TRAINING = ["train", "extend", "apply"]; // kinds of jobs
const TABS = { samples: "Samples", curves: "Curves", figures: "Figures", doctor: "Doctor", settings: "Settings", share: "Share" };

export function RunView({ route, jobs, live }) {
  const id = route.id;
  const path = `/api/runs/${encodeURIComponent(id)}`;
  const { value: run, error, again } = useLoaded((signal) => get(path, { signal }), [id]);
  const tab = route.query.tab || "samples";
  const name = run ? run.name : id;
  const job = jobs.find((one) => one.run === name && TRAINING.includes(one.kind) && OPEN.includes(one.state));
  const state = job ? { running: "training", queued: "queued", paused: "paused" }[job.state] : live ? live.state : run && run.state;

  const ended = jobs.filter((one) => one.run === name && !OPEN.includes(one.state)).map((one) => one.id).join(); // of any kind

  useEffect(() => {
    if (run || error) again();
  }, [live && live.samples.join(), live && live.ended, job && job.state, job && job.phase, ended]);

  if (error && job) return html`<${Page} title=${id}><${Empty} title="Not begun yet">${job.state === "running" ? "It is being prepared." : html`It waits in the <a href=${address("queue")}>queue</a>.`}<//><//>`;
  if (error) return html`<${Page} title=${id}><${Problem} error=${error} again=${again} /><//>`;
  if (!run) return html`<p class="loading">Reading the run…</p>`;
  if (run.state === "damaged") return html`<${Page} title=${run.name}><${Problem} error=${{ message: run.problem }} /><//>`;
  const row = live ? live.row : run.row;
  const abilities = run.abilities;
  const actions = html`
    ${run.has_weights && abilities.includes("Samples") && html`<a class="button" href=${address("explore", id)}>Explore</a>`}
    ${run.has_weights && ["Translates", "Restores", "Stylises"].some((one) => abilities.includes(one)) && html`<a class="button" href=${address("use", id)}>Use</a>`}
    ${run.has_report && html`<a class="button" href="${path}/report" target="_blank" rel="noreferrer">Report ↗</a>`}`;
  return html`<${Page} title=${run.name} lead="${run.method} on ${run.data}" actions=${actions}>
    <div class="panel status">
      <span class="state ${state}">${STATES[state] || state}</span>
      <span>step ${number(row.step || 0)}</span>
      ${row.images_per_second && html`<span>${number(row.images_per_second)} images/s</span>`}
      <span>${clock(row.seconds || 0)} trained</span>
      ${run.figure && html`<span>${run.figure.name} <b>${number((live && primary(live.figures)) ?? run.figure.value)}</b> <span class="quiet">(reference ${number(run.figure.reference)})</span></span>`}
      <${Controls} job=${job} run=${run} />
      ${state === "training" && html`<${Progress} value=${row.progress} label=${job && job.wanted ? `${job.wanted === "pause" ? "saving" : "stopping"}…` : "training"} left=${row.seconds_left} />`}
    </div>
    <${Tabs} tabs=${TABS} current=${tab} onChange=${(next) => setQuery({ tab: next })} label="Parts of the run" />
    <div role="tabpanel" aria-label=${TABS[tab]}>
      ${tab === "samples" && html`<${Samples} run=${run} path=${path} route=${route} />`}
      ${tab === "curves" && html`<${Curves} path=${path} seen=${live && live.seen} />`}
      ${tab === "figures" && html`<${Figures} run=${run} jobs=${jobs} />`}
      ${tab === "doctor" && html`<${Doctor} run=${run} path=${path} />`}
      ${tab === "share" && html`<${Share} run=${run} path=${path} jobs=${jobs} />`}
      ${tab === "settings" && html`<${Settings} run=${run} path=${path} />`}
    </div>
  <//>`;
}

function primary(figures) {
  const found = Object.values((figures && figures.metrics) || {}).find((figure) => figure.primary);
  return found && found.value;
}

function Controls({ job, run }) {
  const act = (action) => post(`/api/jobs/${job.id}`, { action }).catch(fail);
  const [minutes, setMinutes] = useState(5);
  const extend = () =>
    addJob("extend", { run: run.id, minutes }).then(() => say(`${run.name} is in the queue for ${minutes} more minutes.`)).catch(fail);
  if (!job) {
    return html`<span class="controls">
      <label class="inline">continue for <input type="number" min="0.1" step="any" value=${minutes} onInput=${(event) => setMinutes(Number(event.target.value))} /> min</label>
      <button onClick=${extend} disabled=${!(minutes > 0)}>Continue</button>
    </span>`;
  }
  return html`<span class="controls">
    ${job.state !== "paused" && html`<button disabled=${Boolean(job.wanted)} onClick=${() => act("pause")}>Pause</button>`}
    ${job.state === "paused" && html`<button class="primary" onClick=${() => act("resume")}>Resume</button>`}
    <button disabled=${job.wanted === "stop"} onClick=${() => act("stop")}>Stop</button>
  </span>`;
}

function Samples({ run, path, route }) {
  const images = run.samples.filter((name) => name.endsWith(".png"));
  const others = run.samples.filter((name) => !name.endsWith(".png"));
  const stuck = route.query.at;
  const at = stuck !== undefined && Number(stuck) < images.length ? Number(stuck) : images.length - 1;
  const step = (name) => number(Number(name.split(".")[0]));
  if (!run.samples.length) return html`<${Empty} title="No samples yet">The first grid comes after the first measurement of the training.<//>`;
  return html`<div class="samples">
    ${images.length > 0 && html`
      ${images.length > 1 && html`<${Slider} label="Step" min=${0} max=${images.length - 1} step=${1} value=${at} shown=${step(images[at])}
        onInput=${(value) => setQuery({ at: value === images.length - 1 ? "" : value })} />`}
      <figure><${Pixels} small src="${path}/samples/${images[at]}" alt="Samples of ${run.name} at step ${step(images[at])}, always the same seeds" />
        <figcaption>Step ${step(images[at])}. The same seeds at every step. <a href="${path}/samples/${images[at]}" download="${run.id}-${images[at]}">Download</a></figcaption></figure>`}
    ${others.map((name) => html`<${Other} key=${name} path="${path}/samples/${name}" label="Step ${step(name)}" />`)}
  </div>`;
}

function Other({ path, label }) {
  const [content, setContent] = useState("");
  useEffect(() => {
    if (path.endsWith(".txt")) text(path).then(setContent).catch(fail);
  }, [path]);
  if (path.endsWith(".wav")) return html`<figure><audio controls preload="none" src=${path} aria-label=${label}></audio><figcaption>${label}</figcaption></figure>`;
  return html`<details><summary>${label}</summary><pre>${content}</pre></details>`;
}

function Curves({ path, seen }) {
  const { value, error, again } = useLoaded((signal) => get(`${path}/log`, { signal }), [path]);
  const [log, setLog] = useState(false);
  useEffect(() => {
    if (value) again();
  }, [seen]);
  const groups = useMemo(() => (value ? grouped(value.columns) : {}), [value]);
  if (error) return html`<${Problem} error=${error} again=${again} />`;
  if (!value) return html`<p class="loading">Reading the log…</p>`;
  if (!value.columns.step) return html`<${Empty} title="No curves yet">They begin with the first step.<//>`;
  return html`<div>
    <label class="inline"><input type="checkbox" checked=${log} onChange=${(event) => setLog(event.target.checked)} /> logarithmic</label>
    <span class="quiet"> Drag to zoom, double click to see all.</span>
    <div class="charts">
      ${Object.entries(groups).map(([title, series]) => html`<${Chart} key=${title} title=${title.replaceAll("_", " ")} steps=${value.columns.step}
        series=${series} log=${log && series.every((one) => one.values.every((number) => number === null || number > 0))} />`)}
    </div>
  </div>`;
}

// A job of a run; `ending` tells the jobs of one kind apart by the end of their titles.
function RunJob({ run, kind, request = {}, ending = "", ...more }) {
  const own = (one) => one.run === run.name && one.title.endsWith(ending);
  return html`<${Job} kind=${kind} own=${own} request=${{ run: run.id, ...request }} disabled=${!run.has_weights} ...${more} />`;
}

function fileLinks(facts) {
  return html`<p>${Object.entries(facts.files).map(([name, size]) => html`<a class="button" key=${name} href="/api/jobs/${facts.id}/files/${encodeURIComponent(name)}" download=${name}>Download ${name}</a> <span class="quiet">${bytes(size)}</span> `)}</p>`;
}

// What became of generating labelled images: counts by class, the page and the files.
function augmented(facts) {
  const { result = {}, files, id } = facts;
  return html`<div>
    ${result.classes && html`<div class="scroll" tabindex="0" role="region" aria-label="Labelled images"><table><caption>${number(result.n)} images${typeof result.agreement === "number" ? `; a classifier sees the class asked for in ${number(100 * result.agreement)} % of all that were generated` : ""}</caption>
      <thead><tr><th scope="col">class</th><th scope="col">training images</th><th scope="col">generated</th><th scope="col">agree</th><th scope="col">kept</th></tr></thead>
      <tbody>${result.classes.map((one) => html`<tr key=${one.label}><th scope="row">${one.label}</th><td>${number(one.training_images)}</td><td>${number(one.generated)}</td><td>${number(one.agreed)}</td><td>${number(one.kept)}</td></tr>`)}</tbody></table></div>`}
    ${(result.notes || []).map((note) => html`<p key=${note} class="quiet">${note}</p>`)}
    ${files["images.html"] && html`<p><a class="button" href="/api/jobs/${id}/files/images.html" target="_blank" rel="noreferrer">Look at some of them ↗</a></p>`}
    ${files["images.zip"] && fileLinks({ id, files: { "images.zip": files["images.zip"] } })}
  </div>`;
}

// Whether the weights that were audited are those of an earlier step, in words.
function outdated(run) {
  const { step } = run.audit;
  if (typeof step !== "number") return " Audited at an unknown step: the run may have been trained further since; audit it again.";
  return step < run.step ? ` Audited at step ${number(step)} of ${number(run.step)}; the run was trained further since: audit it again.` : "";
}

export function Figures({ run, jobs = [] }) {
  const figures = (run.figures && run.figures.metrics) || {};
  const names = Object.keys(figures);
  const verdict = run.audit && run.audit.verdict;
  return html`<div>
    <div class="actions"><${RunJob} run=${run} jobs=${jobs} kind="evaluate" label="Measure again" />
      ${run.abilities.includes("Samples") && run.kind === "images" && html`<${RunJob} run=${run} jobs=${jobs} kind="audit" label="Audit for copies" />`}
      ${run.abilities.includes("Samples") && run.kind === "images" && html`<${RunJob} run=${run} jobs=${jobs} kind="explain" label="Explain the model"
        done=${(facts) => html`<p><a class="button" href="/api/jobs/${facts.id}/files/explain.html" target="_blank" rel="noreferrer">Units, layers, dimensions and nearest training images ↗</a></p>`} />`}</div>
    ${names.length === 0 && html`<${Empty} title="Not measured yet">A training measures itself where its budget allows, and at its end.<//>`}
    ${names.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label="Figures"><table><caption class="hidden">Figures of ${run.name}</caption>
      <thead><tr><th scope="col">figure</th><th scope="col">value</th><th scope="col">reference</th><th scope="col">samples</th><th scope="col">better</th></tr></thead>
      <tbody>${names.map((name) => html`<tr key=${name} class=${figures[name].primary ? "primary" : ""}><th scope="row">${name}</th>
        <td>${number(figures[name].value)}</td><td>${number(figures[name].reference ?? figures[name].input)}</td><td>${number(figures[name].n)}</td><td>${figures[name].better || ""}</td></tr>`)}</tbody>
    </table></div>
    <p class="quiet">Reference: the same measure of held-out real data. Measured at step ${number(run.figures.step)}.</p>`}
    ${verdict && html`<p>Audit: ${typeof verdict === "string" ? verdict : JSON.stringify(verdict)}.${outdated(run)}
      ${run.has_audit_page && html` <a class="button" href="/api/runs/${encodeURIComponent(run.id)}/audit" target="_blank" rel="noreferrer">Suspicious samples beside their nearest training images ↗</a>`}</p>`}
    ${names.some((name) => name === "precision") && html`<p><a href=${address("compare", "", { runs: run.id })}>Precision and recall over the steps</a></p>`}
  </div>`;
}

function Doctor({ run, path }) {
  const { value, error, again, loading } = useLoaded((signal) => get(`${path}/doctor`, { signal }), [path, run.step]);
  const apply = () => {
    const name = `${run.id}-changed-${Date.now() % 10000}`.slice(-100);
    addJob("apply", { run: run.id, name }).then(() => { say(`${name} is in the queue.`); go("queue"); }).catch(fail);
  };
  if (error) return html`<${Problem} error=${error} again=${again} />`;
  if (!value) return html`<p class="loading">The doctor reads the log…</p>`;
  if (value.healthy === null) return html`<${Empty} title="Not enough to tell">${value.note}<//>`;
  const well = value.healthy && html`<${Empty} title="No trouble found">The doctor looked at ${number(value.step)} steps.<//>`;
  return html`<div>${well}${value.findings.map(
    (finding, index) => html`<article class="finding" key=${finding.name}>
      <h2>${finding.level === "note" ? "Note: " : ""}${finding.name.replaceAll("_", " ")} <span class="quiet">${Math.round(finding.confidence * 100)} % sure</span></h2>
      <p>${finding.meaning}</p>
      <p class="quiet">${Object.entries(finding.evidence).map(([name, one]) => `${name} ${number(one)}`).join(", ")}</p>
      <p><b>Change:</b> ${finding.change}${finding.text && finding.text !== finding.change ? html` <span class="quiet">(${finding.text})</span>` : ""}</p>
      ${index === value.findings.findIndex((one) => Object.keys(one.settings).length) && html`<button class="primary" onClick=${apply} disabled=${loading}>Train again with this change</button>`}
    </article>`,
  )}</div>`;
}

function Settings({ run, path }) {
  const [note, setNote] = useState(run.note || "");
  const keep = () => patch(path, { note }).then(() => say("The note is kept.")).catch(fail);
  const again = () => {
    localStorage.setItem("train-form", JSON.stringify({ method: run.method, settings: run.info.settings, name: "" }));
    go("train");
  };
  const table = (values, caption) => html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}><table><caption>${caption}</caption>
    <tbody>${Object.entries(values || {}).map(([name, value]) => html`<tr key=${name}><th scope="row">${name}</th><td>${shown(value)}</td></tr>`)}</tbody></table></div>`;
  return html`<div class="columns">
    <div>
      <${Field} label="Note"><textarea rows="3" value=${note} onInput=${(event) => setNote(event.target.value)}></textarea><//>
      <p><button onClick=${keep}>Keep the note</button> <button onClick=${again}>Train another one like this</button></p>
      ${table({ seed: run.seed, device: run.device, machine: run.info.machine, precision: run.info.precision, parameters: number(run.parameters), "on the disk": bytes(run.bytes), ganvas: run.info.ganvas, budget: run.info.budget }, "Facts")}
      ${table(run.info.data_settings, "Data")}
    </div>
    <div>${table(run.info.settings, "Settings of the method")}</div>
  </div>`;
}

// A model with its card, without anything of this machine. Only the upload to the hub sends something away, and it says so.
function Share({ run, path, jobs }) {
  const [name, setName] = useState("");
  const [hidden, setHidden] = useState(true);
  const chosen = () => ({ weights, ...(licence ? { licence } : {}) });
  const [licence, setLicence] = useState("");
  const [weights, setWeights] = useState("last");
  const [perClass, setPerClass] = useState(100);
  const [state, setState] = useState(null);
  const make = async () => {
    const controller = new AbortController();
    setState({ done: 0, cancel: () => controller.abort() });
    try {
      const result = await long(`${path}/share`, { licence, weights }, { signal: controller.signal, onProgress: (one) => setState((old) => old && { ...old, done: one.done }) });
      setState({ result });
    } catch (problem) {
      setState(null);
      fail(problem);
    }
  };
  if (!run.has_weights) return html`<${Empty} title="Nothing to share yet">The run has not saved its weights.<//>`;
  return html`<div class="columns">
    <div>
      <p>Config, weights, a model card, samples and a list of hashes, without any path or name of this machine and without training images. Audit the run first: a generator can repeat what it has memorised.</p>
      <${Field} label="Licence of the weights" help="Such as cc-by-4.0. Whether your data allow it is yours to know."><input type="text" maxlength="100" value=${licence} onInput=${(event) => setLicence(event.target.value)} /><//>
      <${Field} label="Weights"><select value=${weights} onChange=${(event) => setWeights(event.target.value)}><option value="last">last</option>${run.has_best && html`<option value="best">best step</option>`}</select><//>
      <button class="primary" onClick=${make} disabled=${Boolean(state && state.cancel)}>Make the files</button>
      ${state && state.cancel && html`<${Progress} value=${state.done} label="writing" onCancel=${state.cancel} />`}
      ${state && state.result && html`<p><a class="button" href="/api/shares/${state.result.id}" download="${run.id}.zip">Download ${run.id}.zip</a></p>
        <ul>${Object.entries(state.result.files).map(([name, size]) => html`<li key=${name}>${name} <span class="quiet">${bytes(size)}</span></li>`)}</ul>`}
      ${run.classes.length > 1 && run.kind === "images" && run.abilities.includes("Samples") && html`<h2>Images for a classifier</h2>
        <p class="quiet">Labelled images of a class-conditional model, kept where a classifier sees the class that was asked for.</p>
        <${Field} label="Images of each class"><input type="number" min="1" max="10000" step="1" value=${perClass} onInput=${(event) => setPerClass(Math.floor(Number(event.target.value)) || 1)} /><//>
        <${RunJob} run=${run} jobs=${jobs} kind="augment" request=${{ per_class: perClass, weights }} label="Generate labelled images" done=${augmented} />`}
      <h2>In other programs</h2>
      <p class="quiet">A page opens in any browser, without a server and without a network. An ONNX file runs without PyTorch.</p>
      <${RunJob} run=${run} jobs=${jobs} kind="export" request=${{ to: "page", ...chosen() }} ending=" as page" label="Make one HTML page" done=${fileLinks} />
      <${RunJob} run=${run} jobs=${jobs} kind="export" request=${{ to: "onnx", ...chosen() }} ending=" as onnx" label="Make ONNX files" done=${fileLinks} />
      <h2>On the Hugging Face hub</h2>
      <p class="quiet">This uploads the files above, with the login that this machine has (<code>hf auth login</code>).</p>
      <${Field} label="Name on the hub"><input type="text" maxlength="200" placeholder="owner/name" value=${name} onInput=${(event) => setName(event.target.value.trim())} /><//>
      <label class="inline"><input type="checkbox" checked=${hidden} onChange=${(event) => setHidden(event.target.checked)} /> private</label>
      ${/^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(name) && html`<${RunJob} run=${run} jobs=${jobs} kind="push" request=${{ name, private: hidden, ...chosen() }} ending=${` as ${name}`} label="Upload to ${name}"
        done=${(facts) => html`<p>It is uploaded${facts.request && facts.request.name ? ` as ${facts.request.name}` : ""}.</p>`} />`}
    </div>
    <div>${state && state.result ? html`<h2>The card</h2><pre tabindex="0" aria-label="Model card">${state.result.card}</pre>` : html`<${Empty} title="The card comes here">It says what the model is, how it was measured and what it cannot do.<//>`}</div>
  </div>`;
}

function shown(value) {
  if (value === null || value === undefined) return "auto";
  if (Array.isArray(value)) return value.join("-");
  if (typeof value === "object") return Object.entries(value).filter(([, one]) => one !== null).map(([name, one]) => `${one} ${name}`).join(", ");
  return String(value);
}
