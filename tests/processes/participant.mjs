// participant URL CALLS one|each look|blind: like participant.c, with concurrent calls instead of
// threads.
import assert from 'node:assert/strict';
import { readSync, writeSync } from 'node:fs';
import { Session } from 'planetkey';

const [url, calls, sessionsWanted, looking] = process.argv.slice(2);

function openSession() {
  const session = Session.fromDefaults();
  if (looking === 'look') assert(session.isInitialized());
  return session;
}

const count = Number(calls);
const sessions = Array.from({ length: sessionsWanted === 'each' ? count : 1 }, openSession);
// Not process.stdin: it would make the pipe non-blocking, which other processes share.
writeSync(2, 'ready\n');
while (readSync(0, Buffer.alloc(16)) > 0);
writeSync(2, 'asking\n');
const asked = Array.from({ length: count }, async (_, number) => {
  try {
    const headers = await sessions[number % sessions.length].headers(url);
    return `Authorization: ${headers.Authorization}`;
  } catch (error) {
    return error.code;
  }
});
for (const answer of await Promise.all(asked)) console.log(answer);
