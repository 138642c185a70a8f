import { cudaNotNamed } from './errors.ts';
import { readMember, unpackMembers } from './wheel.ts';
import { CUDA_LAYOUT } from './wheel-layout.ts';
import type { Wheel } from './wheel-source.ts';

/** A Python package that another needs, and the versions of it that serve. */
export interface Requirement {
  project: string;
  specifier: string;
}

/**
 * The packages of NVIDIA that an extra of a wheel installs: `pip install tensorflow[and-cuda]`, `jax-cuda13-plugin[with-cuda]`.
 *
 * @param metadata - lines such as `Requires-Dist: nvidia-cudnn-cu12<10.0,>=9.3.0.75; extra == "and-cuda"`
 */
export function cudaRequirements(metadata: string, extra: string): Requirement[] {
  const line = new RegExp(
    `^Requires-Dist: *([\\w.-]+)([^;]*); *(?:sys_platform *== *["']linux["'] and )?extra *== *["']${extra}["']$`,
  );
  return metadata.split(/\r?\n/).flatMap((text) => {
    const [, project, specifier = ''] = line.exec(text.trim()) ?? [];
    return project === undefined ? [] : [{ project, specifier: specifier.replace(/[()\s]/g, '') || '>=0' }];
  });
}

/**
 * Unpacks CUDA's libraries below `folder/nvidia/`, where libraries in a folder beside it look for them
 * (`$ORIGIN/../nvidia/cudnn/lib` and so on), as they do for each other.
 *
 * @param wheel - whose metadata name the packages, in this extra
 * @param obtain - finds or fetches the wheel of a requirement
 * @returns the wheels
 * @throws {TailmixError} WHEEL_WITHOUT if the wheel names none; what `obtain` throws; WHEEL_DAMAGED
 */
export async function installCuda(
  { wheel, extra }: { wheel: string; extra: string },
  folder: string,
  obtain: (requirement: Requirement) => Promise<Wheel>,
  onStage: (stage: string) => void = () => {},
): Promise<Wheel[]> {
  const requirements = cudaRequirements(await readMember(wheel, /^[^/]+\.dist-info\/METADATA$/), extra);
  if (requirements.length === 0) throw cudaNotNamed(wheel, extra);
  const wheels: Wheel[] = [];
  for (const [i, requirement] of requirements.entries()) {
    onStage(`fetching ${requirement.project} (${i + 1} of ${requirements.length})`);
    wheels.push(await obtain(requirement));
  }
  onStage('unpacking CUDA');
  for (const { path } of wheels) await unpackMembers(path, folder, CUDA_LAYOUT);
  return wheels;
}
