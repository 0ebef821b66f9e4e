'use strict';
// This thread, for the threads of the addon: they have storages and prompts called here, and its end must not cut them off.

const { isMainThread } = require('node:worker_threads');
const native = require('./native.cjs');
const { ask } = require('./prompts.cjs');
const { abandon, isInUse, serve } = require('./storage.cjs');

/** How long process exit waits for refreshes in progress: without its new refresh token a session is lost. */
const EXIT_WAIT_MS = native.exitWaitMs();
/** How long it waits before it looks whether a storage is to be called. */
const SLICE_MS = 10;

const eventLoop = new native.EventLoop(look);
let ending = false;

function look() {
  for (let call = eventLoop.next(); call !== null; call = eventLoop.next()) {
    if (call.name !== 'prompt') serve(call, eventLoop);
    else if (ending) eventLoop.cancel(call.number, 'the program ended before somebody could be asked; nothing was changed');
    else ask(call, eventLoop);
  }
}

process.on('exit', () => {
  ending = true;
  abandon(eventLoop);
  const until = performance.now() + EXIT_WAIT_MS;
  // The process goes on after a worker, but not the storages that live there.
  while ((isMainThread || isInUse()) && !native.settle(SLICE_MS) && performance.now() < until) look();
  eventLoop.close();
});
if (!isMainThread) native.settleAtExit();

module.exports = eventLoop;
