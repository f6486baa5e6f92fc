// The frame of the page: navigation, the state of the queue, the token, and which view is shown.
import { html, render, useEffect, useState } from "./lib/dom.js";
import { get, listen, post } from "./lib/api.js";
import { address, useRoute } from "./lib/route.js";
import { Field, Messages, Problem } from "./lib/ui.js";
import { Gallery } from "./views/gallery.js";
import { RunView } from "./views/run.js";
import { Train } from "./views/train.js";
import { Queue } from "./views/queue.js";
import { Explore } from "./views/explore.js";
import { Use } from "./views/use.js";
import { Data } from "./views/data.js";
import { Compare } from "./views/compare.js";

const VIEWS = {
  runs: { title: "Runs", view: Gallery },
  data: { title: "Data", view: Data },
  train: { title: "Train", view: Train },
  queue: { title: "Queue", view: Queue },
  explore: { title: "Explore", view: Explore },
  use: { title: "Use", view: Use },
  compare: { title: "Measure", view: Compare },
};
const HIDDEN = { run: { title: "Run", view: RunView, under: "runs" } };
const THEMES = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" };

function App() {
  const route = useRoute();
  const [status, setStatus] = useState(null);
  const [error, setError] = useState(null);
  const [locked, setLocked] = useState(false);
  const [jobs, setJobs] = useState([]);
  const [live, setLive] = useState(null);
  const [connected, setConnected] = useState(true);
  const [theme, setTheme] = useState(localStorage.getItem("theme") || "auto");
  const run = route.view === "run" ? route.id : "";

  const open = () =>
    get("/api/status").then((value) => { setStatus(value); setError(null); setLocked(false); }).catch(setError);

  useEffect(() => {
    const needed = () => setLocked(true);
    window.addEventListener("token-needed", needed);
    open();
    return () => window.removeEventListener("token-needed", needed);
  }, []);

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }, [theme]);

  useEffect(() => {
    if (!status) return undefined;
    setLive(null);
    return listen(run, {
      jobs: (value) => setJobs(value.jobs),
      run: setLive,
      connected: setConnected,
    });
  }, [Boolean(status), run]);

  // A new view begins at its head, for the eye and for the keyboard.
  useEffect(() => {
    window.scrollTo(0, 0);
  }, [route.view, route.id]);

  if (locked) return html`<${Token} onDone=${open} />`;
  if (error) return html`<main class="alone"><${Problem} error=${error} again=${open} /></main>`;
  if (!status) return html`<p class="loading">Opening the studio…</p>`;

  const entry = VIEWS[route.view] || HIDDEN[route.view] || VIEWS.runs;
  const running = jobs.find((job) => job.state === "running");
  const waiting = jobs.filter((job) => job.state === "queued").length;
  const nextTheme = { auto: "light", light: "dark", dark: "auto" }[theme];
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to the content</a>
    <nav aria-label="Views">
      <a class="brand" aria-label="ganvas: all runs" href=${address("runs")}><img src="/static/icon.svg" alt="" width="28" height="28" /><span>ganvas</span></a>
      <ul>
        ${Object.entries(VIEWS).map(
          ([key, one]) => html`<li key=${key}><a href=${address(key)} aria-current=${entry === one || entry.under === key ? "page" : undefined}>
            ${one.title}${key === "queue" && (running || waiting) ? html`<span class="badge" aria-label="${waiting + (running ? 1 : 0)} jobs">${waiting + (running ? 1 : 0)}</span>` : ""}
          </a></li>`,
        )}
      </ul>
      <div class="nav-foot">
        ${running && html`<a class="now" href=${address("queue")}>
          <span>${running.title}</span>
          <progress max="1" value=${typeof running.progress === "number" ? running.progress : undefined} aria-label="Progress of ${running.title}"></progress>
        </a>`}
        <button class="plain" onClick=${() => setTheme(nextTheme)}>${THEMES[theme]}</button>
        <span class="quiet">${status.version}</span>
      </div>
    </nav>
    <main id="main" tabindex="-1">
      ${!connected && html`<p class="banner" role="alert">The studio does not answer. The page continues as soon as it does.</p>`}
      <${entry.view} key=${route.view + route.id} route=${route} status=${status} jobs=${jobs} live=${live} />
    </main>
    <${Messages} />`;
}

function Token({ onDone }) {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState(null);
  const send = (event) => {
    event.preventDefault();
    post("/api/session", { token: token.trim() }).then(onDone).catch(setProblem);
  };
  return html`<main class="alone">
    <form onSubmit=${send}>
      <h1>ganvas studio</h1>
      <p>This studio is open to other machines, so it asks for its token. The token stands in the file that was named on its terminal.</p>
      <${Field} label="Token"><input type="password" autocomplete="current-password" value=${token} onInput=${(event) => setToken(event.target.value)} /><//>
      ${problem && html`<p class="problem" role="alert">${problem.message}</p>`}
      <button class="primary">Open</button>
    </form>
  </main>`;
}

render(html`<${App} />`, document.getElementById("app"));
