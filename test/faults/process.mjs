// Runs commands of tailmix, one after the other, for faulty.ts, with which it shares the file of faults.
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const { main } = await import(pathToFileURL(process.argv[2]).href);

let said = '';
process.stderr.write = (text) => {
  said += text;
  return true;
};
process.stdout.write = () => true;

process.on('message', async (args) => {
  said = '';
  const code = await main(args);
  process.send({ code, stderr: said });
});
process.send('ready');
