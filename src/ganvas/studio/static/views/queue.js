// The queue: what runs, what waits in which order, what has ended.
import { html, useState } from "../lib/dom.js";
import { get, post, remove, text } from "../lib/api.js";
import { address } from "../lib/route.js";
import { ago, clock } from "../lib/format.js";
import { OPEN } from "../lib/job.js";
import { Empty, Page, Progress, fail } from "../lib/ui.js";

const WORDS = { queued: "waiting", running: "running", paused: "paused", done: "done", failed: "failed", stopped: "stopped" };

export function Queue({ jobs }) {
  const active = jobs.filter((job) => OPEN.includes(job.state));
  const ended = jobs.filter((job) => !active.includes(job));
  const waiting = active.filter((job) => job.state !== "running");
  const move = (job, before) => post(`/api/jobs/${job.id}`, { action: "move", before }).catch(fail);
  return html`<${Page} title="Queue" lead="One job runs at a time. The queue goes on when this page is closed, and survives a restart.">
    ${jobs.length === 0 && html`<${Empty} title="Nothing to do">Put a training into the queue under <a href=${address("train")}>Train</a>.<//>`}
    <ol class="jobs">
      ${active.map((job) => {
        const at = waiting.indexOf(job);
        return html`<${Job} key=${job.id} job=${job}
          up=${at > 0 ? () => move(job, waiting[at - 1].id) : null}
          down=${at >= 0 && at < waiting.length - 1 ? () => move(job, waiting[at + 2] ? waiting[at + 2].id : null) : null} />`;
      })}
    </ol>
    ${ended.length > 0 && html`<h2>Ended</h2><ol class="jobs">${ended.map((job) => html`<${Job} key=${job.id} job=${job} />`)}</ol>`}
  <//>`;
}

function Job({ job, up, down }) {
  const [log, setLog] = useState(null);
  const [result, setResult] = useState(null);
  const act = (action) => post(`/api/jobs/${job.id}`, { action }).catch(fail);
  const forget = () => remove(`/api/jobs/${job.id}`).catch(fail);
  const toggle = (open) => {
    if (!open) return;
    text(`/api/jobs/${job.id}/log`).then(setLog).catch(fail);
    if (job.state === "done") get(`/api/jobs/${job.id}`).then((facts) => setResult(facts.result || null)).catch(fail);
  };
  const running = job.state === "running";
  const label = job.wanted === "pause" ? "saving…" : job.wanted === "stop" ? "stopping…" : job.phase || "working";
  return html`<li class="job ${job.state}">
    <div class="job-head">
      <span class="state ${job.state}">${WORDS[job.state]}</span>
      <b>${job.run || job.source ? html`<a href=${job.run ? address("run", job.run) : address("data", "", { source: job.source })}>${job.title}</a>` : job.title}</b>
      <span class="quiet">${job.ended ? `${ago(job.ended)}${job.started ? `, took ${clock(job.ended - job.started)}` : ""}` : `since ${ago(job.created)}`}</span>
      <span class="controls">
        ${up && html`<button onClick=${up} aria-label="Earlier: ${job.title}">↑</button>`}
        ${down && html`<button onClick=${down} aria-label="Later: ${job.title}">↓</button>`}
        ${["running", "queued"].includes(job.state) && html`<button disabled=${Boolean(job.wanted)} onClick=${() => act("pause")} aria-label="Pause: ${job.title}">Pause</button>`}
        ${["paused", "failed", "stopped"].includes(job.state) && html`<button onClick=${() => act("resume")} aria-label="${job.state === "paused" ? "Resume" : "Try again"}: ${job.title}">${job.state === "paused" ? "Resume" : "Try again"}</button>`}
        ${OPEN.includes(job.state)
          ? html`<button disabled=${job.wanted === "stop"} onClick=${() => act("stop")} aria-label="Stop: ${job.title}">Stop</button>`
          : html`<button onClick=${forget} aria-label="Remove from the list: ${job.title}">Remove</button>`}
      </span>
    </div>
    ${running && html`<${Progress} value=${job.progress ?? undefined} label=${label} left=${job.left} />`}
    ${job.message && html`<p class=${job.state === "failed" ? "problem" : "quiet"}>${job.message}</p>`}
    <details onToggle=${(event) => toggle(event.currentTarget.open)}><summary>Log</summary>
      ${result && result.next && html`<p class="quiet">The same on the command line:</p><pre>${result.next.join("\n")}</pre>`}
      <pre tabindex="0" aria-label="Log of ${job.title}">${log === null ? "…" : log || "It has written nothing."}</pre></details>
  </li>`;
}
