// Data: drop files, look at what they are, choose size and crop, remove.
import { html, useEffect, useRef, useState } from "../lib/dom.js";
import { get, post, remove, upload } from "../lib/api.js";
import { address, setQuery } from "../lib/route.js";
import { bytes, number } from "../lib/format.js";
import { Job } from "../lib/job.js";
import { Confirm, Drop, Empty, Field, Page, Problem, Progress, fail, nameOf, say, useLoaded } from "../lib/ui.js";

const AT_ONCE = 3; // uploads beside each other
const CLIP = 16; // frames of a clip, where clips are asked for
export const ASKED = { size: "auto", fit: "crop", frames: 0, pairs: "auto" }; // settings in the address, and what they are without
const FITS = { crop: "cut the long side", pad: "pad with the background", stretch: "stretch", tile: "cut into tiles" };

const NOTHING = Object.fromEntries(Object.keys(ASKED).map((name) => [name, ""]));
const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value));

export function Data({ route, jobs }) {
  const { value, error, again } = useLoaded((signal) => get("/api/data", { signal }), []);
  const [sending, setSending] = useState(null);
  const [looking, setLooking] = useState(null);
  const [looked, setLooked] = useState({});
  const [asking, setAsking] = useState(null);
  const running = useRef(null);
  const chosen = route.query.source || "";
  const settings = given(Object.fromEntries(Object.keys(ASKED).map((name) => [name, route.query[name]])));
  const key = JSON.stringify([chosen, settings]);

  // The address says what is looked at: the source and some of its settings. A newer look cancels the one before it.
  const look = async () => {
    if (running.current) running.current.abort();
    const controller = new AbortController();
    running.current = controller;
    setLooking({ cancel: () => controller.abort() });
    try {
      const card = await post("/api/look", { source: chosen, settings }, { signal: controller.signal });
      setLooked((old) => ({ ...old, [key]: { ...card, at: Date.now() } }));
    } catch (problem) {
      if (running.current !== controller) return;
      const cancelled = problem.name === "AbortError" ? { message: "This was cancelled." } : problem;
      setLooked((old) => ({ ...old, [key]: { problem: cancelled } }));
    }
    if (running.current !== controller) return;
    running.current = null;
    setLooking(null);
    again();
  };

  const one = value && value.data.find((each) => each.source === chosen);
  const kept = one && one.card && asked(one.card, settings) ? { card: one.card, grid: one.has_grid ? `/api/looks/${one.id}/grid` : null, at: 0 } : null;
  const shown = looked[key] || kept;
  useEffect(() => {
    if (one && !shown) look();
  }, [key, Boolean(one)]);
  useEffect(() => () => running.current && running.current.abort(), []);

  const send = async (files) => {
    const first = nameOf(files[0]);
    const name = first.includes("/") ? first.split("/")[0] : files.length === 1 ? first.replace(/\.[^.]+$/, "") : `${files.length} files`;
    const controller = new AbortController();
    let done = 0;
    const refused = [];
    setSending({ value: 0, label: `sending ${files.length} files`, cancel: () => controller.abort() });
    try {
      const made = await post("/api/data", { name: name.slice(0, 100) });
      const rest = [...files];
      const lane = async () => {
        for (;;) {
          const file = rest.shift();
          if (!file) return;
          // The outermost folder is the data set itself; those inside it are labels.
          const parts = nameOf(file).split("/");
          const inner = parts.length > 1 ? parts.slice(1).join("/") : parts[0];
          try {
            await upload(`/api/data/${made.id}/files`, file, inner, {
              signal: controller.signal,
              onProgress: (share) => setSending((old) => old && { ...old, value: (done + share) / files.length }),
            });
          } catch (problem) {
            if (problem.name === "AbortError" || !problem.status || problem.status === 404) throw problem;
            refused.push(problem.message);
          }
          done += 1;
          setSending((old) => old && { ...old, value: done / files.length });
        }
      };
      try {
        await Promise.all(Array.from({ length: Math.min(AT_ONCE, files.length) }, lane));
      } catch (problem) {
        await remove(`/api/data/${made.id}`).catch(() => {});
        throw problem;
      }
      if (refused.length === files.length) {
        await remove(`/api/data/${made.id}`);
        throw new Error(refused[0]);
      }
      if (refused.length) say(`${refused.length} files were left out: ${refused[0]}`, "error");
      setSending(null);
      again();
      setQuery({ source: `data:${made.id}`, ...NOTHING });
    } catch (problem) {
      setSending(null);
      fail(problem);
      again();
    }
  };

  if (error) return html`<${Page} title="Data"><${Problem} error=${error} again=${again} /><//>`;
  if (!value) return html`<p class="loading">Reading the data…</p>`;
  return html`<${Page} title="Data" lead="Everything stays on this machine.">
    <div class="columns">
      <div>
        <${Drop} label="Drop images, videos, sounds, texts, meshes or a .zip here" hint="Sub-folders become labels." multiple onFiles=${send} />
        <${Drop} compact folder label="Or a whole folder" onFiles=${(files) => send(files)} />
        ${sending && html`<${Progress} value=${sending.value} label=${sending.label} onCancel=${sending.cancel} />`}
        <ul class="rows data-list">
          ${value.data.map((each) => html`<li key=${each.source} class=${each.source === chosen ? "on" : ""}>
            <button class="plain grow" aria-current=${each.source === chosen ? "true" : undefined} onClick=${() => setQuery({ source: each.source, ...NOTHING })}>
              <b>${each.name}</b> <span class="quiet">${{ set: "built in", folder: "on this machine", dropped: `${number(each.files)} ${each.files === 1 ? "file" : "files"}, ${bytes(each.bytes)}` }[each.kind]}</span></button>
            ${each.kind === "dropped" && html`<button class="plain" aria-label="Remove ${each.name}" onClick=${() => setAsking(each)}>remove</button>`}
          </li>`)}
        </ul>
      </div>
      <div aria-live="polite">
        ${looking && html`<${Progress} label="looking at the data" onCancel=${looking.cancel} />`}
        ${!chosen && !looking && html`<${Empty} title="Choose data">Sizes, labels, duplicates and problems are shown here.<//>`}
        ${shown && shown.problem && html`<${Problem} error=${shown.problem} again=${look} />`}
        ${shown && shown.card && html`<${Card} name=${one ? one.name : ""} source=${chosen} look=${shown} settings=${settings} jobs=${jobs} onLook=${look} />`}
      </div>
    </div>
    ${asking && html`<${Confirm} question="Remove ${asking.name}? Runs that were trained on it stay." yes="Remove"
      onYes=${() => remove(`/api/data/${asking.id}`).then(() => { setQuery({ source: "" }); again(); }).catch(fail)} onNo=${() => setAsking(null)} />`}
  <//>`;
}

