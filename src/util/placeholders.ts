import process from 'node:process';

/** `${env:NAME}` and `${env:NAME:-default}`. */
export const PLACEHOLDER = /\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/** Fills in `${env:NAME}` and `${env:NAME:-default}`; a name that is neither set nor has a default stays, and is told. */
export function substituteText(written: string): { value: string; missing: string[] } {
  const missing: string[] = [];
  const value = written.replace(PLACEHOLDER, (whole, name: string, otherwise: string | undefined) => {
    const found = process.env[name] ?? otherwise;
    if (found === undefined) missing.push(name);
    return found ?? whole;
  });
  return { value, missing };
}

/** A text with each placeholder as the name of its variable: `${env:TEAM}-a` as `TEAM-a`. */
export const variableNames = (written: string): string => written.replace(PLACEHOLDER, '$1');
