// Measure: runs side by side, by figures and newest samples.
import { html } from "../lib/dom.js";
import { addJob, get } from "../lib/api.js";
import { address, setQuery } from "../lib/route.js";
import { number } from "../lib/format.js";
import { Empty, Page, Problem, fail, say, useLoaded } from "../lib/ui.js";
import { preview } from "./gallery.js";

export function Compare({ route }) {
  const { value, error, again } = useLoaded((signal) => get("/api/runs", { signal }), []);
  const chosen = (route.query.runs || "").split(",").filter(Boolean).slice(0, 8);
  const details = useLoaded((signal) => Promise.all(chosen.map((id) => get(`/api/runs/${encodeURIComponent(id)}`, { signal }))), [chosen.join()]);
  if (error || details.error) return html`<${Page} title="Measure"><${Problem} error=${error || details.error} again=${() => { again(); details.again(); }} /><//>`;
  if (!value || !details.value) return html`<p class="loading">Reading the figures…</p>`;
  const toggle = (id) => setQuery({ runs: (chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]).join(",") });
  const runs = details.value;
  const names = [...new Set(runs.flatMap((run) => Object.keys((run.figures && run.figures.metrics) || {})))];
  const figure = (run, name) => ((run.figures && run.figures.metrics) || {})[name];
  const best = (name) => {
    const found = runs.map((run) => figure(run, name)).filter(Boolean);
    if (found.length < 2) return null;
    const values = found.map((one) => one.value);
    return found[0].better === "higher" ? Math.max(...values) : Math.min(...values);
  };
  const measure = () => Promise.all(chosen.map((run) => addJob("evaluate", { run }))).then(() => say("The measurements are in the queue.")).catch(fail);
  return html`<${Page} title="Measure" lead="Runs side by side. Figures compare only where data, feature network and sample count are the same."
    actions=${chosen.length > 0 && html`<button onClick=${measure}>Measure these again</button>`}>
    <fieldset><legend>Runs</legend><div class="choices">${value.runs.filter((run) => run.state !== "damaged" && !run.archived).map((run) => html`<label key=${run.id} class="choice ${chosen.includes(run.id) ? "on" : ""}">
      <input type="checkbox" checked=${chosen.includes(run.id)} onChange=${() => toggle(run.id)} /> ${run.name}</label>`)}</div></fieldset>
    ${chosen.length === 0 && html`<${Empty} title="Choose runs">Two or more show what differs.<//>`}
    ${runs.length > 0 && html`<div class="measured"><div class="scroll" tabindex="0" role="region" aria-label="Comparison"><table class="compare"><caption class="hidden">Figures of ${chosen.length} runs</caption>
      <thead><tr><td></td>${runs.map((run) => html`<th scope="col" key=${run.id}><a href=${address("run", run.id)}>${run.name}</a><br /><span class="quiet">${run.method}, step ${number(run.step)}</span></th>`)}</tr></thead>
      <tbody>
        <tr><th scope="row">newest samples</th>${runs.map((run) => html`<td key=${run.id} class="shot">${preview(run)}</td>`)}</tr>
        ${names.map((name) => html`<tr key=${name}><th scope="row">${name}</th>${runs.map((run) => {
          const one = figure(run, name);
          return html`<td key=${run.id} class=${one && one.value === best(name) ? "best" : ""}>${one ? number(one.value) : "–"}${one && html`<br /><span class="quiet">reference ${number(one.reference ?? one.input)}, n ${number(one.n)}</span>`}</td>`;
        })}</tr>`)}
        ${differing(runs).map(([name, values]) => html`<tr key=${name} class="quiet"><th scope="row">${name}</th>${values.map((one, index) => html`<td key=${index}>${one}</td>`)}</tr>`)}
      </tbody></table></div>
      <${Plane} runs=${runs} /></div>`}
  <//>`;
}

