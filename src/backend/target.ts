import process from 'node:process';
import type { NativeName } from './paths.ts';

/** What the native builds of one kind of machine are made of. */
export interface Target {
  /** For messages. */
  label: string;
  /** Python projects whose wheels hold TensorFlow's C library; `null` where there is no such build. */
  wheels: Record<NativeName, string | null>;
  /** Whether a wheel's platform tag is for this kind of machine. */
  tag: RegExp;
  /** What pip's `--platform` calls it, TensorFlow's own first; NVIDIA's wheels are for older systems too. */
  pipPlatforms: readonly string[];
  /** Files of TensorFlow's C library, in the wheel's folder `tensorflow/`; they find each other in one folder. */
  libraries: { main: string; framework: string };
  /** Flags that make a C++ compiler build a module which Node loads. */
  moduleFlags: readonly string[];
  /** The folder of a module, in the words of the dynamic linker. */
  origin: string;
  /** What comes before a library's name where a module loads it from its own folder. */
  loadedAs: string;
}

const linux = (label: string, machine: string, wheels: Target['wheels']): Target => ({
  label,
  wheels,
  tag: new RegExp(`linux.*${machine}`),
  pipPlatforms: ['manylinux_2_27', 'manylinux_2_25', 'manylinux2014'].map((system) => `${system}_${machine}`),
  libraries: { main: 'libtensorflow_cc.so.2', framework: 'libtensorflow_framework.so.2' },
  moduleFlags: ['-fPIC', '-shared'],
  origin: '$ORIGIN',
  loadedAs: '',
});

/** The machines that TensorFlow's C library is published for, by `process.platform` and `process.arch`. */
const TARGETS: Readonly<Record<string, Target>> = {
  'linux-x64': linux('Linux on x86-64', 'x86_64', { native: 'tensorflow-cpu', 'native-gpu': 'tensorflow' }),
  'linux-arm64': linux('Linux on arm64', 'aarch64', { native: 'tensorflow', 'native-gpu': null }),
  'darwin-arm64': {
    label: 'macOS on arm64',
    wheels: { native: 'tensorflow', 'native-gpu': null },
    tag: /^macosx_.*arm64/,
    pipPlatforms: ['macosx_12_0_arm64'],
    libraries: { main: 'libtensorflow_cc.2.dylib', framework: 'libtensorflow_framework.2.dylib' },
    // Node-API's functions are in the process that loads the module.
    moduleFlags: ['-fPIC', '-bundle', '-undefined', 'dynamic_lookup'],
    origin: '@loader_path',
    loadedAs: '@rpath/',
  },
};

/** The machines that have native builds, for messages. */
export const LABELS = Object.values(TARGETS)
  .map(({ label }) => label)
  .join(', ')
  .replace(/, (?=[^,]*$)/, ' or ');

/** What native builds are made of on a kind of machine; `null` if TensorFlow publishes no library for it. */
export const targetOf = (os: string, arch: string): Target | null => TARGETS[`${os}-${arch}`] ?? null;

/** {@link targetOf} this machine; Linux on x86-64 where there is none, so that files can still be named. */
export const ownTarget = (): Target => targetOf(process.platform, process.arch) ?? TARGETS['linux-x64']!;
