/** Command and leading arguments that run npm: the npm that started this process if there is one, else `npm`. */
export function npmCommand(env?: NodeJS.ProcessEnv): [command: string, ...args: string[]];
