// Curves over steps: hover shows values, dragging zooms, a double click shows all again.
import { html, useEffect, useRef } from "./dom.js";
import { number } from "./format.js";

const HUES = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function Chart({ title, steps, series, log = false }) {
  const place = useRef();
  const plot = useRef();
  const names = series.map((one) => one.name).join("|");

  useEffect(() => {
    const axis = {
      stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui",
    };
    const options = {
      width: place.current.clientWidth, height: 200,
      scales: { x: { time: false }, y: { distr: log ? 3 : 1 } },
      axes: [{ ...axis, values: (_, values) => values.map(number) }, { ...axis, size: 56, values: (_, values) => values.map((value) => (value === null ? "" : number(value))) }],
      series: [
        { label: "step", value: (_, value) => number(value) },
        ...series.map((one, index) => ({
          label: one.name, stroke: () => colour(HUES[index % HUES.length]), width: 1.5, spanGaps: true, points: { show: steps.length < 3 },
          value: (_, value) => number(value),
        })),
      ],
      cursor: { drag: { x: true, y: false } },
      hooks: { setScale: [(chart, axis) => axis === "x" && place.current && (place.current.parentNode.dataset.steps = `${chart.scales.x.min}-${chart.scales.x.max}`)] },
    };
    plot.current = new window.uPlot(options, [steps, ...series.map((one) => one.values)], place.current);
    const watcher = new ResizeObserver(() => plot.current.setSize({ width: place.current.clientWidth, height: 200 }));
    watcher.observe(place.current);
    return () => {
      watcher.disconnect();
      plot.current.destroy();
    };
  }, [names, log]);

  // New values leave a part that was zoomed into as it is.
  useEffect(() => {
    const { data, scales } = plot.current;
    const { min, max } = scales.x;
    const zoomed = data[0].length > 1 && typeof min === "number" && (min > data[0][0] || max < data[0].at(-1));
    plot.current.setData([steps, ...series.map((one) => one.values)], !zoomed);
    if (zoomed) plot.current.setScale("x", { min, max });
  }, [steps, series]);

  const last = series.map((one) => `${one.name} ${number(one.values.findLast((value) => value !== null))}`).join(", ");
  return html`<figure class="chart">
    <figcaption>${title}</figcaption>
    <div ref=${place} role="img" aria-label="${title} over steps; now ${last}"></div>
  </figure>`;
}

// Rows of a log as groups of curves: {generator: [...], discriminator: [...]}.
export function grouped(columns) {
  const groups = {};
  for (const name of Object.keys(columns)) {
    const [update, key] = name.split("/");
    if (!key) continue;
    const group = key === "loss" ? "Losses" : key === "gradient_norm" ? "Gradient norms" : update;
    (groups[group] ||= []).push({ name: key === "loss" || key === "gradient_norm" ? update : key.replaceAll("_", " "), values: columns[name] });
  }
  if (columns.images_per_second) groups.Speed = [{ name: "images per second", values: columns.images_per_second }];
  return groups;
}
