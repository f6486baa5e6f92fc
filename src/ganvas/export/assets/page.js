"use strict";
// The page of an exported model. Everything is inside the file: onnxruntime-web is `ort`, its wasm and the models are gzipped
// texts. Random numbers are those of torch on a CPU: the Mersenne Twister of the seed's lower 32 bits, and Box-Muller.

const element = (id) => document.getElementById(id);
const facts = JSON.parse(element("facts").textContent);

// --- random numbers ------------------------------------------------------------------------------------------------------

class Generator {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.at = 624;
    this.kept = null;
    let word = Number(BigInt(seed) & 0xffffffffn) >>> 0;
    for (let i = 0; i < 624; i++) {
      this.state[i] = word;
      const mixed = word ^ (word >>> 30);
      word = (Math.imul(1812433253, mixed) + i + 1) >>> 0;
    }
  }

  word() {
    const s = this.state;
    if (this.at === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff);
        s[i] = s[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.at = 0;
    }
    let y = s[this.at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  uniform() {
    return (this.word() & 0xffffff) * 2 ** -24;
  }

  double() {
    const high = this.word();
    return ((high & 0x1fffff) * 2 ** 32 + this.word()) * 2 ** -53;
  }

  normal(n) {
    const numbers = new Float32Array(n);
    if (n < 16) {
      for (let i = 0; i < n; i++) {
        if (this.kept !== null) {
          numbers[i] = this.kept;
          this.kept = null;
          continue;
        }
        const angle = 2 * Math.PI * this.double();
        const radius = Math.sqrt(-2 * Math.log1p(-this.double()));
        numbers[i] = radius * Math.cos(angle);
        this.kept = radius * Math.sin(angle);
      }
      return numbers;
    }
    for (let i = 0; i < n; i++) numbers[i] = this.uniform();
    const block = (start) => {
      for (let i = start; i < start + 8; i++) {
        const radius = Math.sqrt(-2 * Math.log(Math.fround(1 - numbers[i])));
        const angle = 2 * Math.PI * numbers[i + 8];
        numbers[i] = radius * Math.cos(angle);
        numbers[i + 8] = radius * Math.sin(angle);
      }
    };
    for (let start = 0; start + 16 <= n; start += 16) block(start);
    if (n % 16) {
      for (let i = n - 16; i < n; i++) numbers[i] = this.uniform();
      block(n - 16);
    }
    return numbers;
  }
}

function latentOf(seed) {
  const generator = new Generator(seed);
  const numbers = [];
  for (const draw of facts.draws) {
    if (draw.kind === "normal") numbers.push(...generator.normal(draw.size));
    else if (draw.kind === "uniform") {
      for (let i = 0; i < draw.size; i++) numbers.push(Math.fround(generator.uniform() * (draw.high - draw.low) + draw.low));
    } else {
      const place = generator.word() % draw.size;
      for (let i = 0; i < draw.size; i++) numbers.push(i === place ? 1 : 0);
    }
  }
  return Float32Array.from(numbers);
}

function labelOf(seed) {
  const mixed = ((BigInt(seed) + 1n) * 0x9e3779b97f4a7c15n) % 2n ** 63n;
  const number = new Generator(mixed).uniform();
  let label = 0;
  while (label < facts.class_cuts.length && number >= Math.fround(facts.class_cuts[label])) label++;
  return label;
}

// --- models --------------------------------------------------------------------------------------------------------------

async function unpacked(id) {
  const node = element(id);
  const packed = Uint8Array.from(atob(node.textContent.trim()), (one) => one.charCodeAt(0));
  node.remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const sessions = {};

async function start() {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await unpacked("wasm");
  for (const name of facts.models) {
    sessions[name] = await ort.InferenceSession.create(await unpacked(`model-${name}`), { executionProviders: ["wasm"] });
  }
}

// onnxruntime-web takes one call at a time.
let last = Promise.resolve();

function call(name, feeds) {
  const run = async () => {
    const session = sessions[name];
    const result = await session.run(feeds);
    return result[session.outputNames[0]];
  };
  last = last.then(run, run);
  return last;
}

const floats = (data, dims) => new ort.Tensor("float32", data, dims);
const integers = (data) => new ort.Tensor("int64", BigInt64Array.from(data, BigInt), [data.length]);

// --- images --------------------------------------------------------------------------------------------------------------

const level = (value) => Math.round(127.5 * (Math.min(1, Math.max(-1, value)) + 1));

// Image `row` of a tensor (n, C, H, W) in [-1, 1] on a canvas, its upper left height x width.
function show(canvas, tensor, row, height = tensor.dims[2], width = tensor.dims[3]) {
  const [, channels, tall, wide] = tensor.dims;
  const plane = tall * wide;
  const base = row * channels * plane;
  const image = new ImageData(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = base + y * wide + x;
      const to = 4 * (y * width + x);
      for (let c = 0; c < 3; c++) {
        // Two channels: the first in red, the second in cyan, as in files.
        const channel = channels === 2 ? (c === 0 ? 0 : 1) : channels >= 3 ? c : 0;
        image.data[to + c] = level(tensor.data[from + channel * plane]);
      }
      image.data[to + 3] = channels === 4 ? level(tensor.data[from + 3 * plane]) : 255;
    }
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// What a canvas shows as floats (1, C, H, W) in [-1, 1], padded by reflection to height x width.
function pixelsOf(canvas, channels, height, width) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const numbers = new Float32Array(channels * height * width);
  const reflect = (place, size) => {
    const period = Math.max(1, 2 * (size - 1));
    return size === 1 ? 0 : Math.min(place % period, period - (place % period));
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 4 * (reflect(y, canvas.height) * canvas.width + reflect(x, canvas.width));
      const colours = [data[from], data[from + 1], data[from + 2]];
      if (channels === 1) colours[0] = 0.299 * colours[0] + 0.587 * colours[1] + 0.114 * colours[2];
      if (channels === 4) colours.push(data[from + 3]);
      for (let c = 0; c < channels; c++) numbers[(c * height + y) * width + x] = colours[c] / 127.5 - 1;
    }
  }
  return floats(numbers, [1, channels, height, width]);
}

const CRC = Uint32Array.from({ length: 256 }, (_, number) => {
  let crc = number;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

function chunk(kind, content) {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(kind), 4);
  bytes.set(content, 8);
  let crc = 0xffffffff;
  for (const byte of bytes.subarray(4, 8 + content.length)) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  view.setUint32(8 + content.length, ~crc >>> 0);
  return bytes;
}

// The bytes of a canvas as PNG that say how the image was made, as files of ganvas do.
async function pngOf(canvas, made) {
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const png = new Uint8Array(await blob.arrayBuffer());
  const text = JSON.stringify({ ganvas: facts.version, ...made, run: facts.run, method: facts.method, weights: facts.weights });
  const head = new TextEncoder().encode("ganvas\0\0\0\0\0" + text);
  return [png.subarray(0, 33), chunk("iTXt", head), png.subarray(33)];
}

async function download(canvas, name, made) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(await pngOf(canvas, made), { type: "image/png" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

function control(parent, text, input) {
  const label = document.createElement("label");
  const name = document.createElement("span");
  name.textContent = text;
  label.append(name, input);
  parent.append(label);
  return input;
}

function slider(parent, text, low, high, value, changed) {
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min: low, max: high, step: (high - low) / 100, value });
  input.addEventListener("input", changed);
  input.addEventListener("dblclick", () => {
    input.value = value;
    changed();
  });
  return control(parent, text, input);
}

function button(parent, text, pressed) {
  const made = document.createElement("button");
  made.textContent = text;
  made.addEventListener("click", pressed);
  parent.append(made);
  return made;
}

// A row of buttons of which one is chosen; `changed(number)`.
function choice(parent, title, names, changed) {
  const group = document.createElement("div");
  group.className = "choice";
  const name = document.createElement("span");
  name.textContent = title;
  group.append(name);
  const buttons = names.map((text, number) =>
    button(group, text, () => {
      buttons.forEach((one, other) => one.setAttribute("aria-pressed", other === number));
      changed(number);
    }),
  );
  buttons.forEach((one, number) => one.setAttribute("aria-pressed", number === 0));
  parent.append(group);
}

// --- new images ----------------------------------------------------------------------------------------------------------

const COUNT = 32;

async function sampler() {
  const [wall, controls, large] = [element("wall"), element("controls"), element("large")];
  const state = { label: null, codes: {}, selected: 0, timer: null, points: null };
  const truncated = facts.mean !== null;

  const pointsOf = async (seeds) => {
    const latents = seeds.map(latentOf);
    for (const [name, value] of Object.entries(state.codes)) {
      const code = facts.codes.find((one) => one.name === name);
      for (const latent of latents) {
        if (code.kind === "categorical") for (let i = 0; i < code.size; i++) latent[code.start + i] = i === value ? 1 : 0;
        else latent[code.start] = value;
      }
    }
    const labels = facts.classes.length ? seeds.map((seed) => (state.label === null ? labelOf(seed) : state.label)) : null;
    const flat = floats(Float32Array.from(latents.flatMap((one) => [...one])), [seeds.length, latents[0].length]);
    if (!facts.models.includes("map")) return { points: flat, labels };
    const feeds = { latents: flat };
    if (labels && facts.map_takes_labels) feeds.labels = integers(labels);
    return { points: await call("map", feeds), labels };
  };

  const edited = (points) => {
    const [n, size] = points.dims;
    const numbers = Float32Array.from(points.data);
    const amount = truncated ? Number(truncation.value) : 1;
    for (let row = 0; row < n; row++) {
      for (let i = 0; i < facts.free; i++) {
        const at = row * size + i;
        if (truncated && amount !== 1) numbers[at] = facts.mean[i] + amount * (numbers[at] - facts.mean[i]);
        facts.directions.forEach((direction, number) => {
          numbers[at] += Number(directions[number].value) * direction.step[i];
        });
      }
    }
    return floats(numbers, points.dims);
  };

  const imagesOf = ({ points, labels }) => {
    const feeds = { [facts.points_input]: edited(points) };
    if (labels && facts.synthesis_takes_labels) feeds.labels = integers(labels);
    return call(facts.synthesis, feeds);
  };

  const made = (number) => ({ command: "sample", seed: number });
  const drawn = [];
  for (let i = 0; i < COUNT; i++) {
    const canvas = document.createElement("canvas");
    canvas.title = "show large";
    canvas.addEventListener("click", () => {
      state.selected = i;
      select();
    });
    wall.append(canvas);
    drawn.push(canvas);
  }
  const seedOf = (i) => Math.max(0, Math.floor(Number(seed.value) || 0)) + i;

  const select = () => {
    drawn.forEach((canvas, i) => canvas.classList.toggle("selected", i === state.selected));
    const from = drawn[state.selected];
    large.width = from.width;
    large.height = from.height;
    large.getContext("2d").drawImage(from, 0, 0);
    element("seed-of").textContent = `seed ${seedOf(state.selected)}`;
  };

  const refresh = async () => {
    const began = performance.now();
    const seeds = Array.from({ length: COUNT }, (_, i) => seedOf(i));
    const images = await imagesOf(await pointsOf(seeds));
    drawn.forEach((canvas, i) => show(canvas, images, i));
    element("time").textContent = `${COUNT} images in ${(performance.now() - began).toFixed(0)} ms`;
    select();
    await interpolated();
  };
  const soon = () => {
    clearTimeout(state.timer);
    state.timer = setTimeout(() => refresh().catch(complain), 30);
  };

  const strip = element("strip");
  const steps = Array.from({ length: 9 }, () => strip.appendChild(document.createElement("canvas")));
  const interpolated = async () => {
    const ends = [Number(first.value) || 0, Number(second.value) || 0];
    const { points, labels } = await pointsOf(ends);
    const size = points.dims[1];
    const [a, b] = [points.data.slice(0, size), points.data.slice(size)];
    const norm = (x) => Math.sqrt(x.slice(0, facts.free).reduce((sum, one) => sum + one * one, 0));
    let cosine = 0;
    for (let i = 0; i < facts.free; i++) cosine += a[i] * b[i];
    const angle = Math.acos(Math.min(1, Math.max(-1, cosine / (norm(a) * norm(b) || 1))));
    const rows = [];
    steps.forEach((_, step) => {
      const t = step / (steps.length - 1);
      // Normal latents follow a great circle, others a straight line.
      const arc = facts.normal && angle > 1e-3 && Math.PI - angle > 1e-3;
      const [u, v] = arc ? [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)] : [1 - t, t];
      for (let i = 0; i < size; i++) rows.push(i < facts.free ? u * a[i] + v * b[i] : t < 0.5 ? a[i] : b[i]);
    });
    const chosen = labels && steps.map((_, step) => labels[step < steps.length / 2 ? 0 : 1]);
    const images = await imagesOf({ points: floats(Float32Array.from(rows), [steps.length, size]), labels: chosen });
    steps.forEach((canvas, i) => show(canvas, images, i));
  };

  const number = (value) => Object.assign(document.createElement("input"), { type: "number", min: 0, value });
  const seed = control(controls, "first seed", number(0));
  seed.addEventListener("input", soon);
  button(controls, "other seeds", () => {
    seed.value = Math.floor(Math.random() * 1e6);
    soon();
  });
  let truncation = null;
  if (truncated) truncation = slider(controls, "truncation (1: none)", 0, 1.2, 1, soon);
  if (facts.classes.length) {
    choice(controls, "class", ["any", ...facts.classes], (chosen) => {
      state.label = chosen === 0 ? null : chosen - 1;
      soon();
    });
  }
  for (const code of facts.codes) {
    if (code.kind === "categorical") {
      const names = ["any", ...Array.from({ length: code.size }, (_, i) => String(i))];
      choice(controls, code.name, names, (chosen) => {
        if (chosen === 0) delete state.codes[code.name];
        else state.codes[code.name] = chosen - 1;
        soon();
      });
    } else {
      const input = slider(controls, code.name, -2, 2, 0, () => {
        state.codes[code.name] = Number(input.value);
        soon();
      });
    }
  }
  const directions = facts.directions.map((one) => slider(controls, one.name, -3, 3, 0, soon));
  const first = control(element("ends"), "from seed", number(0));
  const second = control(element("ends"), "to seed", number(1));
  for (const end of [first, second]) end.addEventListener("input", soon);
  element("save").addEventListener("click", () => {
    const own = seedOf(state.selected);
    download(large, `seed${String(own).padStart(6, "0")}.png`, made(own));
  });
  await refresh();
  return drawn;
}

// --- images from images --------------------------------------------------------------------------------------------------

const MOST = 512; // pixels of the longer side of a photo

async function transformer() {
  const [input, output] = [element("input"), element("output")];
  const [channels, multiple] = [facts.channels, facts.multiple];
  const fixed = facts.fixed_size;
  const controls = element("controls");
  const pen = { down: false, colour: "#000000", size: Math.max(1, Math.round(Math.max(facts.height, facts.width) / 32)) };
  const mask = facts.degradation === "holes" ? document.createElement("canvas") : null;
  let [model, style, strength, timer] = [facts.models[0], null, null, null];

  const fitted = (height, width) => {
    const share = fixed ? Math.min(facts.height / height, facts.width / width, 1) : Math.min(1, MOST / Math.max(height, width));
    return [Math.max(1, Math.round(height * share)), Math.max(1, Math.round(width * share))];
  };
  const sides = (height, width) => {
    if (fixed) return [facts.height, facts.width];
    const least = multiple > 1 ? 2 * multiple : 1;
    return [height, width].map((side) => Math.max(least, Math.ceil(side / multiple) * multiple));
  };
  const put = (canvas, source, height, width) => {
    [canvas.height, canvas.width] = [height, width];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = facts.alpha === "black" ? "#000" : "#fff";
    if (channels !== 4) context.fillRect(0, 0, width, height);
    if (source) context.drawImage(source, 0, 0, width, height);
  };

  const refresh = async () => {
    const began = performance.now();
    const [height, width] = sides(input.height, input.width);
    const feeds = { [facts.image_input]: pixelsOf(input, channels, height, width) };
    if (strength) feeds.strength = floats(Float32Array.of(Number(strength.value)), []);
    if (style) feeds.style = pixelsOf(style, channels, style.height, style.width);
    if (mask) {
      const holes = pixelsOf(mask, 1, height, width);
      feeds.mask = floats(holes.data.map((value) => (value > 0 ? 1 : 0)), holes.dims);
    }
    const result = await call(model, feeds);
    show(output, result, 0, input.height * facts.scale, input.width * facts.scale);
    compare();
    element("time").textContent = `${input.width} x ${input.height} pixels in ${(performance.now() - began).toFixed(0)} ms`;
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => refresh().catch(complain), 40);
  };

  const take = (source, height, width) => {
    put(input, source, ...fitted(height, width));
    if (mask) put(mask, null, input.height, input.width);
    if (mask) mask.getContext("2d").fillStyle = "#000";
    if (mask) mask.getContext("2d").fillRect(0, 0, mask.width, mask.height);
    soon();
  };
  const photo = async (file, use) => {
    if (!file) return;
    try {
      const bitmap = await createImageBitmap(file);
      use(bitmap, bitmap.height, bitmap.width);
    } catch {
      complain(new Error(`${file.name} is no image that this browser can read`));
    }
  };
  const picker = (text, use) => {
    const file = Object.assign(document.createElement("input"), { type: "file", accept: "image/*" });
    file.addEventListener("change", () => photo(file.files[0], use));
    control(controls, text, file);
  };
  const drawing = mask ? "draw where it is missing, " : facts.draws_on_input ? "draw, " : "";
  element("how").textContent = `input: ${drawing}${drawing && "or "}drop a photo anywhere`;
  picker("photo", take);
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    photo(event.dataTransfer.files[0], take);
  });

  // Drawing: on the image itself, or where it is missing.
  const place = (event) => {
    const box = input.getBoundingClientRect();
    return [((event.clientX - box.left) * input.width) / box.width, ((event.clientY - box.top) * input.height) / box.height];
  };
  const stroke = (event) => {
    const [x, y] = place(event);
    for (const canvas of mask ? [input, mask] : [input]) {
      const context = canvas.getContext("2d");
      context.strokeStyle = canvas === mask ? "#fff" : mask ? "#808080" : pen.colour;
      Object.assign(context, { lineWidth: pen.size, lineCap: "round", lineJoin: "round" });
      context.beginPath();
      context.moveTo(...pen.from);
      context.lineTo(x, y + 1e-3);
      context.stroke();
    }
    pen.from = [x, y];
    soon();
  };
  if (facts.draws_on_input) {
    input.classList.add("drawn");
    input.addEventListener("pointerdown", (event) => {
      Object.assign(pen, { down: true, from: place(event) });
      input.setPointerCapture(event.pointerId);
      stroke(event);
    });
    input.addEventListener("pointermove", (event) => pen.down && stroke(event));
    input.addEventListener("pointerup", () => (pen.down = false));
    if (!mask) {
      const colour = Object.assign(document.createElement("input"), { type: "color", value: pen.colour });
      colour.addEventListener("input", () => (pen.colour = colour.value));
      control(controls, "pen", colour);
    }
    const size = slider(controls, "pen size", 1, 24, pen.size, () => (pen.size = Number(size.value)));
    button(controls, "clear", () => take(null, facts.height, facts.width));
  }
  if (facts.models.length > 1) {
    choice(controls, "direction", facts.models.map((name) => name.replace("translate_", "")), (number) => {
      model = facts.models[number];
      soon();
    });
  }
  if (facts.takes_style) {
    style = document.createElement("canvas");
    style.className = "thumbnail";
    style.title = "the style";
    picker("style", (bitmap, height, width) => {
      const share = Math.min(1, 256 / Math.max(height, width));
      put(style, bitmap, Math.max(16, Math.round(height * share)), Math.max(16, Math.round(width * share)));
      soon();
    });
    controls.append(style);
    put(style, await example("style"), 96, 96);
  }
  if (facts.takes_strength) strength = slider(controls, "strength", 0, 1, 1, soon);

  // Before and after, one above the other, divided where the slider is.
  const [before, after, divider] = [element("before"), element("after"), element("divider")];
  const compare = () => {
    for (const [canvas, source] of [[before, input], [after, output]]) {
      [canvas.height, canvas.width] = [output.height, output.width];
      canvas.getContext("2d").imageSmoothingEnabled = false;
      canvas.getContext("2d").drawImage(source, 0, 0, output.width, output.height);
    }
    after.style.clipPath = `inset(0 0 0 ${divider.value}%)`;
  };
  divider.addEventListener("input", compare);
  element("save").addEventListener("click", () => download(output, `${facts.command}.png`, { command: facts.command }));

  const start = await example("image");
  take(start, start.height, start.width);
  clearTimeout(timer);
  if (mask) {
    const [height, width] = [input.height, input.width];
    Object.assign(pen, { from: [width * 0.35, height * 0.4], size: Math.max(3, width / 10) });
    const box = input.getBoundingClientRect();
    stroke({ clientX: box.left + box.width * 0.65, clientY: box.top + box.height * 0.6 });
    clearTimeout(timer);
  }
  await refresh();
  return [output];
}

// An image that the page brings along.
async function example(name) {
  const image = new Image();
  image.src = element(`example-${name}`).src;
  await image.decode();
  return image;
}

// --- the page ------------------------------------------------------------------------------------------------------------

function complain(error) {
  element("message").textContent = `This did not work: ${error.message || error}`;
  document.body.dataset.state = "failed";
}

document.addEventListener("securitypolicyviolation", (event) => complain(new Error(`a request was refused: ${event.blockedURI}`)));

(async () => {
  const began = performance.now();
  await start();
  const canvases = await (facts.part === "sample" ? sampler() : transformer());
  element("message").textContent = `started in ${((performance.now() - began) / 1000).toFixed(1)} s`;
  if (location.hash === "#check") {
    // For tests: the pixels, and the bytes of a downloaded PNG, as text.
    const pixels = canvases.flatMap((canvas) => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]);
    const png = await new Blob(await pngOf(canvases[0], { command: facts.command, seed: 0 })).arrayBuffer();
    element("check").textContent = JSON.stringify({ pixels, size: [canvases[0].height, canvases[0].width], png: [...new Uint8Array(png)] });
  }
  document.body.dataset.state = "ready";
})().catch(complain);
