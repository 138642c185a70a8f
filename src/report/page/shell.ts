import { Html, html } from '../html.ts';
import { style } from './style.ts';

/** A part of a page with its heading. */
export interface Section {
  /** Of the heading. */
  id: string;
  title: string;
  body: Html | (Html | null)[];
}

/** What a page has. */
interface Page {
  title: string;
  lead: string;
  /** Below the lead. */
  notices: readonly (Html | null)[];
  sections: readonly Section[];
  /** Behind who wrote it. */
  footer: string;
}

/** A page as one HTML document: no script, nothing loaded from anywhere, which its content policy also says. */
export function shell({ title, lead, notices, sections, footer }: Page): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="tailmix">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="lead">${lead}</p>
${notices}
<nav aria-label="Sections"><ul>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
</header>
<main>
${sections.map(sectionOf)}
</main>
<footer>Written by tailmix. ${footer}</footer>
</body>
</html>
`;
  return page.text;
}

const sectionOf = ({ id, title, body }: Section): Html =>
  html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${body}</section>\n`;

/** Lines that a reader must see before anything else; null for none. */
export const notice = (title: string, lines: readonly string[]): Html | null =>
  lines.length === 0
    ? null
    : html`<div class="warnings" role="note"><p>${title}</p><ul>${lines.map((line) => html`<li>${line}</li>`)}</ul></div>`;
