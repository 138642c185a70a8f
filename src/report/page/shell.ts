import { createHash } from 'node:crypto';
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
  /** Whether it has pictures, which lie in the page itself. Default: no. */
  hasPictures?: boolean;
  /** Keeps the page up to date. Default: none, and nothing is loaded from anywhere, which the content policy also says. */
  script?: string;
}

/** A page as one HTML document. */
export function shell({ title, lead, notices, sections, footer, hasPictures, script }: Page): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${new Html(contentPolicy(script, hasPictures))}">
<meta name="generator" content="tailmix">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="lead">${lead}</p>
${notices}
<nav aria-label="Sections">${contents(sections)}</nav>
</header>
<main>
${sections.map(sectionOf)}
</main>
<footer>Written by tailmix. ${footer}</footer>
${script === undefined ? null : new Html(`<script>${script}</script>`)}
</body>
</html>
`;
  return page.text;
}

/** Allows the page's own style, pictures that lie in it, and where it has a script that one, and what it asks its own server. */
export const contentPolicy = (script?: string, hasPictures = false): string =>
  `default-src 'none'; style-src 'unsafe-inline'${hasPictures ? '; img-src data:' : ''}${
    script === undefined
      ? ''
      : `; connect-src 'self'; script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`
  }`;

/** Links to the sections. */
export const contents = (sections: readonly Section[]): Html =>
  html`<ul>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul>`;

export const sectionOf = ({ id, title, body }: Section): Html =>
  html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${body}</section>\n`;

/** Lines that a reader must see before anything else; null for none. */
export const notice = (title: string, lines: readonly string[]): Html | null =>
  lines.length === 0
    ? null
    : html`<div class="warnings" role="note"><p>${title}</p><ul>${lines.map((line) => html`<li>${line}</li>`)}</ul></div>`;
