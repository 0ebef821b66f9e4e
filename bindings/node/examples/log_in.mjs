// Logs a user in, unless a session is saved, and prints who it is:
// node log_in.mjs [browser|device]
import { createInterface } from 'node:readline/promises';
import { PlanetkeyError, Session } from 'planetkey';

async function prompt({ kind, message }) {
  console.log(message);
  if (kind !== 'paste' && kind !== 'other_user') return undefined;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  return terminal.question('').finally(() => terminal.close());
}

const session = Session.fromDefaults();
try {
  const who = await session.login({ method: process.argv[2] ?? 'auto', prompt });
  console.log('logged in as', who.subject);
} catch (error) {
  if (!(error instanceof PlanetkeyError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
