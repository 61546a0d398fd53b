/** Styles as strings: they live in shadow roots, out of reach of the page around them, and need no extra request. */

export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';

const THEME = `
:host {
  --rj-accent: var(--rejoinder-color, #4f46e5);
  --rj-on-accent: #fff;
  --rj-surface: #fff;
  --rj-bubble: #f1f2f6;
  --rj-text: #1b1d28;
  --rj-muted: #5d6275;
  --rj-line: #e3e5ee;
  --rj-shadow: 0 1px 2px rgb(20 22 40 / 6%), 0 12px 40px rgb(20 22 40 / 14%);
  color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
  :host {
    --rj-accent: var(--rejoinder-color, #6158ec);
    --rj-surface: #171923;
    --rj-bubble: #262938;
    --rj-text: #eceef6;
    --rj-muted: #a3a8bd;
    --rj-line: #2f3345;
    --rj-shadow: 0 1px 2px rgb(0 0 0 / 40%), 0 12px 40px rgb(0 0 0 / 50%);
  }
}
`;

/** Launcher, panel, header and status line. */
export const HOST_CSS = `${THEME}
/* the page's own rules win on :host, so the reset is one level further in */
.inline, .floating { all: initial; display: block; font-family: ${FONT}; color: var(--rj-text); }
* { box-sizing: border-box; }
button { font: inherit; color: inherit; cursor: pointer; }
button:focus-visible { outline: 3px solid var(--rj-accent); outline-offset: 2px; }
.panel {
  display: flex; flex-direction: column; min-height: 0; overflow: hidden; background: var(--rj-surface);
  border: 1px solid var(--rj-line); border-radius: 18px; box-shadow: var(--rj-shadow);
}
.panel[hidden] { display: none; }
.inline .panel { height: 100%; }
.inline { height: 100%; }
.floating .panel {
  position: fixed; z-index: 2147483000; bottom: 96px; width: 392px; height: min(640px, calc(100dvh - 120px));
}
.floating.right .panel, .floating.right .launcher { right: 24px; }
.floating.left .panel, .floating.left .launcher { left: 24px; }
.launcher {
  position: fixed; z-index: 2147483000; bottom: 24px; width: 60px; height: 60px; padding: 0; border: 0;
  border-radius: 50%; background: var(--rj-accent); color: var(--rj-on-accent); box-shadow: var(--rj-shadow);
  display: grid; place-items: center; transition: transform .15s ease;
}
.launcher:hover { transform: translateY(-2px); }
.launcher svg { width: 28px; height: 28px; }
header { display: flex; align-items: center; gap: 12px; padding: 14px 16px; border-bottom: 1px solid var(--rj-line); }
.avatar {
  flex: none; width: 38px; height: 38px; border-radius: 12px; background: var(--rj-accent); color: var(--rj-on-accent);
  display: grid; place-items: center;
}
.avatar svg { width: 22px; height: 22px; }
.names { min-width: 0; flex: 1; }
.title { margin: 0; font-size: 15px; font-weight: 650; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.status { font-size: 12.5px; color: var(--rj-muted); display: flex; align-items: center; gap: 6px; }
.status::before { content: ""; width: 7px; height: 7px; border-radius: 50%; background: #22a06b; }
.status[data-state="offline"]::before { background: #d97706; }
.icon-button {
  flex: none; width: 36px; height: 36px; padding: 0; border: 0; border-radius: 10px; background: none;
  color: var(--rj-muted); display: grid; place-items: center;
}
.icon-button:hover { background: var(--rj-bubble); color: var(--rj-text); }
.icon-button svg { width: 19px; height: 19px; }
.chat { flex: 1; min-height: 0; display: flex; }
.chat deep-chat { flex: 1; min-width: 0; }
.hint { margin: auto; padding: 24px; color: var(--rj-muted); text-align: center; font-size: 14px; }
.hidden-log {
  position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
@media (max-width: 520px) {
  .floating.left .panel, .floating.right .panel { inset: 0; width: auto; height: 100dvh; border: 0; border-radius: 0; }
  .floating.open .launcher { display: none; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
`;

