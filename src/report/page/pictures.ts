import { type BoundaryPanel, drawBoundaries } from '../charts/boundaries.ts';
import { percent } from '../format.ts';
import { Html, html } from '../html.ts';
import type { Picture, Pictures } from '../pictures/file.ts';
import type { ShownPictures } from '../pictures/shown.ts';
import { details, figure, heads, swatch, table } from './parts.ts';
import type { Section } from './shell.ts';

/** Bytes of a page. */
export const PAGE_BYTES = 10_000_000;

/** A part of a section: what it shows of a method. */
interface Part {
  of: ShownPictures;
  body: Html;
}

/**
 * Sections of pictures: mixed images, wrong images, decision boundaries. Once the page would be longer than 10 MB, the pictures of further
 * methods are left out, and the section says so.
 *
 * @param room - bytes that are left for them in the page
 */
export async function pictureSections(shown: readonly ShownPictures[], room: number): Promise<Section[]> {
  const planes = shown.filter(({ plane }) => plane);
  const parts: [id: string, title: string, Part[]][] = [
    ['boundaries', 'Decision boundaries', planes.length === 0 ? [] : [await boundaryPart(planes)]],
    [
      'mixed',
      'Mixed images',
      relabelledFirst(shown).flatMap((of) => (of.mixed ? [{ of, body: mixedTable(of, of.mixed) }] : [])),
    ],
    ['wrong', 'Wrong images', shown.flatMap((of) => (of.wrong ? [{ of, body: wrongTable(of, of.wrong) }] : []))],
  ];
  let left = room;
  return parts.flatMap(([id, title, all]) => {
    const kept = all.filter(({ body }) => {
      const bytes = Buffer.byteLength(body.text);
      if (bytes > left) return false;
      left -= bytes;
      return true;
    });
    const missing = all.filter((part) => !kept.includes(part));
    if (all.length === 0) return [];
    const note =
      missing.length === 0
        ? null
        : html`<p class="note"><strong>Left out, since a page is 10 MB at most</strong>: ${missing.map(({ of }) => of.label).join(', ')}. A report of these runs alone has room for them.</p>`;
    const [first, ...others] = kept;
    const body = [first?.body ?? null, ...others.map(({ of, body: own }) => details(`${title} of ${of.label}`, own))];
    return [{ id, title, body: [...body, note] }];
  });
}

const show = ({ type, width, height, bytes }: Picture, alt: string): Html => {
  const scale = width <= 16 ? 4 : width <= 40 ? 2 : 1;
  return html`<img class="${scale > 1 ? 'picture pixels' : 'picture'}" alt="${alt}" width="${scale * width}" height="${scale * height}" src="data:image/${type};base64,${bytes}">`;
};

/** Methods whose labels are others than Mixup's first: they show both. */
const relabelledFirst = (shown: readonly ShownPictures[]): ShownPictures[] => {
  const isRelabelled = ({ mixed }: ShownPictures): boolean => (mixed?.relabelled ?? 0) > 0;
  return [...shown.filter(isRelabelled), ...shown.filter((of) => !isRelabelled(of))];
};

/** Two classes with their shares: `three 0.31`, `eight 0.69`; `eight 1.00` where the other has none. */
function labelParts(label: string, pairLabel: string, share: number): string[] {
  const parts: [string, number][] =
    label === pairLabel
      ? [[label, 1]]
      : [
          [label, share],
          [pairLabel, 1 - share],
        ];
  return parts.flatMap(([name, own]) => (own < 0.005 ? [] : `${name} ${own.toFixed(2)}`));
}

const labelCell = (parts: readonly string[], isChanged = false): Html =>
  html`<td class="text${isChanged ? ' best' : ''}">${parts.map((part, i) => html`${i > 0 ? html`<br>` : null}${part}`)}</td>`;

