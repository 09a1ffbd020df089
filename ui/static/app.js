// The client side of the pages: htmx, and the little that it leaves to us. All
// pages work without it.
import htmx from 'htmx.org';
import './combobox.js';

// 422 (a form with errors) is swapped in like any other answer; a server error is
// not: its page would end up in the middle of another. The message for it is in
// the page already, in the user's language, see showFailure.
htmx.config.noSwap = [204, 304, '5xx'];
htmx.config.defaultTimeout = 30_000; // ms

const failures = () => document.querySelectorAll('[data-request-error]');
const showFailure = (shown) => failures().forEach((element) => (element.hidden = !shown));

document.addEventListener('htmx:response:error', ({ detail }) => {
  if (detail.ctx.response.status >= 500) showFailure(true);
});
document.addEventListener('htmx:error', () => showFailure(true)); // no connection, time-out

// While a form is on its way it says so to assistive technology, the style sheet
// shows it, and a second click sends nothing.
const formOf = (element) => element?.closest?.('form');

// A line at the top of the window for what takes longer than a moment. What asks by itself (hx-trigger)
// disturbs nobody.
let loading;
const setLoading = (on) => {
  clearTimeout(loading);
  if (on) loading = setTimeout(() => (document.documentElement.dataset.loading = ''), 250);
  else delete document.documentElement.dataset.loading;
};

document.addEventListener('htmx:before:request', ({ detail }) => {
  showFailure(false);
  if (!detail.ctx.sourceElement?.hasAttribute?.('hx-trigger')) setLoading(true);
  formOf(detail.ctx.sourceElement)?.setAttribute('aria-busy', 'true');
});
document.addEventListener('htmx:finally:request', ({ detail }) => {
  setLoading(false);
  formOf(detail.ctx.sourceElement)?.removeAttribute('aria-busy');
});
document.addEventListener(
  'submit',
  (event) => {
    if (event.target.getAttribute('aria-busy') !== 'true') return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  true,
);
document.addEventListener('submit', (event) => {
  // htmx has prevented the default of its own forms: this is one without it.
  if (event.defaultPrevented || event.target.method !== 'post') return;
  event.target.setAttribute('aria-busy', 'true');
  setLoading(true);
});
window.addEventListener('pageshow', (event) => {
  // Back from the browser's page cache: nothing is on its way any more.
  setLoading(false);
  if (event.persisted) document.querySelectorAll('form[aria-busy]').forEach((form) => form.removeAttribute('aria-busy'));
});

// Whoever sent a form with errors continues at the first one, or reads what is wrong with the whole.
const focusFirstError = () => {
  const field = document.querySelector('[aria-invalid="true"]');
  field?.focus();
  return field;
};

// A live region speaks when its text changes, not when the page comes with one: the message of a page is
// said a moment after it is there.
const sayFlash = () => {
  const flash = document.querySelector('[data-flash]');
  if (flash) setTimeout(() => (document.querySelector('[data-say]').textContent = flash.textContent.trim()), 150);
};

document.addEventListener('htmx:after:swap', ({ detail }) => {
  sayFlash();
  if (detail.ctx.response?.status !== 422 || focusFirstError()) return;
  const alert = document.querySelector('main [role="alert"]:not([hidden])');
  if (!alert) return;
  alert.tabIndex = -1;
  alert.focus();
});

// A form that asks for the document of a frame is sent as soon as it is there: the preview of a mail.
const fillFrames = () =>
  document.querySelectorAll('form[data-frame=""]').forEach((form) => {
    form.dataset.frame = 'filled';
    form.submit();
  });
document.addEventListener('htmx:after:swap', fillFrames);

// Where the reader is stays in sight, also when the sections are wider than the window.
const showSection = () =>
  document.querySelectorAll('[data-sections] [aria-current]').forEach((here) => {
    const bar = here.closest('[data-sections]');
    bar.scrollLeft = here.offsetLeft - bar.offsetLeft - (bar.clientWidth - here.offsetWidth) / 2;
  });

document.addEventListener('DOMContentLoaded', () => {
  fillFrames();
  showSection();
  focusFirstError();
  sayFlash();
});

// Small helpers of forms, by attribute. Whoever has no JavaScript gets the same from
// the server, or needs it less.
document.addEventListener('click', (event) => {
  const button = event.target.closest?.('[data-tick], [data-reveal], [data-dialog], [data-insert]');
  if (!button) return;
  const { tick, untick, reveal, dialog, insert, into } = button.dataset;
  if (insert) {
    // Puts a text where the cursor of a field is, as if it had been typed.
    const field = document.getElementById(into);
    field.setRangeText(insert, field.selectionStart, field.selectionEnd, 'end');
    field.dispatchEvent(new Event('input', { bubbles: true }));
    field.focus();
  } else if (reveal) {
    // Shows what is typed into a password field.
    const input = document.getElementById(reveal);
    const shown = input.type === 'password';
    input.type = shown ? 'text' : 'password';
    button.setAttribute('aria-pressed', shown);
    input.focus();
  } else if (dialog) {
    // Asks here instead of on a page of its own.
    const element = document.getElementById(dialog);
    if (!element) return;
    event.preventDefault();
    element.showModal();
  } else if (tick) {
    // Sets boxes, after clearing others; those that are disabled stay.
    event.preventDefault();
    const set = (selector, checked) =>
      selector && document.querySelectorAll(selector).forEach((box) => !box.disabled && (box.checked = checked));
    set(untick, false);
    set(tick, true);
  }
});

// Passkeys (Web Authentication). The form's fields are sent to data-passkey, which answers what to ask the
// browser; then the form itself is sent with the browser's answer.
const answerPasskey = async (form) => {
  const problem = form.querySelector('[data-passkey-error]');
  problem.hidden = true;
  problem.dataset.text ??= problem.textContent;
  form.setAttribute('aria-busy', 'true');
  try {
    const response = await fetch(form.dataset.passkey, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
    const asked = await response.json();
    if (!response.ok) throw new Error(asked.error);
    const { publicKey } = asked.options;
    const credential =
      'passkeyNew' in form.dataset
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
    if (form.elements.ceremony) form.elements.ceremony.value = asked.ceremony;
    form.elements.response.value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch (error) {
    // What the server says is for people; what the browser says is not.
    problem.textContent = error.constructor === Error && error.message ? error.message : problem.dataset.text;
    problem.hidden = false;
    form.removeAttribute('aria-busy');
  }
};
document.addEventListener(
  'submit',
  (event) => {
    if (!event.target.dataset.passkey || event.defaultPrevented) return;
    event.preventDefault();
    answerPasskey(event.target);
  },
  true,
);

// Menus close when something else is clicked, and with Escape.
const closeMenus = (except) =>
  document.querySelectorAll('details[data-menu][open]').forEach((menu) => menu !== except && (menu.open = false));
document.addEventListener('click', (event) => closeMenus(event.target.closest?.('details[data-menu]')));
document.addEventListener('keydown', (event) => {
  const menu = event.key === 'Escape' && document.querySelector('details[data-menu][open]');
  if (!menu) return;
  menu.open = false;
  menu.querySelector('summary').focus();
});

// The message after a redirect goes by itself, unless it is being read.
setInterval(() => {
  document.querySelectorAll('[data-flash]:not(:hover, :focus-within)').forEach((flash) => {
    const age = Number(flash.dataset.flash || 0) + 1;
    flash.dataset.flash = age;
    if (age > 6) flash.remove();
  });
}, 1000);
