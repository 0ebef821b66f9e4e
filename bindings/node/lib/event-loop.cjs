'use strict';
// Makes the calls that threads of the addon ask of this thread: storage functions, token providers
// and prompts. At the end of the process it waits for refreshes that are in progress.

const { isMainThread } = require('node:worker_threads');
const native = require('./native.cjs');
const { ask } = require('./prompts.cjs');
const { abandonTokens, provide } = require('./provider.cjs');
const { abandon, isInUse, serve } = require('./storage.cjs');

/**
 * How long the end of the process waits for refreshes in progress. A session is lost if its new
 * refresh token is not saved.
 */
const EXIT_WAIT_MS = native.exitWaitMs();
/** How often it looks for storage calls meanwhile. */
const SLICE_MS = 10;

const eventLoop = new native.EventLoop(look);
let ending = false;

function look() {
  for (let call = eventLoop.next(); call !== null; call = eventLoop.next()) {
    if (call.name === 'token') provide(call, eventLoop);
    else if (call.name !== 'prompt') serve(call, eventLoop);
    else if (ending) {
      const message = 'the program ended before the prompt was shown; nothing was changed';
      eventLoop.cancel(call.number, message);
    }
    else ask(call, eventLoop);
  }
}

process.on('exit', () => {
  ending = true;
  abandon(eventLoop);
  abandonTokens(eventLoop);
  const until = performance.now() + EXIT_WAIT_MS;
  // After a worker's end the process goes on, but the storages of that worker do not.
  const mustWait = () => isMainThread || isInUse();
  while (mustWait() && !native.settle(SLICE_MS) && performance.now() < until) look();
  eventLoop.close();
});
if (!isMainThread) native.settleAtExit();

module.exports = eventLoop;
