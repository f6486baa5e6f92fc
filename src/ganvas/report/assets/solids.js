// Surfaces on canvases, shaded, turned together by dragging or by the arrow keys: a depth buffer of our own, without WebGL.
//
// turnable(canvases, solids) draws solids[i] on canvases[i], seen from the side of data/turntable.py at first; Home and a double
// click return there. It returns a function that lets go of the canvases. A solid has two strings in base64: `vertices`, x, y, z
// as uint16, 0 to 65535 across a cube that is `side` times as long as the grid's longest side, and `faces`, the numbers of three
// vertices as uint32, counterclockwise where seen from outside. Both are little-endian.
export function turnable(canvases, solids) {
  const START = { turn: 35 * Math.PI / 180, tilt: 25 * Math.PI / 180 }, KEY = Math.PI / 12;
  const ZOOM = 1.35, COLOUR = [104, 146, 196], LIGHT = [-0.45, -0.7, -0.55], AMBIENT = 0.35;
  const length = Math.hypot(...LIGHT), view = { ...START };
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;

  const read = ({ vertices, faces, side }) => {
    const points = Float32Array.from(new Uint16Array(bytes(vertices)), (value) => (value / 65535 * 2 - 1) * side);
    const corners = new Uint32Array(bytes(faces)), normals = new Float32Array(points.length);
    for (let f = 0; f < corners.length; f += 3) {
      const [a, b, c] = [3 * corners[f], 3 * corners[f + 1], 3 * corners[f + 2]];
      const [ux, uy, uz] = [points[b] - points[a], points[b + 1] - points[a + 1], points[b + 2] - points[a + 2]];
      const [vx, vy, vz] = [points[c] - points[a], points[c + 1] - points[a + 1], points[c + 2] - points[a + 2]];
      for (const corner of [a, b, c]) {
        normals[corner] += uy * vz - uz * vy;
        normals[corner + 1] += uz * vx - ux * vz;
        normals[corner + 2] += ux * vy - uy * vx;
      }
    }
    return { points, corners, normals, seen: new Float32Array(points.length), shade: new Float32Array(points.length / 3) };
  };

  const draw = (canvas, { points, corners, normals, seen, shade }) => {
    const [sin, cos, up, level] = [Math.sin(view.turn), Math.cos(view.turn), Math.sin(view.tilt), Math.cos(view.tilt)];
    const { width, height } = canvas, half = Math.min(width, height) / 2;
    // The axes right, down and away from the camera, as in data/turntable.py.
    const axes = [[cos, sin, 0], [up * sin, -up * cos, -level], [-level * sin, level * cos, -up]];
    for (let p = 0; p < points.length; p += 3) {
      let light = 0;
      const size = Math.hypot(normals[p], normals[p + 1], normals[p + 2]) * length || 1;
      for (let i = 0; i < 3; i++) {
        const [x, y, z] = axes[i];
        seen[p + i] = x * points[p] + y * points[p + 1] + z * points[p + 2];
        light += (x * normals[p] + y * normals[p + 1] + z * normals[p + 2]) * LIGHT[i] / size;
      }
      const near = 1 - 0.15 * Math.max(-1, Math.min(1, seen[p + 2]));  // what is far is darker
      shade[p / 3] = 1.25 * (AMBIENT + (1 - AMBIENT) * Math.max(0, light)) * near;
      seen[p] = width / 2 + seen[p] / ZOOM * half;
      seen[p + 1] = height / 2 + seen[p + 1] / ZOOM * half;
    }

    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    const depth = new Float32Array(width * height).fill(Infinity);
    for (let f = 0; f < corners.length; f += 3) {
      const [i, j, k] = [corners[f], corners[f + 1], corners[f + 2]];
      const [ax, ay, bx, by] = [seen[3 * i], seen[3 * i + 1], seen[3 * j], seen[3 * j + 1]];
      const [cx, cy] = [seen[3 * k], seen[3 * k + 1]], area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
      if (area >= 0) continue;  // seen from behind: y points down, which reverses the order of the corners
      const bottom = Math.min(height - 1, Math.floor(Math.max(ay, by, cy)));
      const right = Math.min(width - 1, Math.floor(Math.max(ax, bx, cx))), left = Math.max(0, Math.ceil(Math.min(ax, bx, cx)));
      for (let y = Math.max(0, Math.ceil(Math.min(ay, by, cy))); y <= bottom; y++) {
        for (let x = left; x <= right; x++) {
          const a = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area, b = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area;
          const c = 1 - a - b, place = y * width + x;
          if (a < 0 || b < 0 || c < 0) continue;
          const away = a * seen[3 * i + 2] + b * seen[3 * j + 2] + c * seen[3 * k + 2];
          if (away >= depth[place]) continue;
          depth[place] = away;
          const bright = a * shade[i] + b * shade[j] + c * shade[k];
          for (let channel = 0; channel < 3; channel++) image.data[4 * place + channel] = COLOUR[channel] * bright;
          image.data[4 * place + 3] = 255;
        }
      }
    }
    context.putImageData(image, 0, 0);
  };

  const surfaces = solids.map(read), listening = new AbortController(), { signal } = listening;
  let waiting = false;
  const show = (change) => {
    Object.assign(view, change);
    view.tilt = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, view.tilt));
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      canvases.forEach((canvas, i) => draw(canvas, surfaces[i]));
    });
  };
  for (const canvas of canvases) {
    canvas.style.touchAction = "pan-y";
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId), { signal });
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      show({ turn: view.turn - event.movementX / 80, tilt: view.tilt + event.movementY / 80 });
    }, { signal });
    canvas.addEventListener("dblclick", () => show(START), { signal });
    canvas.addEventListener("keydown", (event) => {
      const { turn, tilt } = view;
      const changes = {
        ArrowLeft: { turn: turn + KEY }, ArrowRight: { turn: turn - KEY }, ArrowUp: { tilt: tilt - KEY },
        ArrowDown: { tilt: tilt + KEY }, Home: START,
      };
      if (!changes[event.key]) return;
      event.preventDefault();
      show(changes[event.key]);
    }, { signal });
  }
  canvases.forEach((canvas, i) => draw(canvas, surfaces[i]));
  return () => listening.abort();
}
