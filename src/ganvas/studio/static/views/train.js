// A training: what one wants to do, method, preset, data, budget, all settings, and what it would take.
import { html, useEffect, useMemo, useRef, useState } from "../lib/dom.js";
import { addJob, get, post } from "../lib/api.js";
import { address, go } from "../lib/route.js";
import { bytes, clock, number } from "../lib/format.js";
import { Field, Page, Problem, Progress, fail, say, useLoaded } from "../lib/ui.js";
import { ASKED } from "./data.js";

const KEPT = "train-form";
const fresh = { purpose: "Generate images", method: "", preset: "", data: "set:digits", name: "", minutes: 5, seed: 0, settings: {}, data_settings: {}, options: {}, partner: "", codes: "" };

function kept() {
  try {
    return { ...fresh, ...JSON.parse(localStorage.getItem(KEPT) || "{}") };
  } catch {
    return fresh;
  }
}

// The form as it was kept, with the data that the address names, and the settings of theirs that it gives.
function started(values, { data, ...asked }) {
  if (!data) return values;
  const data_settings = data === values.data ? { ...values.data_settings } : {};
  for (const name of Object.keys(ASKED)) {
    if (asked[name]) data_settings[name] = asked[name];
    else delete data_settings[name];
  }
  return { ...values, data, data_settings };
}

