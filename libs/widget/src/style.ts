/**
 * Colours and sizes come from custom properties, so that a page sets them from outside; parts
 * (`zone`, `icon`, `button`, `text`, `hint`, `notes`) are there for all else.
 */
export const STYLE = `
:host {
  display: block;
  font: inherit;
  color: var(--sluice-ink, #14202b);
}
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.zone {
  display: flex;
  flex-direction: column;
  align-items: center;
  gap: 0.35rem;
  padding: var(--sluice-padding, clamp(1.5rem, 5vw, 2.75rem) 1.25rem);
  text-align: center;
  background: var(--sluice-surface, #ffffff);
  border: 1.5px dashed var(--sluice-line, #8796a5);
  border-radius: var(--sluice-radius, 14px);
  transition: border-color 120ms ease, background-color 120ms ease;
}
.zone.over {
  border-style: solid;
  border-color: var(--sluice-accent, #08647f);
  background: var(--sluice-accent-soft, #e3f2f6);
}
.icon { width: 2.25rem; height: 2.25rem; color: var(--sluice-accent, #08647f); margin-bottom: 0.35rem; }
button {
  font: inherit;
  font-weight: 600;
  min-height: 2.75rem;
  padding: 0.5rem 1.25rem;
  color: var(--sluice-on-accent, #ffffff);
  background: var(--sluice-accent, #08647f);
  border: 0;
  border-radius: 999px;
  cursor: pointer;
}
button:hover { background: var(--sluice-accent-strong, #064e63); }
:focus-visible { outline: 3px solid var(--sluice-focus, #08647f); outline-offset: 2px; }
p { margin: 0; }
.text { margin-top: 0.25rem; color: var(--sluice-muted, #51606e); }
.hint { font-size: 0.8125rem; color: var(--sluice-muted, #51606e); max-width: 46ch; text-wrap: balance; }
.notes { margin: 0.75rem 0 0; padding: 0; list-style: none; display: grid; gap: 0.5rem; }
.notes:empty { display: none; }
.notes li {
  padding: 0.6rem 0.85rem;
  border-radius: 10px;
  overflow-wrap: anywhere;
  font-size: 0.9375rem;
  color: var(--sluice-error, #a5231b);
  background: var(--sluice-error-soft, #fdecea);
}
.unseen {
  position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0;
  overflow: hidden; clip-path: inset(50%); white-space: nowrap; border: 0;
}
@media (pointer: coarse), (max-width: 30rem) { .text { display: none; } }
@media (prefers-reduced-motion: reduce) { .zone { transition: none; } }
`;

const SHAPE =
  'M12 15.5V4.5m0 0L7.5 9M12 4.5 16.5 9M4 14.5v3A2.5 2.5 0 0 0 6.5 20h11a2.5 2.5 0 0 0 2.5-2.5v-3';

export const MARKUP = `
<div class="zone" part="zone">
  <svg class="icon" part="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="${SHAPE}"/></svg>
  <button type="button" part="button" aria-describedby="hint">Choose videos</button>
  <p class="text" part="text">or drop them here</p>
  <p class="hint" part="hint" id="hint"></p>
  <input type="file" multiple hidden>
</div>
<ul class="notes" part="notes" role="alert"></ul>
<p class="unseen" role="status"></p>
`;
