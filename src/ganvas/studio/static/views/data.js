// Data: drop files, look at what they are, remove.
import { html, useRef, useState } from "../lib/dom.js";
import { get, post, remove, upload } from "../lib/api.js";
import { address, setQuery } from "../lib/route.js";
import { bytes, number } from "../lib/format.js";
import { Confirm, Drop, Empty, Page, Problem, Progress, fail, nameOf, say, useLoaded } from "../lib/ui.js";

const AT_ONCE = 3; // uploads beside each other

export function Data({ route }) {
  const { value, error, again } = useLoaded((signal) => get("/api/data", { signal }), []);
  const [sending, setSending] = useState(null);
  const [looking, setLooking] = useState("");
  const [looked, setLooked] = useState({});
  const [asking, setAsking] = useState(null);
  const chosen = route.query.source || "";

  const look = async (source) => {
    setQuery({ source });
    setLooking(source);
    try {
      const card = await post("/api/look", { source });
      setLooked((old) => ({ ...old, [source]: { ...card, at: Date.now() } }));
    } catch (problem) {
      setLooked((old) => ({ ...old, [source]: { problem } }));
    }
    setLooking("");
    again();
  };

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
      await look(`data:${made.id}`);
    } catch (problem) {
      setSending(null);
      fail(problem);
      again();
    }
  };

  if (error) return html`<${Page} title="Data"><${Problem} error=${error} again=${again} /><//>`;
  if (!value) return html`<p class="loading">Reading the data…</p>`;
  const one = value.data.find((each) => each.source === chosen);
  const shown = looked[chosen] || (one && one.card && { card: one.card, grid: one.has_grid ? `/api/looks/${one.id}/grid` : null, at: 0 });
  return html`<${Page} title="Data" lead="Everything stays on this machine.">
    <div class="columns">
      <div>
        <${Drop} label="Drop images, a .zip, sounds or text here" hint="Sub-folders become labels." multiple onFiles=${send} />
        <${Drop} compact folder label="Or a whole folder" onFiles=${(files) => send(files)} />
        ${sending && html`<${Progress} value=${sending.value} label=${sending.label} onCancel=${sending.cancel} />`}
        <ul class="rows data-list">
          ${value.data.map((each) => html`<li key=${each.source} class=${each.source === chosen ? "on" : ""}>
            <button class="plain grow" aria-current=${each.source === chosen ? "true" : undefined} onClick=${() => (each.card || looked[each.source] ? setQuery({ source: each.source }) : look(each.source))}>
              <b>${each.name}</b> <span class="quiet">${{ set: "built in", folder: "on this machine", dropped: `${number(each.files)} files, ${bytes(each.bytes)}` }[each.kind]}</span></button>
            ${each.kind === "dropped" && html`<button class="plain" aria-label="Remove ${each.name}" onClick=${() => setAsking(each)}>remove</button>`}
          </li>`)}
        </ul>
      </div>
      <div aria-live="polite">
        ${looking && html`<${Progress} label="looking at the data" />`}
        ${!chosen && !looking && html`<${Empty} title="Choose data">Sizes, labels, duplicates and problems are shown here.<//>`}
        ${shown && shown.problem && html`<${Problem} error=${shown.problem} again=${() => look(chosen)} />`}
        ${shown && shown.card && html`<${Card} name=${one ? one.name : ""} source=${chosen} look=${shown} onLook=${() => look(chosen)} />`}
      </div>
    </div>
    ${asking && html`<${Confirm} question="Remove ${asking.name}? Runs that were trained on it stay." yes="Remove"
      onYes=${() => remove(`/api/data/${asking.id}`).then(() => { setQuery({ source: "" }); again(); }).catch(fail)} onNo=${() => setAsking(null)} />`}
  <//>`;
}

function Card({ name, source, look, onLook }) {
  const { card } = look;
  const classes = Object.entries((card.classes && card.classes.train) || {});
  const most = Math.max(1, ...classes.map(([, count]) => count));
  const sizes = card.original_sizes;
  const pairs = card.duplicates || {};
  const same = Object.values(pairs).reduce((sum, count) => sum + (count || 0), 0);
  return html`<article class="panel">
    <h2>${name}</h2>
    <p>${Object.entries(card.counts || {}).map(([split, count]) => `${number(count)} ${split}`).join(", ")}${card.shape ? `, shape ${card.shape.join(" × ")}` : ""} <span class="quiet">${card.kind}</span></p>
    ${sizes && html`<p class="quiet">Sizes as they came (height × width): from ${sizes.min.join(" × ")} to ${sizes.max.join(" × ")}, the median ${sizes.median.join(" × ")}.</p>`}
    ${same > 0 && html`<p class="problem">${number(same)} exact duplicates (${Object.entries(pairs).map(([where, count]) => `${where.replaceAll("_", " ")} ${count}`).join(", ")}).</p>`}
    ${(card.notes || []).map((note) => html`<p key=${note} class="quiet">${note}</p>`)}
    ${(card.problems || []).length > 0 && html`<details open><summary>${card.problems.length} files cannot be used</summary><ul>${card.problems.slice(0, 50).map(([file, why]) => html`<li key=${file}>${file}: ${why}</li>`)}</ul></details>`}
    ${look.grid && html`<img class="pixels" src="${look.grid}?at=${look.at}" alt="Examples of ${name}" />`}
    ${classes.length > 1 && html`<details><summary>${classes.length} labels</summary><ul class="bars">${classes.slice(0, 100).map(([label, count]) => html`<li key=${label}><span>${label}</span><meter min="0" max=${most} value=${count} aria-label="${label}: ${count}"></meter><span>${number(count)}</span></li>`)}</ul></details>`}
    <p class="actions"><a class="button primary" href=${address("train", "", { data: source })}>Train on these</a> <button onClick=${onLook}>Look again</button></p>
  </article>`;
}
