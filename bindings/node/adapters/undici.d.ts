import type { Session } from '../index.js';

/** `dispatch` of an undici dispatcher, by its shape: this package needs no types of undici. */
type Dispatch = (options: any, handler: any) => boolean;

/**
 * An interceptor for undici 7 or later: `new Agent().compose(authInterceptor(session), interceptors.redirect())`. Of Client and Pool undici 7 does not say where their
 * requests go, so it has to be an Agent.
 *
 * A request to a host of the session carries the session's credential, in place of an Authorization of its own; any other goes out as it is.
 *
 * `compose` wraps from left to right: the interceptor named last sees a request first. `interceptors.redirect()` has to stand after this one, so
 * that each request of a redirect passes through this one. Before it, a redirect to another host carries no credential. `interceptors.dns()` takes
 * the host's name away and has to stand before this one. A 401 to an access token is answered by one repetition with a new one, unless the body is
 * a stream or, through `fetch`, longer than 16 MiB: then the next request has the new token.
 */
export function authInterceptor(session: Session): <D extends Dispatch>(dispatch: D) => D;
