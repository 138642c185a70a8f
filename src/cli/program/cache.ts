import { type Command, Option } from 'commander';
import { example, type Finish, jsonOption, takeOverOption, wholeNumber } from './options.ts';

/** The commands of the cache folder. */
export function addCache(program: Command, finish: Finish): void {
  const cache = program.command('cache').description('show what the cache folder holds, or remove some of it');
  cache
    .command('ls', { isDefault: true })
    .description('list packed images, backends, downloads: size, last use, source')
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix cache ls'))
    .action(async (options) => finish(await (await import('../cache/index.ts')).cacheList(options)));
  cache
    .command('clean')
    .description('remove what is named; what a process uses stays')
    .argument('[names...]', 'as ls shows them; also a kind (packed, backend), a data set, a folder that was packed')
    .option('--all', 'everything that tailmix put there')
    .addOption(new Option('--unused <days>', 'packed images that were not used for so long').argParser(wholeNumber))
    .option('--dry-run', 'show what would go')
    .option('--yes', 'do not ask')
    .addOption(takeOverOption())
    .addOption(jsonOption())
    .addHelpText('after', example('tailmix cache clean --unused 30', 'tailmix cache clean ../photos --dry-run'))
    .action(async (names, options) => finish(await (await import('../cache/index.ts')).cacheClean(names, options)));
}
