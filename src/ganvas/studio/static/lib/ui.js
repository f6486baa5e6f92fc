// Parts that every view uses.
import { html, useEffect, useRef, useState } from "./dom.js";
import { clock } from "./format.js";

let said = () => {};

// A sentence at the edge of the page; errors stay until they are closed.
export const say = (message, kind = "note") => said({ message, kind, key: Math.random() });
export const fail = (error) => {
  if (error.name !== "AbortError") say(error.message, "error");
};

export function Messages() {
  const [messages, setMessages] = useState([]);
  said = (one) => {
    setMessages((old) => [...old.filter((other) => other.message !== one.message).slice(-3), one]);
    if (one.kind !== "error") setTimeout(() => setMessages((old) => old.filter((other) => other.key !== one.key)), 5000);
  };
  const close = (key) => setMessages((old) => old.filter((one) => one.key !== key));
  return html`<div class="messages" role="status" aria-live="polite">
    ${messages.map(
      (one) => html`<div class="message ${one.kind}" key=${one.key}>
        <span>${one.message}</span>
        <button class="plain" onClick=${() => close(one.key)} aria-label="Close this message">✕</button>
      </div>`,
    )}
  </div>`;
}

export function Page({ title, actions, children, lead }) {
  useEffect(() => {
    document.title = `${title} · ganvas studio`;
  }, [title]);
  return html`<section class="page">
    <header class="page-head">
      <div><h1>${title}</h1>${lead && html`<p class="lead">${lead}</p>`}</div>
      <div class="actions">${actions}</div>
    </header>
    ${children}
  </section>`;
}

// A long action: its progress and a way to cancel it.
export function Progress({ value, label, onCancel, left }) {
  const known = typeof value === "number";
  return html`<div class="progress-row">
    <progress value=${known ? value : undefined} max="1" aria-label=${label}></progress>
    <span class="quiet">${label}${known ? ` ${Math.round(value * 100)} %` : ""}${left ? `, ${clock(left)} left` : ""}</span>
    ${onCancel && html`<button onClick=${onCancel}>Cancel</button>`}
  </div>`;
}