// Whether a card is of these settings.
function asked(card, settings) {
  const made = card.settings || {};
  return Object.entries(ASKED).every(([name, otherwise]) => String(made[name] ?? otherwise) === String(settings[name] || otherwise));
}

// Counts of a histogram, each as a bar.
function Bars({ rows }) {
  const most = Math.max(1, ...rows.map(([, count]) => count));
  return html`<ul class="bars">${rows.map(([label, count]) => html`<li key=${label}><span>${label}</span><meter min="0" max=${most} value=${count} aria-label="${label}: ${count}"></meter><span>${number(count)}</span></li>`)}</ul>`;
}

function Card({ name, source, look, settings, jobs, onLook }) {
  const { card } = look;
  const { size = "", fit = "", frames = "", pairs: columns = "" } = settings;
  const classes = Object.entries((card.classes && card.classes.train) || {});
  const sizes = card.original_sizes;
  const pairs = card.duplicates || {};
  const same = Object.values(pairs).reduce((sum, count) => sum + (count || 0), 0);
  return html`<article class="panel">
    <h2>${name}</h2>
    ${card.kind === "images" ? html`<p>${Object.entries(card.counts || {}).map(([split, count]) => `${number(count)} ${split}`).join(", ")}${card.shape ? `, shape ${card.shape.join(" × ")}` : ""} <span class="quiet">images</span></p>` : html`<${Facts} rows=${Object.entries(card.described || {})} caption="What ${name} holds" />`}
    ${sizes && html`<p class="quiet">Sizes as they came (height × width): from ${sizes.min.join(" × ")} to ${sizes.max.join(" × ")}, the median ${sizes.median.join(" × ")}${card.size_rule ? ` (${card.size_rule})` : ""}.</p>`}
    ${sizes && (sizes.short_sides || []).length > 1 && html`<details><summary>Short sides in pixels</summary><${Bars} rows=${sizes.short_sides.map(([least, greatest, count]) => [least === greatest ? `${least}` : `${least} to ${greatest}`, count])} /></details>`}
    ${same > 0 && html`<p class="problem">${number(same)} exact duplicates (${Object.entries(pairs).map(([where, count]) => `${where.replaceAll("_", " ")} ${count}`).join(", ")}).</p>`}
    ${(card.notes || []).map((note) => html`<p key=${note} class="quiet">${note}</p>`)}
    ${(card.problems || []).length > 0 && html`<details open><summary>${card.problems.length} files cannot be used</summary><ul>${card.problems.slice(0, 50).map(([file, why]) => html`<li key=${file}>${file}: ${why}</li>`)}</ul></details>`}
    ${["images", "video"].includes(card.kind) && html`<div class="toolbar">
      <${Field} label="Size" unit="pixels"><input type="text" pattern="[0-9]+(x[0-9]+)?" maxlength="11" placeholder="auto" value=${size} onChange=${(event) => event.target.reportValidity() && setQuery({ size: event.target.value })} /><//>
      <${Field} label="Other shapes"><select value=${fit || "crop"} onChange=${(event) => setQuery({ fit: event.target.value === "crop" ? "" : event.target.value })}>
        ${Object.entries(FITS).map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}</select><//>
      ${(card.kind === "video" || card.animations > 0 || card.frames_of_videos) && html`<${Field} label="Read as"><select value=${frames ? "clips" : "images"} onChange=${(event) => setQuery({ frames: event.target.value === "clips" ? CLIP : "" })}>
        <option value="images">images</option><option value="clips">clips of ${frames || CLIP} frames</option></select><//>`}
    </div>`}
    ${["text", "parallel_text"].includes(card.kind) && html`<div class="toolbar"><${Field} label="Read as"><select value=${columns || "auto"} onChange=${(event) => setQuery({ pairs: event.target.value === "columns" ? "columns" : "" })}>
      <option value="auto">text</option><option value="columns">pairs of texts, in two columns or files</option></select><//></div>`}
    ${(card.excerpt || []).length > 0 && html`<pre tabindex="0" aria-label="First lines of ${name}">${card.excerpt.join("\n")}</pre>`}
    ${look.grid && html`<img class="pixels" src="${look.grid}?at=${look.at}" alt="Examples of ${name}" />`}
    ${classes.length > 1 && html`<details><summary>${classes.length} labels</summary><${Bars} rows=${classes.slice(0, 100)} /></details>`}
    <p class="actions"><a class="button primary" href=${address("train", "", { data: source, kind: card.kind, ...settings })}>Train on these</a> <button onClick=${onLook}>Look again</button></p>
    ${card.kind === "images" && classes.length > 1 && html`<${Augmentation} key=${source} source=${source} classes=${classes.map(([label]) => label)} settings=${settings} jobs=${jobs} />`}
  </article>`;
}

// What the command line prints of these data.
function Facts({ rows, caption }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}><table><caption class="hidden">${caption}</caption>
    <tbody>${rows.map(([name, words]) => html`<tr key=${name}><th scope="row">${name}</th><td>${words}</td></tr>`)}</tbody></table></div>`;
}