const PLANE = 320; // pixels
const EDGE = 40; // ... around it, for the axes

// Precision against recall: the path of each training over its measurements, and what held-out images score.
function Plane({ runs }) {
  const paths = runs.map((run) => ({ name: run.name, points: measured(run) })).filter((one) => one.points.length);
  if (!paths.length) return null;
  const x = (value) => EDGE + value * PLANE;
  const y = (value) => EDGE / 2 + (1 - value) * PLANE;
  const words = paths.map((one) => `${one.name}: precision ${number(one.points.at(-1).precision)}, recall ${number(one.points.at(-1).recall)}`).join("; ");
  return html`<figure class="chart plane">
    <figcaption>Precision and recall</figcaption>
    <svg viewBox="0 0 ${PLANE + 1.5 * EDGE} ${PLANE + 1.5 * EDGE}" role="img" aria-label="Precision over recall. ${words}">
      ${[0, 0.25, 0.5, 0.75, 1].map((one) => html`<g key=${one}>
        <line class="grid" x1=${x(one)} y1=${y(0)} x2=${x(one)} y2=${y(1)} /><line class="grid" x1=${x(0)} y1=${y(one)} x2=${x(1)} y2=${y(one)} />
        <text x=${x(one)} y=${y(0) + 16} text-anchor="middle">${one}</text><text x=${x(0) - 6} y=${y(one) + 4} text-anchor="end">${one}</text></g>`)}
      <text x=${x(0.5)} y=${y(0) + 34} text-anchor="middle">recall: variety</text>
      <text transform="translate(10 ${y(0.5)}) rotate(-90)" text-anchor="middle">precision: quality</text>
      ${paths.map((one, index) => html`<g key=${one.name} style=${{ color: `var(--series-${(index % 6) + 1})` }}>
        <polyline points=${one.points.map((point) => `${x(point.recall)},${y(point.precision)}`).join(" ")} fill="none" stroke="currentColor" stroke-width="1.5" />
        ${one.points.map((point, at) => html`<circle key=${at} cx=${x(point.recall)} cy=${y(point.precision)} r=${at === one.points.length - 1 ? 5 : 2.5} fill="currentColor"><title>${one.name}, step ${number(point.step)}: precision ${number(point.precision)}, recall ${number(point.recall)}</title></circle>`)}
        ${reference(one.points.at(-1)) && html`<rect x=${x(one.points.at(-1).best_recall) - 5} y=${y(one.points.at(-1).best_precision) - 5} width="10" height="10" fill="none" stroke="currentColor" stroke-width="2"><title>${one.name}: what held-out images score</title></rect>`}
      </g>`)}
    </svg>
    <ul class="legend">${paths.map((one, index) => html`<li key=${one.name} style=${{ color: `var(--series-${(index % 6) + 1})` }}><b>●</b> <span>${one.name}</span></li>`)}</ul>
    <p class="quiet">A line follows a training over its measurements; the large point is the newest. The square is what held-out images score.</p>
  </figure>`;
}

const reference = (point) => typeof point.best_recall === "number" && typeof point.best_precision === "number";

// Precision and recall at each step at which a run was measured, and those of the reference.
function measured(run) {
  const all = [...run.events.filter((event) => event.event === "evaluated"), run.figures];
  const points = [];
  for (const { step, metrics } of all) {
    if (!metrics || !metrics.precision || !metrics.recall) continue;
    const { precision, recall } = metrics;
    points.push({ step, precision: precision.value, recall: recall.value, best_precision: precision.reference, best_recall: recall.reference });
  }
  return points;
}

// Settings that are not the same in all runs.
function differing(runs) {
  if (runs.length < 2) return [];
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.info.settings)))];
  const rows = names.map((name) => [name, runs.map((run) => (name in run.info.settings ? String(run.info.settings[name] ?? "auto") : "–"))]);
  return rows.filter(([, values]) => new Set(values).size > 1);
}
