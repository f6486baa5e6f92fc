// All runs as cards: search, filter, archive, compare, bin.
import { html, useEffect, useState } from "../lib/dom.js";
import { get, patch, post, remove } from "../lib/api.js";
import { address, setQuery } from "../lib/route.js";
import { ago, number } from "../lib/format.js";
import { Confirm, Empty, Page, Pixels, Problem, Progress, fail, say, useLoaded } from "../lib/ui.js";

export const STATES = {
  training: "training", queued: "waiting", paused: "paused", finished: "finished", stopped: "stopped", damaged: "damaged",
};

export function Gallery({ route, jobs }) {
  const { value, error, again } = useLoaded((signal) => get("/api/runs", { signal }), []);
  const [chosen, setChosen] = useState([]);
  const [bin, setBin] = useState(null);
  const { search = "", show = "current" } = route.query;
  const signature = jobs.map((job) => `${job.id}${job.state}`).join();

  useEffect(() => {
    again();
  }, [signature]);

  useEffect(() => {
    const timer = setInterval(again, 5000);
    return () => clearInterval(timer);
  }, []);

  if (error) return html`<${Page} title="Runs"><${Problem} error=${error} again=${again} /><//>`;
  if (!value) return html`<p class="loading">Reading the runs…</p>`;
  const runs = value.runs.filter((run) => shown(run, show) && found(run, search));
  const toggle = (id) => setChosen((old) => (old.includes(id) ? old.filter((one) => one !== id) : [...old, id]));
  const openBin = () => get("/api/bin").then((content) => setBin(content.runs)).catch(fail);

  const actions = html`
    ${chosen.length > 1 && html`<a class="button primary" href=${address("compare", "", { runs: chosen.join(",") })}>Compare ${chosen.length}</a>`}
    <a class="button ${chosen.length > 1 ? "" : "primary"}" href=${address("train")}>Train a model</a>`;
  return html`<${Page} title="Runs" lead="Every training in this folder, the newest first." actions=${actions}>
    <div class="toolbar">
      <input type="search" placeholder="Search by name, method, data or note" aria-label="Search runs" value=${search}
        onInput=${(event) => setQuery({ search: event.target.value })} />
      <label class="inline">Show
        <select value=${show} onChange=${(event) => setQuery({ show: event.target.value })}>
          <option value="current">current</option><option value="training">in training</option>
          <option value="archived">archived</option><option value="all">all</option>
        </select>
      </label>
      <button onClick=${() => (bin ? setBin(null) : openBin())} aria-expanded=${Boolean(bin)}>Bin</button>
    </div>
    ${bin && html`<${Bin} runs=${bin} onChange=${() => { openBin(); again(); }} />`}
    ${runs.length === 0 && html`<${Empty} title=${value.runs.length ? "No run matches" : "No runs yet"}>
      ${value.runs.length ? "Change the search or what is shown." : html`Begin with your images under <a href=${address("data")}>Data</a>, or train on the built-in digits: <a href=${address("train")}>Train a model</a>.`}
    <//>`}
    <ul class="cards">
      ${runs.map((run) => html`<${Card} key=${run.id} run=${run} job=${jobs.find((job) => job.run === run.name && job.state === "running")}
        chosen=${chosen.includes(run.id)} onChoose=${() => toggle(run.id)} onChange=${again} />`)}
    </ul>
  <//>`;
}

const shown = (run, show) =>
  show === "all" || (show === "archived" ? run.archived : !run.archived && (show !== "training" || run.state === "training"));
const found = (run, search) =>
  search.toLowerCase().split(/\s+/).every((word) => [run.name, run.method, run.data, run.note].join(" ").toLowerCase().includes(word));

function Card({ run, job, chosen, onChoose, onChange }) {
  const [asking, setAsking] = useState(false);
  const archive = () => patch(`/api/runs/${encodeURIComponent(run.id)}`, { archived: !run.archived }).then(onChange).catch(fail);
  const discard = () =>
    remove(`/api/runs/${encodeURIComponent(run.id)}`).then(() => { say(`${run.name} is in the bin.`); onChange(); }).catch(fail);
  const progress = job ? job.progress : run.progress;
  return html`<li class="card ${run.state}">
    <a class="card-image" href=${address("run", run.id)} tabindex="-1" aria-hidden="true">${preview(run)}</a>
    <div class="card-text">
      <h2><a href=${address("run", run.id)}>${run.name}</a></h2>
      <p class="quiet">${run.method ? `${run.method} on ${run.data}` : run.problem}</p>
      <p class="card-facts"><span class="state ${run.state}">${STATES[run.state] || run.state}</span>
        ${run.figure && html`<span title="reference ${number(run.figure.reference)}">${run.figure.name} ${number(run.figure.value)}</span>`}
        ${run.changed && html`<span class="quiet">${ago(run.changed)}</span>`}</p>
      ${run.note && html`<p class="note">${run.note}</p>`}
      ${run.state === "training" && html`<${Progress} value=${progress ?? undefined} label="training" />`}
      <p class="card-actions">
        <label class="inline"><input type="checkbox" checked=${chosen} onChange=${onChoose} /> compare</label>
        <button class="plain" onClick=${archive} aria-label="${run.archived ? "Take out of the archive" : "Archive"}: ${run.name}">${run.archived ? "unarchive" : "archive"}</button>
        <button class="plain" onClick=${() => setAsking(true)} aria-label="Move to the bin: ${run.name}">bin</button>
      </p>
    </div>
    ${asking && html`<${Confirm} question="Move ${run.name} to the bin? It can be taken back from there." yes="Move to the bin" onYes=${discard} onNo=${() => setAsking(false)} />`}
  </li>`;
}

export function preview(run) {
  if (run.newest && run.newest.endsWith(".png")) {
    return html`<${Pixels} small src="/api/runs/${encodeURIComponent(run.id)}/samples/${run.newest}" alt="" />`;
  }
  const sign = { audio: "♪", text: "¶" }[run.kind] || "…";
  return html`<span class="no-image" aria-hidden="true">${sign}</span>`;
}

function Bin({ runs, onChange }) {
  const [asking, setAsking] = useState(false);
  const restore = (id) => post(`/api/bin/${encodeURIComponent(id)}/restore`).then(onChange).catch(fail);
  const empty = () => remove("/api/bin").then(onChange).catch(fail);
  if (!runs.length) return html`<div class="panel"><p class="quiet">The bin is empty.</p></div>`;
  return html`<div class="panel">
    <ul class="rows">${runs.map((run) => html`<li key=${run.id}><span>${run.name}</span><button onClick=${() => restore(run.id)}>Take back</button></li>`)}</ul>
    <button class="danger" onClick=${() => setAsking(true)}>Empty the bin</button>
    ${asking && html`<${Confirm} question="Delete ${runs.length} runs for good? Nothing brings them back." yes="Delete" onYes=${empty} onNo=${() => setAsking(false)} />`}
  </div>`;
}