// Whether generated images would help a classifier that has few labelled ones: a measurement, and its tables.
function Augmentation({ source, classes, settings, jobs }) {
  const [sizes, setSizes] = useState("10");
  const [seeds, setSeeds] = useState(5);
  const [rare, setRare] = useState("");
  const [open, setOpen] = useState(() => jobs.some((one) => one.kind === "augmentation" && one.source === source));
  const request = { source, sizes: sizes.replace(/\s/g, "") || "10", seeds, ...(rare ? { rare } : {}), ...(Object.keys(settings || {}).length ? { settings } : {}) };
  return html`<details open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}><summary>Would generated images help a classifier?</summary>
    <p class="quiet">For each seed a few labelled images are drawn, a generator is trained on these alone, and small classifiers are trained with nothing else, with standard augmentation, with generated images and with both. A seed takes a minute or more.</p>
    <div class="toolbar">
      <${Field} label="Labelled images a class"><input type="text" pattern="([0-9]+|all)(, *([0-9]+|all))*" maxlength="60" value=${sizes} onInput=${(event) => setSizes(event.target.value)} /><//>
      <${Field} label="Seeds"><input type="number" min="2" max="20" step="1" value=${seeds} onInput=${(event) => setSeeds(Math.min(20, Math.max(2, Math.floor(Number(event.target.value)) || 2)))} /><//>
      <${Field} label="A rare class"><select value=${rare} onChange=${(event) => setRare(event.target.value)}><option value="">none</option>${classes.slice(0, 1000).map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select><//>
    </div>
    <${Job} jobs=${jobs} kind="augmentation" own=${(one) => one.source === source} request=${request} label="Measure it" done=${helped} />
  </details>`;
}

