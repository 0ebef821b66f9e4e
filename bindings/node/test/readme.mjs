// The examples of README.md, for the tests that run them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const readmeExamples = () =>
  [...readFileSync(join(import.meta.dirname, '../README.md'), 'utf8').matchAll(/```js\n([^]*?)```/g)].map(([, program]) => program);

/** Whether a program needs packages that only tests/peers/node installs. */
export const needsOthers = (program) => /from '(undici|axios)'/.test(program);

/** A program as printed, except that the simulator serves its hosts. */
export const against = (simulator, program) =>
  program
    .replaceAll('https://api.planet.com', simulator.planet_api)
    .replaceAll('https://services.sentinel-hub.com', simulator.sentinel_hub_api)
    .replaceAll('{ storage }', '{ storage, allowInsecureLoopback: true }')
    .replaceAll('(provider);', '(provider, { allowInsecureLoopback: true });');
