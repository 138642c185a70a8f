// Runs commands of tailmix, one after the other, for faulty.ts, with which it shares the file of faults.
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const { main } = await import(pathToFileURL(process.argv[2]).href);

let [said, printed] = ['', ''];
process.stderr.write = (text) => {
  said += text;
  return true;
};
process.stdout.write = (text) => {
  printed += text;
  return true;
};

process.on('message', async (args) => {
  [said, printed] = ['', ''];
  const code = await main(args);
  process.send({ code, stderr: said, stdout: printed });
});
process.send('ready');
