// Fields whose value is looked up while it is typed: a combobox with a listbox popup, as the WAI-ARIA Authoring
// Practices describe it. Without scripts they are plain fields. data-combobox is where the options come from, as
// HTML: <li role="option" data-value="...">, for what is typed in the parameter q. One list serves the page.
let list; // the listbox
let status; // says to a screen reader how many options there are
let input; // the field that the list belongs to, while it is open
let asking; // the request that is on its way
let timer;

const options = () => [...list.querySelectorAll('[role=option]')];
const current = () => list.querySelector('[aria-selected=true]');

const setUp = () => {
  list = document.createElement('ul');
  Object.assign(list, { id: 'combobox-list', popover: 'manual', className: 'combobox-list' });
  list.setAttribute('role', 'listbox');
  status = document.createElement('div');
  status.className = 'sr-only';
  status.setAttribute('role', 'status');
  // A press on an option must not take the focus away from the field.
  list.addEventListener('mousedown', (event) => event.preventDefault());
  list.addEventListener('click', (event) => {
    const option = event.target.closest('[role=option]');
    if (option) choose(option);
  });
};

const enhance = (field) => {
  if (field.getAttribute('role') === 'combobox') return;
  if (!list) setUp();
  const attributes = { role: 'combobox', 'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': 'combobox-list', 'aria-haspopup': 'listbox' };
  for (const [name, value] of Object.entries(attributes)) field.setAttribute(name, value);
};

const close = () => {
  clearTimeout(timer);
  asking?.abort();
  if (!input) return;
  input.setAttribute('aria-expanded', 'false');
  input.removeAttribute('aria-activedescendant');
  input = undefined;
  if (list.matches(':popover-open')) list.hidePopover();
};

const mark = (option) => {
  current()?.setAttribute('aria-selected', 'false');
  option.setAttribute('aria-selected', 'true');
  input.setAttribute('aria-activedescendant', option.id);
  option.scrollIntoView({ block: 'nearest' });
};

const choose = (option) => {
  const field = input;
  close();
  field.value = option.dataset.value;
  field.title = option.dataset.text ?? '';
  field.dataset.chosen = field.value; // what follows is no typing
  field.dispatchEvent(new Event('input', { bubbles: true }));
  field.dispatchEvent(new Event('change', { bubbles: true }));
  delete field.dataset.chosen;
};

const place = () => {
  const box = input.getBoundingClientRect();
  const width = Math.min(Math.max(box.width, 352), innerWidth - 16);
  const below = innerHeight - box.bottom - 12;
  const above = box.top - 12;
  const up = below < 180 && above > below;
  Object.assign(list.style, {
    width: `${width}px`,
    left: `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`,
    top: up ? 'auto' : `${box.bottom + 4}px`,
    bottom: up ? `${innerHeight - box.top + 4}px` : 'auto',
    maxHeight: `${Math.min(320, up ? above : below)}px`,
  });
};

const open = async (field) => {
  asking?.abort();
  asking = new AbortController();
  const url = new URL(field.dataset.combobox, location.href);
  url.searchParams.set('q', field.value);
  let html;
  try {
    const response = await fetch(url, { signal: asking.signal, headers: { Accept: 'text/html' } });
    if (!response.ok || response.redirected) return close();
    html = await response.text();
  } catch {
    return; // another one was asked for, or there is no connection: it is a plain field then
  }
  if (document.activeElement !== field) return;
  // A dialog is in front of everything that is not in it.
  (field.closest('dialog') ?? document.body).append(list, status);
  list.innerHTML = html; // the server has escaped it
  list.setAttribute('aria-label', field.labels?.[0]?.textContent.trim() ?? '');
  options().forEach((option, i) => {
    option.id = `combobox-option-${i}`;
    option.setAttribute('aria-selected', 'false');
  });
  status.textContent = list.querySelector('[data-status]')?.dataset.status ?? '';
  input = field;
  input.setAttribute('aria-expanded', 'true');
  input.removeAttribute('aria-activedescendant');
  place();
  if (!list.matches(':popover-open')) list.showPopover();
  list.scrollTop = 0;
};

const fieldOf = (event) => event.target.closest?.('[data-combobox]');

document.addEventListener('focusin', (event) => {
  const field = fieldOf(event);
  if (field) enhance(field);
  if (input && field !== input) close();
});
document.addEventListener('focusout', (event) => {
  if (event.target === input) close();
});
document.addEventListener('input', (event) => {
  const field = fieldOf(event);
  if (!field || field.dataset.chosen !== undefined) return;
  enhance(field);
  clearTimeout(timer);
  timer = setTimeout(() => open(field), 150);
});
document.addEventListener('keydown', (event) => {
  const field = fieldOf(event);
  if (!field || event.isComposing) return;
  if (!input) {
    if (event.key !== 'ArrowDown') return;
    event.preventDefault();
    enhance(field);
    open(field).then(() => input && options().length && mark(options()[0]));
    return;
  }
  const all = options();
  const at = all.indexOf(current());
  switch (event.key) {
    case 'ArrowDown':
    case 'ArrowUp':
      event.preventDefault();
      if (all.length) mark(all[(at + (event.key === 'ArrowDown' ? 1 : at < 0 ? all.length : all.length - 1)) % all.length]);
      return;
    case 'Enter':
      if (at < 0) return close();
      event.preventDefault();
      choose(all[at]);
      return;
    case 'Escape':
      event.preventDefault();
      event.stopPropagation(); // it closes the list, not the dialog around it
      close();
      return;
    case 'Tab':
      if (at >= 0) choose(all[at]);
      else close();
  }
}, true);
// The keyboard of a phone changes the window's size, so the list follows the field.
const follow = (event) => input && event.target !== list && place();
addEventListener('resize', follow);
document.addEventListener('scroll', follow, { capture: true, passive: true });
