import { inject } from 'vitest';

// The thread is warm: the mutant of the run before would be active while modules are loaded.
declare module 'vitest' {
  interface ProvidedContext {
    globalNamespace: string;
    mutantActivation: 'static' | 'runtime';
  }
}

const namespace = (globalThis as Record<string, { activeMutant?: string } | undefined>)[inject('globalNamespace')];
if (namespace && inject('mutantActivation') !== 'static') delete namespace.activeMutant;
