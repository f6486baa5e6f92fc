// Requests to the studio. A refusal is an Error whose message is the studio's own sentence.

export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function checked(response) {
  if (response.ok) return response;
  let message = `the studio answered ${response.status}`;
  try {
    message = (await response.json()).error || message;
  } catch {
    // Not ours: the status has to do.
  }
  if (response.status === 401) window.dispatchEvent(new Event("token-needed"));
  throw new Refusal(response.status, message);
}

async function request(method, path, content, options = {}) {
  const headers = {};
  let body;
  if (content !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(content);
  }
  let response;
  try {
    response = await fetch(path, { method, headers: { ...headers, ...options.headers }, body, signal: options.signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "the studio does not answer: is it still running in its terminal?");
  }
  return checked(response);
}

export const get = async (path, options) => (await request("GET", path, undefined, options)).json();
export const text = async (path, options) => (await request("GET", path, undefined, options)).text();
export const post = async (path, content = {}, options) => (await request("POST", path, content, options)).json();
export const patch = async (path, content, options) => (await request("PATCH", path, content, options)).json();
export const remove = async (path, options) => (await request("DELETE", path, undefined, options)).json();

// Accepts a job. The key makes it safe to send again where the answer was lost.
export function addJob(kind, content) {
  const key = crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2) + String(Date.now());
  const send = () => post("/api/jobs", { kind, request: content }, { headers: { "Idempotency-Key": key } });
  return send().catch((error) => (error.status === 0 ? send() : Promise.reject(error)));
}

// A long operation: calls onProgress(progress) as it goes, returns its result; `signal` cancels it.
export async function long(path, content, { onProgress, signal } = {}) {
  const response = await request("POST", path, content, { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += value || "";
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const message = JSON.parse(line);
      if (message.error) throw new Refusal(message.status, message.error);
      if (message.result) return message.result;
      if (message.progress && onProgress) onProgress(message.progress);
    }
    if (done) throw new Refusal(0, "the studio stopped before it was done: try again");
  }
}

// An upload with progress from 0 to 1; `signal` cancels it.
export function upload(path, file, name, { onProgress, signal } = {}) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("PUT", path);
    sending.setRequestHeader("Content-Type", "application/octet-stream");
    sending.setRequestHeader("X-Name", encodeURIComponent(name));
    sending.upload.onprogress = (event) => onProgress && event.lengthComputable && onProgress(event.loaded / event.total);
    sending.onload = () => {
      let content = {};
      try {
        content = JSON.parse(sending.responseText);
      } catch {
        // Not ours.
      }
      if (sending.status < 300) resolve(content);
      else reject(new Refusal(sending.status, content.error || `the upload was refused (${sending.status})`));
    };
    sending.onerror = () => reject(new Refusal(0, "the upload was cut off: is the studio still running?"));
    sending.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    if (signal) signal.addEventListener("abort", () => sending.abort());
    sending.send(file);
  });
}

export const putImage = (file, name = file.name || "image.png", options) => upload("/api/images", file, name, options);
export const imageUrl = (id) => `/api/images/${id}`;
export const png = (base64) => `data:image/png;base64,${base64}`;

// Server-sent events, with the state of the connection; returns a function that ends them.
export function listen(run, handlers) {
  const source = new EventSource(run ? `/api/stream?run=${encodeURIComponent(run)}` : "/api/stream");
  for (const [name, handle] of Object.entries(handlers)) {
    if (name === "connected") {
      source.onopen = () => handle(true);
      source.onerror = () => handle(false);
    } else {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
  }
  return () => source.close();
}
