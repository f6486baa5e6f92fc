// The address behind the # is the state of a view: it can be bookmarked, reloaded and sent on.
import { useEffect, useState } from "./dom.js";

export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  return { view: parts[0] || "runs", id: parts[1] || "", query: Object.fromEntries(new URLSearchParams(query)) };
}

export function address(view, id = "", query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(kept).toString();
  return `#/${view}${id ? `/${encodeURIComponent(id)}` : ""}${search ? `?${search}` : ""}`;
}

export const go = (view, id, query) => {
  location.hash = address(view, id, query);
};

// Changes the query of the present address without a new entry in the history.
export function setQuery(changes) {
  const { view, id, query } = parse(location.hash);
  history.replaceState(null, "", address(view, id, { ...query, ...changes }));
  window.dispatchEvent(new Event("hashchange"));
}

export function useRoute() {
  const [route, setRoute] = useState(() => parse(location.hash));
  useEffect(() => {
    const changed = () => setRoute(parse(location.hash));
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  return route;
}