/** Inside deep-chat's own shadow root. */
export const CHAT_CSS = `
:host { border: 0 !important; }
#container { background: transparent; }
#messages { padding-top: 6px; scrollbar-width: thin; }
.rj-text p, .rj-text ul { margin: 0; }
.rj-text > * + * { margin-top: .55em !important; }
.rj-text ul { padding-left: 1.2em; }
.rj-text code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .92em; }
.rj-text a { color: inherit; text-decoration: underline; text-underline-offset: 2px; overflow-wrap: anywhere; }
.rj-text { overflow-wrap: anywhere; }
.rj-image { display: block; max-width: 100%; margin-top: 8px; border-radius: 10px; }
.rj-feedback { display: flex; gap: 2px; margin: 6px 0 -4px -6px; }
.rj-thumb {
  width: 28px; height: 28px; padding: 0; border: 0; border-radius: 8px; background: none; color: var(--rj-muted);
  cursor: pointer; display: grid; place-items: center; opacity: .75;
}
.rj-thumb:hover { background: rgb(128 128 150 / 18%); opacity: 1; }
.rj-thumb[aria-pressed="true"] { color: var(--rj-accent); opacity: 1; }
.rj-thumb[aria-pressed="true"] svg { fill: currentColor; }
.rj-thumb svg { width: 16px; height: 16px; }
.rj-quick-replies { display: flex; flex-wrap: wrap; gap: 8px; }
.rj-quick {
  font: inherit; font-size: 14px; padding: 7px 14px; border-radius: 999px; cursor: pointer; text-align: left;
  color: var(--rj-accent); background: transparent; border: 1.5px solid var(--rj-accent); overflow-wrap: anywhere;
}
.rj-quick:hover { background: var(--rj-accent); color: var(--rj-on-accent); }
.rj-quick:focus-visible, .rj-thumb:focus-visible, .input-button:focus-visible {
  outline: 3px solid var(--rj-accent); outline-offset: 2px;
}
.rj-none { display: none; }
.message-bubble:has(.rj-quick-replies) { background: transparent !important; padding: 2px 0 !important; }
.outer-message-container:has(.rj-none) { display: none; }
.input-button.inside-end {
  display: grid !important; place-items: center; width: 34px; height: 34px; bottom: 50% !important;
  transform: translateY(50%); margin: 0 !important; border-radius: 10px; right: 5px !important;
}
.input-button.loading-button { visibility: hidden; }
.deep-chat-loading-message-bubble { padding: 15px 22px 15px 18px !important; }
.submit-button { background-color: var(--rj-accent) !important; }
.submit-button svg { filter: brightness(0) invert(1) !important; }
.input-button-svg > svg { position: static !important; width: 19px !important; margin: 0 !important; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) { .rj-quick { color: #b9b5ff; border-color: #6d66f2; } }
`;

const bubble = { maxWidth: "84%", borderRadius: "16px", padding: "9px 13px", fontSize: "15px", lineHeight: "1.45" };

/** deep-chat properties that only concern looks. */
export const LOOKS = {
  chatStyle: {
    width: "100%",
    height: "100%",
    border: "none",
    backgroundColor: "transparent",
    fontFamily: FONT,
    color: "var(--rj-text)",
  },
  messageStyles: {
    default: {
      shared: { bubble, innerContainer: { fontSize: "15px" } },
      user: {
        bubble: { backgroundColor: "var(--rj-accent)", color: "var(--rj-on-accent)", borderBottomRightRadius: "5px" },
      },
      ai: { bubble: { backgroundColor: "var(--rj-bubble)", color: "var(--rj-text)", borderBottomLeftRadius: "5px" } },
    },
    html: {
      shared: { bubble: { maxWidth: "92%" } },
    },
    error: { bubble: { ...bubble, backgroundColor: "#fdecec", color: "#8f1d1d", textAlign: "left" } },
    loading: { message: { styles: { bubble: { backgroundColor: "var(--rj-bubble)", color: "var(--rj-muted)" } } } },
  },
  inputAreaStyle: { backgroundColor: "transparent", borderTop: "1px solid var(--rj-line)", padding: "6px 0" },
};

export const TEXT_STYLES = {
  container: {
    backgroundColor: "var(--rj-bubble)",
    color: "var(--rj-text)",
    border: "1px solid transparent",
    borderRadius: "14px",
    boxShadow: "none",
    width: "calc(100% - 28px)",
  },
  text: { fontSize: "15px", padding: "11px 48px 11px 14px", color: "var(--rj-text)" },
  focus: { border: "1px solid var(--rj-accent)" },
};

/** Stroke icons on a 24 x 24 grid. */
export const ICONS = {
  chat: "M21 12a8 8 0 0 1-8 8H4l1.8-3.2A8 8 0 1 1 21 12Z M9 11h.01 M13 11h.01 M17 11h.01",
  close: "M6 6l12 12 M18 6L6 18",
  restart: "M4 12a8 8 0 1 0 2.6-5.9 M4 4v4.5h4.5",
  up: "M7 11v9H4v-9h3Zm0 0 4-8a2 2 0 0 1 3 2v4h5a2 2 0 0 1 2 2.3l-1.2 7A2 2 0 0 1 17.8 20H7",
  down: "M7 13V4H4v9h3Zm0 0 4 8a2 2 0 0 0 3-2v-4h5a2 2 0 0 0 2-2.3l-1.2-7A2 2 0 0 0 17.8 4H7",
};