function mixedTable(
  { index, label: method, seed }: ShownPictures,
  { epoch, step, mix, size, pairs, relabelled, rows }: NonNullable<Pictures['mixed']>,
): Html {
  const isRelabelled = relabelled > 0;
  const how =
    mix === 'input'
      ? 'pixels have the shares of the label as Mixup gives it'
      : mix === 'input:box'
        ? 'a box of the second image is pasted over the first; the label as Mixup gives it has the shares of the pixels'
        : `features are mixed at ${mix}, so there is no mixed image to show`;
  return table(
    html`${swatch(index)}<strong>${method}</strong>, seed ${seed}: images that it was trained on, of batch ${step} of epoch ${epoch}, made again from its config and its random streams; ${how}. ${pairs} of the ${size} images of the batch have another partner than themselves${isRelabelled ? html`; of these the label of ${relabelled} was given other shares than the pixels have` : null}.`,
    heads([
      'First',
      'Second',
      'Mixed',
      isRelabelled ? 'Label by Mixup' : 'Label',
      ...(isRelabelled ? [`Label of ${method}`] : []),
    ]),
    rows.map(({ own, partner, mixed, label, pairLabel, lambda, labelWeight }) => {
      const asMixed = labelParts(label, pairLabel, lambda);
      const trained = labelParts(label, pairLabel, labelWeight);
      return html`<tr><td class="text">${show(own, label)}<br><small>${label}</small></td><td class="text">${show(partner, pairLabel)}<br><small>${pairLabel}</small></td><td class="text">${mixed === null ? '–' : show(mixed, `mixed: ${asMixed.join(', ')}`)}</td>${labelCell(asMixed)}${isRelabelled ? labelCell(trained, trained.join() !== asMixed.join()) : null}</tr>`;
    }),
    { className: 'pictures', label: `Mixed images of ${method}` },
  );
}

function wrongTable(
  { index, label: method, seed, epoch, lastEpoch }: ShownPictures,
  { count, wrong, among, classes, rows }: NonNullable<Pictures['wrong']>,
): Html {
  const named = new Set(rows.map(({ label }) => label)).size;
  const some = named < classes ? ` Of ${classes} classes with mistakes the ${named} of the surest ones.` : '';
  const when = epoch === lastEpoch ? '' : ` after epoch ${epoch}`;
  return table(
    html`${swatch(index)}<strong>${method}</strong>, seed ${seed}${when}: ${wrong} of ${count} test images are classified wrongly. Of each class those of which the network is surest, with the training images nearest to them: by the cosine of what the network gives its classifier, among ${among} training images.${some}`,
    heads(['Class', 'Test image', 'Taken for', 'Nearest training images']),
    rows.map(
      ({ image, label, predicted, probability, labelProbability, nearest }) =>
        html`<tr><th scope="row">${label}</th><td class="text">${show(image, `${label}, taken for ${predicted}`)}</td><td class="text">${predicted}, ${percent(probability)} %<br><small>${label} ${percent(labelProbability)} %</small></td><td class="text"><ul class="row">${nearest.map((found) => html`<li>${show(found.image, `training image of ${found.label}`)}<br><small>${found.label} ${found.similarity.toFixed(2)}</small></li>`)}</ul></td></tr>`,
    ),
    { className: 'pictures', label: `Wrong images of ${method}` },
  );
}

/** All boundaries in one figure. */
async function boundaryPart(shown: readonly ShownPictures[]): Promise<Part> {
  const panels = shown.map(({ label, seed, plane }): BoundaryPanel => {
    const bytes = Buffer.from(plane!.probability, 'base64');
    return {
      title: `${label}, seed ${seed}`,
      side: plane!.side,
      probability: Float32Array.from({ length: plane!.side ** 2 }, (_, at) => (bytes[at] ?? 0) / 255),
      points: plane!.points.map(([x, y, label]) => ({ x: x / 255, y: y / 255, label })),
    };
  });
  const rows = Array.from({ length: Math.ceil(panels.length / 3) }, (_, row) => panels.slice(3 * row, 3 * row + 3));
  const svg = await drawBoundaries(rows, `Decision boundaries of ${shown.map(({ label }) => label).join(', ')}`);
  const caption =
    'What a network says of every point of the plane, with the points that it was trained on: the nearer to white, the less sure; the colours meet at probability ½.';
  return { of: shown[0]!, body: figure(caption, html`<div class="drawing">${new Html(svg)}</div>`, { wide: true }) };
}