const points = (value) => `${value > 0 ? "+" : ""}${(100 * value).toFixed(1)}`;
const spread = (scores) => {
  const mean = scores.reduce((sum, one) => sum + one, 0) / scores.length;
  return Math.sqrt(scores.reduce((sum, one) => sum + (one - mean) ** 2, 0) / Math.max(1, scores.length - 1));
};

// Its result: a table for each number of labelled images, with the paired differences and their intervals.
function helped(facts) {
  const { result = {}, files, id } = facts;
  return html`<div>${(result.tables || []).map((table) => {
    const baselines = table.rows.map((row) => row.way).filter((way) => table.rows.some((row) => row.against[way]));
    return html`<div key=${table.size}><div class="scroll" tabindex="0" role="region" aria-label=${table.verdict}><table class="helped">
      <caption>${result.measure} on ${number(result.test_images)} held-out images, ${table.rows[0].scores.length} seeds; differences in points with their 95 % intervals</caption>
      <thead><tr><th scope="col">trained with</th><th scope="col">${result.measure}</th><th scope="col">spread</th>${baselines.map((name) => html`<th scope="col" key=${name}>over ${name}</th>`)}</tr></thead>
      <tbody>${table.rows.map((row) => html`<tr key=${row.way}><th scope="row" title=${result.ways[row.way]}>${row.way}</th><td>${row.mean.toFixed(3)}</td><td>${spread(row.scores).toFixed(3)}</td>
        ${baselines.map((name) => {
          const one = row.against[name];
          return html`<td key=${name} class=${one && one.low > 0 ? "best" : ""}>${one ? html`${points(one.mean)} <span class="quiet">(${points(one.low)} to ${points(one.high)})</span>` : ""}</td>`;
        })}</tr>`)}</tbody></table></div>
      <p>${table.verdict}.</p></div>`;
  })}
    <p class="quiet">Generator: ${result.generator}.</p>
    ${files["augment.html"] && html`<p><a class="button" href="/api/jobs/${id}/files/augment.html" target="_blank" rel="noreferrer">With generated images ↗</a></p>`}</div>`;
}
