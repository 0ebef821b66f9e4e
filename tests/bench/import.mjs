// Milliseconds and memory of one import, in a process of its own: node import.mjs MODULE.
import { readFileSync } from 'node:fs';

const module = process.argv[2];
const start = process.hrtime.bigint();
if (module !== 'nothing') await import(module);
const milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
console.log(`${milliseconds}\t${kilobytes / 1024}`);
