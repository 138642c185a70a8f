/**
 * What the live page runs: puts new sections in the place of those that have changed, and keeps what is unfolded, scrolled and
 * focused.
 */
export const script = `
const byId = (id) => document.getElementById(id);
const say = (text) => { if (byId('status').textContent !== text) byId('status').textContent = text; };
const places = 'a, summary, [tabindex]';
function replace(old, html) {
  const made = document.createElement('template');
  made.innerHTML = html;
  const fresh = made.content.firstElementChild;
  if (old.outerHTML === fresh.outerHTML) return;
  const state = (root) => [...root.querySelectorAll('details, .scroll')];
  const focused = [...old.querySelectorAll(places)].indexOf(document.activeElement);
  const before = state(old).map((part) => ({ open: part.open, left: part.scrollLeft }));
  old.replaceWith(fresh);
  state(fresh).forEach((part, i) => {
    if (!before[i]) return;
    if (before[i].open) part.open = true;
    part.scrollLeft = before[i].left;
  });
  if (focused >= 0) fresh.querySelectorAll(places)[focused]?.focus({ preventScroll: true });
}
const events = new EventSource('/events');
events.addEventListener('update', ({ data }) => {
  const { status, contents, sections } = JSON.parse(data);
  const nav = document.querySelector('nav');
  replace(nav.firstElementChild, contents);
  for (const { id, html } of sections) {
    const there = document.querySelector('main [aria-labelledby="' + id + '"]');
    if (there) replace(there, html);
    else document.querySelector('main').insertAdjacentHTML('beforeend', html);
  }
  say(status);
});
events.addEventListener('end', ({ data }) => { events.close(); say(JSON.parse(data)); });
events.onerror = () => say('The connection is lost; this is what was known last.');
`;
