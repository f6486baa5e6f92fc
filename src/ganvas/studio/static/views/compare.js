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
    ${runs.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label="Comparison"><table class="compare"><caption class="hidden">Figures of ${chosen.length} runs</caption>
      <thead><tr><td></td>${runs.map((run) => html`<th scope="col" key=${run.id}><a href=${address("run", run.id)}>${run.name}</a><br /><span class="quiet">${run.method}, step ${number(run.step)}</span></th>`)}</tr></thead>
      <tbody>
        <tr><th scope="row">newest samples</th>${runs.map((run) => html`<td key=${run.id} class="shot">${preview(run)}</td>`)}</tr>
        ${names.map((name) => html`<tr key=${name}><th scope="row">${name}</th>${runs.map((run) => {
          const one = figure(run, name);
          return html`<td key=${run.id} class=${one && one.value === best(name) ? "best" : ""}>${one ? number(one.value) : "–"}${one && html`<br /><span class="quiet">reference ${number(one.reference ?? one.input)}, n ${number(one.n)}</span>`}</td>`;
        })}</tr>`)}
        ${differing(runs).map(([name, values]) => html`<tr key=${name} class="quiet"><th scope="row">${name}</th>${values.map((one, index) => html`<td key=${index}>${one}</td>`)}</tr>`)}
      </tbody></table></div>`}
  <//>`;
}

// Settings that are not the same in all runs.
function differing(runs) {
  if (runs.length < 2) return [];
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.info.settings)))];
  const rows = names.map((name) => [name, runs.map((run) => (name in run.info.settings ? String(run.info.settings[name] ?? "auto") : "–"))]);
  return rows.filter(([, values]) => new Set(values).size > 1);
}
