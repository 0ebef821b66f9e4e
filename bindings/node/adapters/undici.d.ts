import type { Session } from '../index.js';

/** `dispatch` of an undici dispatcher, by its shape: this package needs no types of undici. */
type Dispatch = (options: any, handler: any) => boolean;

/**
 * An interceptor for undici 7 or later: `new Agent().compose(authInterceptor(session))`. Of Client and Pool undici 7 does not say where their
 * requests go, so it has to be an Agent.
 *
 * A request to a host of the session carries the session's credential, in place of an Authorization of its own; any other goes out as it is.
 * Every request of a redirect is looked at by itself, whatever the order of the interceptors; only `interceptors.dns()`, which takes the host's
 * name away, has to come before this one. A 401 to an access token is answered by one repetition with a new one, unless the body is a stream:
 * then the next request has the new token.
 */
export function authInterceptor(session: Session): <D extends Dispatch>(dispatch: D) => D;
