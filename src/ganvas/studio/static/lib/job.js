// A job that a view starts and whose result it shows.
import { html, useEffect, useState } from "./dom.js";
import { addJob, get, post } from "./api.js";
import { Progress, fail, say } from "./ui.js";

export const OPEN = ["queued", "running", "paused"]; // states of jobs that have not ended

// Starts a job, and shows what became of the last one of its kind that is `own`: its files, or what it says.
export function Job({ jobs, kind, own, request, label, disabled = false, done = () => null }) {
  const last = jobs.filter((one) => one.kind === kind && own(one)).sort((a, b) => b.id - a.id)[0];
  const [facts, setFacts] = useState(null);
  useEffect(() => {
    setFacts(null);
    if (last && last.state === "done") get(`/api/jobs/${last.id}`).then(setFacts).catch(fail);
  }, [last && last.id, last && last.state]);
  const start = () => addJob(kind, request).then(() => say(`${label}: it is in the queue.`)).catch(fail);
  const active = last && OPEN.includes(last.state);
  return html`<div class="job-inline">
    <button onClick=${start} disabled=${disabled || active}>${label}</button>
    ${active && html`<${Progress} value=${last.progress ?? undefined} label=${last.state === "running" ? last.phase || "working" : last.state} onCancel=${() => post(`/api/jobs/${last.id}`, { action: "stop" }).catch(fail)} />`}
    ${last && last.state === "failed" && html`<p class="problem">${last.message}</p>`}
    ${facts && done(facts)}
  </div>`;
}
