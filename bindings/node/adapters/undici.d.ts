import type { Session } from '../index.js';

/** `dispatch` of an undici dispatcher. This package needs no types of undici. */
type Dispatch = (options: any, handler: any) => boolean;

/**
 * An interceptor for undici 7 or later.
 *
 * ```js
 * new Agent().compose(authInterceptor(session), interceptors.redirect());
 * ```
 *
 * A request to a host of the session carries the session's credential instead of its own
 * Authorization. Any other request stays as it is. After a 401 the request is repeated once as
 * `session.afterResponse` decides, unless its body is a stream or, through `fetch`, longer than 16
 * MiB. If no token is available, the request fails with the PlanetkeyError.
 *
 * Compose it with an Agent: undici 7 does not tell where the requests of a Client or Pool go.
 *
 * `compose` wraps from left to right, so the last interceptor sees a request first. Place
 * `interceptors.redirect()` after this interceptor, so that each request of a redirect passes
 * through it; before it, a redirect to another host carries no credential. Place
 * `interceptors.dns()` before it, because that removes the host's name.
 *
 * Throws a PlanetkeyError with the code `INVALID_ARGUMENT` if `session` is not a Session.
 *
 * @param session the session
 */
export function authInterceptor(session: Session): <D extends Dispatch>(dispatch: D) => D;
