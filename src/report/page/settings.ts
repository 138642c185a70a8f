import { basename } from 'node:path';
import type { Comparison, MethodResult } from '../compare.ts';
import { costsShown, ofRuns } from '../cost.ts';
import { type Html, html } from '../html.ts';
import { differingKeys } from '../settings.ts';
import { details, swatch, table } from './parts.ts';

/** What each method ran with. */
export function runTable(comparison: Comparison): Html {
  const { methods } = comparison;
  const row = (title: string, of: (method: MethodResult) => string): Html =>
    html`<tr><th scope="row">${title}</th>${methods.map((method) => html`<td class="text">${of(method)}</td>`)}</tr>`;
  const versions = [
    ...new Set(methods.flatMap(({ runs }) => runs.flatMap(({ summary }) => Object.keys(summary.versions ?? {})))),
  ];
  return table(
    'How the runs of each method ran.',
    textHeads('', methods),
    [
      row('Seeds', ({ seeds }) => seeds.join(', ')),
      row(
        'Subset seed',
        ofRuns(({ subsetSeed }) => subsetSeed),
      ),
      row(
        'Subset hash',
        ofRuns(({ subsetHash }) => subsetHash.slice(0, 12)),
      ),
      ...costsShown(comparison).map(({ title, of }) => row(title, of)),
      row(
        'Status',
        ofRuns(({ status }) => status),
      ),
      row(
        'Backend',
        ofRuns(({ backend, device }) => (device === undefined ? backend : `${backend}, device ${device}`)),
      ),
      row(
        'Step',
        ofRuns(({ stepMode, stepModeReason }) => (stepModeReason ? `${stepMode} (${stepModeReason})` : stepMode)),
      ),
      row(
        'Precision',
        ofRuns(({ precision, precisionReason }) => (precisionReason ? `${precision} (${precisionReason})` : precision)),
      ),
      row(
        'tailmix',
        ofRuns(({ tailmix }) => tailmix),
      ),
      ...versions.map((name) =>
        row(
          name,
          ofRuns((summary) => summary.versions?.[name] ?? '–'),
        ),
      ),
    ],
    { label: 'How the runs ran' },
  );
}

const textHeads = (first: string, methods: readonly MethodResult[]): Html =>
  html`<tr><th scope="col">${first}</th>${methods.map(({ label }, i) => html`<th scope="col" class="text">${swatch(i)}${label}</th>`)}</tr>`;

/** Keys of the configuration in which methods differ. */
export function differencesTable({ methods }: Comparison): Html {
  if (methods.length < 2) return html``;
  const keys = differingKeys(methods.map(({ settings }) => settings));
  if (keys.length === 0) return html`<p>The configurations of the methods do not differ.</p>`;
  return table(
    'Settings in which the methods differ; all others are equal. –: not set.',
    textHeads('Setting', methods),
    keys.map(
      (key) =>
        html`<tr><th scope="row"><code>${key}</code></th>${methods.map(({ settings }) => html`<td class="text"><code>${settings.get(key) ?? '–'}</code></td>`)}</tr>`,
    ),
    { label: 'Differing settings' },
  );
}

/** Commands that run everything again, and the full configurations. */
export function reproduction({ methods }: Comparison): Html {
  const runs = methods.flatMap((method) => method.runs);
  const commands = [
    ...runs.flatMap(({ path, configText }) =>
      configText === null
        ? []
        : `npx tailmix train ${quoted(`${path}/config.yaml`)} --out ${quoted(`again/${basename(path)}`)}`,
    ),
    'npx tailmix report again',
  ];
  const configs = methods.flatMap(({ label, runs }) => {
    const text = runs[0]!.configText;
    return text === null
      ? []
      : [details(`Configuration of ${label} (seed ${runs[0]!.summary.seed})`, html`<pre><code>${text}</code></pre>`)];
  });
  return html`<p>Each run directory holds its resolved configuration, seeds included. From the folder this report was written from:</p>
<pre tabindex="0"><code>${commands.join('\n')}</code></pre>
${configs}`;
}

const quoted = (path: string): string => (/^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
