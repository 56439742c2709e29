// `node leftovers-main.ts SESSION`: prints what a test session left behind; exit 1 where there is something.
import { leftovers } from './leftovers.ts';

const found = leftovers(process.argv[2] ?? '');
for (const line of found) console.log(line);
process.exitCode = found.length === 0 ? 0 : 1;
