// asker URL one|each use|refused PAUSE_MS: like asker.py.
import { setTimeout as pause } from 'node:timers/promises';
import { Session } from 'planetkey';

const [url, sessionsWanted, how, pauseMs] = process.argv.slice(2);
const told = { tokens: 0, changes: 0, failures: {} };
let last = '';

/** Takes the token out of use, and does not wait for another one. */
function report(session, response) {
  try {
    session.afterResponseSync(...response);
  } catch (error) {
    if (error.code !== 'UNAVAILABLE') throw error;
  }
}

async function ask(session) {
  let repeat = null;
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const authorization = repeat ?? (await session.authorize(url));
    const token = authorization.accessToken;
    told.tokens += 1;
    if (token !== last) told.changes += 1;
    last = token;
    if (how !== 'refused') return;
    const response = [authorization, 401, 'Bearer error="invalid_token"'];
    if (attempt === 0) repeat = await session.afterResponse(...response);
    else report(session, response);
    if (repeat === null) return;
  }
}

const end = new AbortController();
process.stdin.on('end', () => end.abort()).resume();
let session = Session.fromDefaults();
while (!end.signal.aborted) {
  try {
    await ask(session);
  } catch (error) {
    told.failures[error.code] = (told.failures[error.code] ?? 0) + 1;
  }
  await pause(Number(pauseMs), undefined, { signal: end.signal }).catch(() => {});
  if (sessionsWanted === 'each') session = Session.fromDefaults();
}
console.log(JSON.stringify(told));
