// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders as configs have them.
import { afterEach, expect, test, vi } from 'vitest';
import { filledIn } from '../../src/tracking/spool/experiment-name.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('an experiment gets its real name where it is sent, and a variable that is missing there is named', () => {
  vi.stubEnv('TAILMIX_TEST_TEAM', 'vision');
  expect(filledIn('${env:TAILMIX_TEST_TEAM}/${env:TAILMIX_TEST_NONE:-main}')).toBe('vision/main');
  expect(filledIn('long tails')).toBe('long tails');
  expect(() => filledIn('${env:TAILMIX_TEST_NONE}')).toThrowErrorMatchingInlineSnapshot(
    `[TailmixError: The MLflow experiment of the run is \${env:TAILMIX_TEST_NONE}: expected a variable TAILMIX_TEST_NONE in the environment; there is none. Set it, or name an experiment with --experiment.]`,
  );
});