export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2><p>${children}</p></div>`;
}

export function Problem({ error, again }) {
  return html`<div class="problem" role="alert">
    <p>${error.message}</p>
    ${again && html`<button onClick=${again}>Try again</button>`}
  </div>`;
}

let fieldNumber = 0;

// A label, its control and its help, tied together for screen readers.
export function Field({ label, help, unit, children }) {
  const [id] = useState(() => `field-${(fieldNumber += 1)}`);
  const control = children;
  control.props.id = id;
  if (help) control.props["aria-describedby"] = `${id}-help`;
  return html`<div class="field">
    <label for=${id}>${label}${unit ? html` <span class="quiet">[${unit}]</span>` : ""}</label>
    ${control}
    ${help && html`<p class="help" id="${id}-help">${help}</p>`}
  </div>`;
}

export function Slider({ label, value, onInput, min, max, step, help, shown, onReset }) {
  const [id] = useState(() => `slider-${(fieldNumber += 1)}`);
  return html`<div class="slider">
    <label for=${id}>${label}</label>
    <output for=${id}>${shown ?? value}</output>
    <input id=${id} type="range" min=${min} max=${max} step=${step} value=${value} title=${help || ""}
      onInput=${(event) => onInput(Number(event.target.value))}
      onDblClick=${onReset} />
    ${help && html`<p class="help">${help}</p>`}
  </div>`;
}

// A place to drop files on, which is a button for the keyboard too.
export function Drop({ label, hint, accept, multiple, folder, onFiles, compact }) {
  const input = useRef();
  const [over, setOver] = useState(false);
  const take = (files) => files.length && onFiles([...files]);
  const dropped = async (event) => {
    event.preventDefault();
    setOver(false);
    take(await filesOf(event.dataTransfer));
  };
  return html`<div class="drop ${over ? "over" : ""} ${compact ? "compact" : ""}"
    onDragOver=${(event) => { event.preventDefault(); setOver(true); }}
    onDragLeave=${() => setOver(false)} onDrop=${dropped}>
    <p>${label}</p>
    ${hint && html`<p class="quiet">${hint}</p>`}
    <button onClick=${() => input.current.click()}>${folder ? "Choose a folder" : multiple ? "Choose files" : "Choose a file"}</button>
    <input ref=${input} type="file" hidden aria-label=${label} accept=${accept} multiple=${multiple}
      webkitdirectory=${folder}
      onChange=${(event) => { take(event.target.files); event.target.value = ""; }} />
  </div>`;
}

// Files of a drop, with those inside of dropped folders.
async function filesOf(transfer) {
  const entries = [...(transfer.items || [])].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  const visit = async (entry, path) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      file.relativeName = path + file.name;
      found.push(file);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!batch.length) return;
      for (const one of batch) await visit(one, `${path}${entry.name}/`);
    }
  };
  for (const entry of entries) await visit(entry, "");
  return found;
}

export const nameOf = (file) => file.relativeName || file.webkitRelativePath || file.name;

// An image with small pixels kept sharp.
export function Pixels({ src, alt, small, class: classes = "", ...more }) {
  return html`<img src=${src} alt=${alt} class="pixels ${small ? "sharp" : ""} ${classes}" loading="lazy" ...${more} />`;
}

export function Tabs({ tabs, current, onChange, label }) {
  const keys = Object.keys(tabs);
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = keys[(keys.indexOf(current) + step + keys.length) % keys.length];
    onChange(next);
    event.currentTarget.querySelector(`[data-tab="${next}"]`).focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${move}>
    ${keys.map(
      (key) => html`<button role="tab" data-tab=${key} aria-selected=${key === current} tabindex=${key === current ? 0 : -1}
        onClick=${() => onChange(key)}>${tabs[key]}</button>`,
    )}
  </div>`;
}

// The settings of a method that sampling reads, as numbers; an empty one keeps the run's own value.
export function SamplingFields({ fields, values, onChange }) {
  const change = (name, text) => {
    const next = { ...values };
    if (text === "") delete next[name];
    else next[name] = Number(text);
    onChange(next);
  };
  return fields.map((one) => html`<${Field} key=${one.name} label=${one.name} help=${one.help}><input type="number" step=${one.type === "int" ? 1 : "any"} min=${one.minimum} max=${one.maximum}
    placeholder=${one.value ?? "auto"} value=${values[one.name] ?? ""} onInput=${(event) => change(one.name, event.target.value)} /><//>`);
}

// A question before something that cannot be taken back.
export function Confirm({ question, yes, onYes, onNo }) {
  const dialog = useRef();
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  return html`<dialog ref=${dialog} onClose=${onNo} aria-label=${question}>
    <p>${question}</p>
    <div class="actions">
      <button onClick=${() => dialog.current.close()}>Cancel</button>
      <button class="danger" onClick=${() => { onYes(); dialog.current.close(); }}>${yes}</button>
    </div>
  </dialog>`;
}

// One request at a time; of those asked for meanwhile only the newest is sent.
export function newest(send) {
  let busy = false;
  let waiting = null;
  const run = async (value) => {
    if (busy) {
      waiting = { value };
      return;
    }
    busy = true;
    try {
      await send(value);
    } finally {
      busy = false;
      if (waiting) {
        const next = waiting.value;
        waiting = null;
        run(next);
      }
    }
  };
  return run;
}

export function useLoaded(load, keys) {
  const [state, setState] = useState({ loading: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let current = true;
    const controller = new AbortController();
    setState((old) => ({ ...old, loading: true }));
    load(controller.signal)
      .then((value) => current && setState({ value }))
      .catch((error) => current && error.name !== "AbortError" && setState({ error }));
    return () => {
      current = false;
      controller.abort();
    };
  }, [...keys, round]);
  return { ...state, again: () => setRound((old) => old + 1) };
}
