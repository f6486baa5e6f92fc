// What the views need of Preact and htm, in one place.
export { html, render, Component } from "../vendor/htm-preact.js";
export { useState, useEffect, useRef, useMemo, useCallback, useReducer } from "../vendor/htm-preact.js";
