import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareRuns } from '../../src/report/compare.ts';
import { encodePicture } from '../../src/report/pictures/encode.ts';
import { type Pictures, writePictures } from '../../src/report/pictures/file.ts';
import { loadRuns } from '../../src/report/runs.ts';
import { writeReport } from '../../src/report/write.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { writeSyntheticRun, writeSyntheticSweep } from './synthetic-runs.ts';

describe.skipIf(!hasChromium('the report page is not looked at'))('the report in Chromium', () => {
  let root: string;
  let browser: Browser;
  const pages: Record<string, string> = {};

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'tailmix-browser-'));
    await writeSyntheticSweep(join(root, 'digits'), [1, 2]);
    const classes = Array.from({ length: 100 }, (_, c) => `a class with a long name, number ${c}`);
    const many = { classes, testPerClass: 10, epochs: 2, tailLift: 0.3, seed: 1 };
    await writeSyntheticRun(join(root, 'many'), { ...many, method: 'ERM' });
    await writeSyntheticRun(join(root, 'many'), { ...many, method: 'Averyveryveryverylongnamewithoutanyspaceatall' });
    await writeSyntheticSweep(join(root, 'pictures'), [1]);
    for (const run of await readdir(join(root, 'pictures')))
      await writePictures(join(root, 'pictures', run), await madeUp());
    for (const name of ['digits', 'many', 'pictures']) {
      const comparison = compareRuns(await loadRuns([join(root, name)]));
      pages[name] = pathToFileURL(await writeReport(comparison, join(root, `${name}-report`))).href;
    }
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await rm(root, { recursive: true, force: true });
  });

  const open = async (name: string, width: number, colorScheme: 'light' | 'dark' = 'light') => {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const trouble: string[] = [];
    page.on('console', (message) => trouble.push(message.text()));
    page.on('pageerror', (error) => trouble.push(error.message));
    page.on('request', (request) => {
      if (request.url() !== pages[name]) trouble.push(`request ${request.url()}`);
    });
    await page.goto(pages[name]!);
    return { page, trouble };
  };

  describe.each(['digits', 'many', 'pictures'])('%s', (name) => {
    test('loads one file and says nothing on the console', async () => {
      const { page, trouble } = await open(name, 1280);
      expect(trouble).toEqual([]);
      await page.close();
    });

    test.each([360, 768, 1280])('at %i pixels nothing sticks out but what scrolls on its own', async (width) => {
      const { page } = await open(name, width);
      expect(await sticking(page, width)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      await page.close();
    });
  });

  test('charts are drawn in the colours of the scheme', async () => {
    const fills: Record<string, string> = {};
    for (const scheme of ['light', 'dark'] as const) {
      const { page } = await open('digits', 1280, scheme);
      fills[scheme] = await page.evaluate(
        `getComputedStyle(document.querySelector('#classes ~ figure [fill="var(--m1)"]')).fill`,
      );
      const [ground, ink] = await page.evaluate<[string, string]>(
        '[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]',
      );
      expect(ground).not.toBe(ink);
      await page.close();
    }
    expect(fills.light).toMatch(/^rgb\(/);
    expect(fills.dark).toMatch(/^rgb\(/);
    expect(fills.light).not.toBe(fills.dark);
  });

  test('pictures are shown, each with a description, and folded ones by the keyboard', async () => {
    const { page, trouble } = await open('pictures', 1280);
    const shown = await page.evaluate<{ width: number; alt: string }[]>(
      '[...document.images].map(({ naturalWidth, alt }) => ({ width: naturalWidth, alt }))',
    );
    // Of four methods two mistakes with a neighbour each, and three images of a mixed pair.
    expect(shown).toHaveLength(4 * (2 * 2 + 3));
    expect(shown.every(({ width, alt }) => width === 8 && alt !== '')).toBe(true);
    const folded = page.locator('summary', { hasText: 'Wrong images of Remix-DRW' });
    await folded.focus();
    await page.keyboard.press('Enter');
    expect(await page.locator('[aria-label="Wrong images of Remix-DRW"] img').first().isVisible()).toBe(true);
    expect(trouble).toEqual([]);
    await page.close();
  });

  test('on paper it is light, and nothing needs scrolling', async () => {
    const { page } = await open('digits', 1280, 'dark');
    await page.emulateMedia({ media: 'print' });
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)');
    const pdf = await page.pdf({ format: 'A4', printBackground: true });
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    await page.close();
  });

  test('labels of a chart do not lie on each other', async () => {
    const { page } = await open('digits', 1280);
    const overlaps = await page.evaluate(`(() => {
      const found = [];
      for (const svg of document.querySelectorAll('svg[role=img]')) {
        const boxes = [...svg.querySelectorAll('.role-axis-label text')].map((text) => ({
          text: text.textContent, box: text.getBoundingClientRect(), turned: /rotate/.test(text.getAttribute('transform')),
        })).filter(({ box, turned }) => box.width > 0 && !turned);
        for (const [i, a] of boxes.entries()) for (const b of boxes.slice(0, i)) {
          const x = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
          const y = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
          if (x > 2 && y > 4) found.push(a.text + ' / ' + b.text + ' in ' + svg.getAttribute('aria-label'));
        }
      }
      return found;
    })()`);
    expect(overlaps).toEqual([]);
    await page.close();
  });
});

/** Elements that reach beyond the window and have no scrolling region around them. */
const sticking = (page: Page, width: number) =>
  page.evaluate(`[...document.querySelectorAll('main *, header *')]
    .filter((element) => !element.closest('.scroll, pre, svg svg, details:not([open])'))
    .filter((element) => element.getBoundingClientRect().right > ${width} + 1)
    .map((element) => element.outerHTML.slice(0, 80))`);

/** Pictures of a run that never was. */
async function madeUp(): Promise<Pictures> {
  const image = await encodePicture(
    Uint8Array.from({ length: 64 }, (_, i) => 4 * i),
    [8, 8, 1],
  );
  const wrong = { image, label: 'one', predicted: 'seven', probability: 0.9, labelProbability: 0.05 };
  const row = {
    own: image,
    partner: image,
    mixed: image,
    label: 'one',
    pairLabel: 'seven',
    lambda: 0.3,
    labelWeight: 0,
  };
  return {
    configHash: 'c0ffee',
    subsetHash: '5b2c9f0a7d1e4c3388aa01bb22cc33dd44ee55ff66aa77bb88cc99dd00ee11ff',
    epoch: 12,
    mixed: { epoch: 1, step: 1, mix: 'input', size: 64, pairs: 63, relabelled: 9, rows: [row] },
    wrong: {
      ...{ count: 100, wrong: 9, among: 50, classes: 1 },
      rows: Array.from({ length: 2 }, () => ({ ...wrong, nearest: [{ image, label: 'seven', similarity: 0.9 }] })),
    },
    plane: null,
  };
}