export function Train({ route }) {
  const form = useLoaded((signal) => get("/api/train/form", { signal }), []);
  const data = useLoaded((signal) => get("/api/data", { signal }), []);
  const runs = useLoaded((signal) => get("/api/runs", { signal }), []);
  const [values, setValues] = useState(() => started(kept(), route.query));
  const [search, setSearch] = useState("");
  const [expected, setExpected] = useState(null);
  const [estimating, setEstimating] = useState(null);
  const [problem, setProblem] = useState(null);

  // Whoever comes from data of another kind than the form's method takes wants to do something else.
  useEffect(() => {
    const { kind } = route.query;
    if (!form.value || !kind) return;
    const { methods, purposes } = form.value;
    const takes = (one) => one.takes.includes(kind);
    setValues((old) => {
      const chosen = methods.find((one) => one.name === old.method) || methods.find((one) => one.purposes.includes(old.purpose));
      const purpose = purposes.find((name) => methods.some((one) => takes(one) && one.purposes.includes(name)));
      return !purpose || (chosen && takes(chosen)) ? old : { ...old, purpose, method: "", preset: "", settings: {} };
    });
  }, [form.value]);
  useEffect(() => {
    localStorage.setItem(KEPT, JSON.stringify(values));
  }, [values]);
  useEffect(() => () => estimating && estimating.abort(), []);

  const error = form.error || data.error || runs.error;
  if (error) return html`<${Page} title="Train"><${Problem} error=${error} /><//>`;
  if (!form.value || !data.value || !runs.value) return html`<p class="loading">Reading the methods…</p>`;

  const set = (changes) => { setValues((old) => ({ ...old, ...changes })); setExpected(null); setProblem(null); };
  const { methods, purposes, start } = form.value;
  const fitting = methods.filter((one) => one.purposes.includes(values.purpose));
  const method = methods.find((one) => one.name === values.method) || fitting.find((one) => one.name === start) || fitting[0];
  const preset = method.presets.find((one) => one.name === values.preset);
  const source = data.value.data.find((one) => one.source === values.data);
  const codeRuns = runs.value.runs.filter((run) => (run.abilities || []).includes("Tokenizes") && run.has_weights);
  const free = freeName(`${method.name}-${(source ? source.name : "data").replace(/[^A-Za-z0-9._-]+/g, "-")}`, runs.value.runs);
  const name = values.name || free;

  const request = () => {
    const options = { ...given(values.options) };
    if (values.preset) options.preset = values.preset;
    if (values.minutes && !options.steps && !options.images) options.minutes = Number(values.minutes);
    if (values.seed) options.seed = Number(values.seed);
    const data_settings = { ...given(values.data_settings) };
    if (values.partner) data_settings.partner = values.partner;
    return {
      method: method.name, data: values.data, name, options, settings: given(values.settings), data_settings,
      ...(method.abilities.includes("TwoStage") && values.codes ? { codes: values.codes } : {}),
    };
  };
  const estimate = () => {
    const controller = new AbortController();
    setEstimating(controller);
    setProblem(null);
    post("/api/train/expect", request(), { signal: controller.signal })
      .then(setExpected)
      .catch((refused) => refused.name !== "AbortError" && setProblem(refused))
      .finally(() => setEstimating(null));
  };
  const begin = (event) => {
    event.preventDefault();
    addJob("train", request())
      .then((job) => { say(`${job.title} is in the queue.`); setValues((old) => ({ ...old, name: "" })); go("queue"); })
      .catch(setProblem);
  };

  const methodSettings = method.settings.map((one) => ({ ...one, base: preset && one.name in preset.settings ? preset.settings[one.name] : one.schema.default }));
  const groups = [
    ["settings", `Settings of ${method.name}`, methodSettings],
    ["data_settings", "Settings of the data", form.value.data_settings.map((one) => ({ ...one, base: one.schema.default }))],
    ["options", "Settings of the training", form.value.options.filter((one) => !["minutes", "preset", "seed"].includes(one.name)).map((one) => ({ ...one, base: one.schema.default }))],
  ];
  const changed = groups.reduce((sum, [key]) => sum + Object.keys(given(values[key])).length, 0);

  return html`<${Page} title="Train" lead="Choose what you want to do. The rest has sensible values.">
    <form onSubmit=${begin} class="train">
      <fieldset><legend>1. What do you want to do?</legend>
        <div class="choices">${purposes.map((one) => html`<label key=${one} class="choice ${one === values.purpose ? "on" : ""}">
          <input type="radio" name="purpose" checked=${one === values.purpose} onChange=${() => set({ purpose: one, method: "", preset: "", settings: {} })} /> ${one}</label>`)}</div>
      </fieldset>
      <fieldset><legend>2. With which method and data?</legend>
        <div class="columns">
          <div>
            <${Field} label="Method" help=${method.title}><select value=${method.name} onChange=${(event) => set({ method: event.target.value, preset: "", settings: {} })}>
              ${fitting.map((one) => html`<option key=${one.name} value=${one.name}>${one.name}${one.name === start ? " (start here)" : ""}</option>`)}</select><//>
            <${Field} label="Preset" help=${preset ? preset.help : "The defaults of the method."}><select value=${values.preset} onChange=${(event) => set({ preset: event.target.value })}>
              <option value="">defaults</option>${method.presets.map((one) => html`<option key=${one.name} value=${one.name}>${one.name}</option>`)}</select><//>
            <details><summary>About ${method.name}</summary><p class="about">${method.about}</p><p class="quiet">${method.paper}</p></details>
          </div>
          <div>
            <${Field} label="Data" help=${`${method.name} learns from ${method.takes.join(", ")}.`}><select value=${values.data} onChange=${(event) => set({ data: event.target.value })}>
              ${!source && html`<option value=${values.data}>choose data</option>`}
              ${["set", "folder", "dropped"].map((kind) => html`<optgroup key=${kind} label=${{ set: "Built in", folder: "On this machine", dropped: "Dropped" }[kind]}>
                ${data.value.data.filter((one) => one.kind === kind).map((one) => html`<option key=${one.source} value=${one.source}>${one.name}</option>`)}</optgroup>`)}</select><//>
            <p><a href=${address("data")}>Drop files of your own</a></p>
            ${method.abilities.includes("Translates") && html`<${Field} label="Translate into" help="The other kind of images. Or let the setting data.pairs make pairs of one set, such as edges."><select value=${values.partner} onChange=${(event) => set({ partner: event.target.value })}>
              <option value="">what the data hold themselves</option>${data.value.data.map((one) => html`<option key=${one.source} value=${one.source}>${one.name}</option>`)}</select><//>`}
            ${method.abilities.includes("TwoStage") && html`<${Field} label="Codes of" help=${codeRuns.length ? "The run whose codes are learned." : "Train a vq_vae first: its codes are what this method learns."}><select value=${values.codes} onChange=${(event) => set({ codes: event.target.value })}>
              <option value="">choose a run</option>${codeRuns.map((run) => html`<option key=${run.id} value=${run.id}>${run.name}</option>`)}</select><//>`}
          </div>
        </div>
      </fieldset>
      <fieldset><legend>3. For how long?</legend>
        <div class="columns three">
          <${Field} label="Minutes" help="In all, with measuring and the report."><input type="number" min="0.1" step="any" required value=${values.minutes} onInput=${(event) => set({ minutes: event.target.value })} /><//>
          <${Field} label="Name of the run" help="Its folder."><input type="text" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" maxlength="100" placeholder=${free} value=${values.name} onInput=${(event) => set({ name: event.target.value })} /><//>
          <${Field} label="Seed" help="The same seed gives the same training."><input type="number" min="0" step="1" value=${values.seed} onInput=${(event) => set({ seed: event.target.value })} /><//>
        </div>
      </fieldset>
      <details class="panel"><summary>All settings${changed ? ` (${changed} changed)` : ""}</summary>
        <div class="toolbar">
          <input type="search" aria-label="Search settings" placeholder="Search settings and their help" value=${search} onInput=${(event) => setSearch(event.target.value)} />
          <button type="button" onClick=${() => set({ settings: {}, data_settings: {}, options: {} })} disabled=${!changed}>Back to the defaults</button>
        </div>
        ${groups.map(([key, title, fields]) => {
          const found = fields.filter((one) => `${one.name} ${one.schema.description}`.toLowerCase().includes(search.toLowerCase()));
          if (!found.length) return null;
          return html`<h3 key=${key}>${title}</h3><div class="settings">${found.map((one) => html`<${SettingField} key=${one.name} setting=${one} value=${values[key][one.name]}
            onChange=${(value) => set({ [key]: { ...values[key], [one.name]: value } })} />`)}</div>`;
        })}
      </details>
      ${problem && html`<p class="problem" role="alert">${problem.message}</p>`}
      ${expected && html`<${Expected} facts=${expected} />`}
      ${estimating && html`<${Progress} label="timing a few steps of this training" onCancel=${() => estimating.abort()} />`}
      <div class="actions sticky">
        <button type="button" onClick=${estimate} disabled=${Boolean(estimating)}>What will it take?</button>
        <button class="primary">Put into the queue</button>
      </div>
    </form>
  <//>`;
}

const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== undefined && value !== null));

function freeName(stem, runs) {
  const taken = new Set(runs.map((run) => run.name));
  if (!taken.has(stem)) return stem;
  for (let count = 2; ; count += 1) {
    if (!taken.has(`${stem}-${count}`)) return `${stem}-${count}`;
  }
}

function asText(value) {
  if (value === null || value === undefined) return "auto";
  return Array.isArray(value) ? value.join("-") : String(value);
}

// One setting by its JSON Schema.
function SettingField({ setting, value, onChange }) {
  const { schema, base } = setting;
  const types = [schema.type].flat();
  const help = `${schema.description}${setting.allowed && !schema.enum ? ` (${setting.allowed})` : ""}`;
  const label = `${setting.name}${value !== undefined && value !== "" ? " *" : ""}`;
  let control;
  if (types[0] === "boolean") {
    control = html`<select value=${value === undefined ? "" : String(value)} onChange=${(event) => onChange(event.target.value === "" ? undefined : event.target.value === "true")}>
      <option value="">${base === null ? "auto" : base ? "yes" : "no"} (default)</option><option value="true">yes</option><option value="false">no</option></select>`;
  } else if (schema.enum) {
    control = html`<select value=${value ?? ""} onChange=${(event) => onChange(event.target.value || undefined)}>
      <option value="">${asText(base)} (default)</option>${schema.enum.filter((one) => String(one) !== asText(base)).map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select>`;
  } else if (["integer", "number"].includes(types[0]) && !types.includes("string")) {
    control = html`<input type="number" step=${types[0] === "integer" ? 1 : "any"} min=${schema.minimum ?? schema.exclusiveMinimum} max=${schema.maximum} placeholder=${asText(base)} value=${value ?? ""}
      onInput=${(event) => onChange(event.target.value === "" ? undefined : Number(event.target.value))} />`;
  } else {
    control = html`<input type="text" maxlength="200" placeholder=${asText(base)} value=${value ?? ""} onInput=${(event) => onChange(event.target.value || undefined)} />`;
  }
  return html`<${Field} label=${label} unit=${setting.unit} help=${help}>${control}<//>`;
}

function Expected({ facts }) {
  const { expected } = facts;
  return html`<div class="panel expected" role="status">
    <p><b>${clock(expected.seconds)}</b> in all, of which ${clock(expected.training_seconds)} train: ${number(expected.steps)} steps, ${number(expected.images)} images at ${number(expected.images_per_second)} a second.</p>
    <p>About <b>${bytes(expected.memory_bytes)}</b> of memory, ${number(facts.parameters)} parameters, on ${facts.device} in ${facts.precision}. The data: ${number(facts.count)} of shape ${(facts.shape || []).join(" × ")}.</p>
    ${(facts.notes || []).map((note) => html`<p class="quiet" key=${note}>${note}</p>`)}
  </div>`;
}
