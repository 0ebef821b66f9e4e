import type { Session } from '../index.js';

/** The part of MapLibre's `RequestParameters` that is set. */
interface RequestParameters {
  url: string;
  headers?: Record<string, string>;
}

/**
 * The `transformRequest` of a MapLibre map that accepts a Promise.
 *
 * A request to a host of the session carries the session's credential. Any other request stays as
 * it is. The Promise rejects with a PlanetkeyError if no token is available.
 *
 * Throws a PlanetkeyError with the code `INVALID_ARGUMENT` if `session` is not a Session.
 *
 * @param session the session
 */
export function transformRequest(
  session: Session,
): (url: string, resourceType?: string) => Promise<RequestParameters>;

/** The options of {@link transformRequestSync}. */
export interface SyncOptions {
  /**
   * Called once if the session cannot get a token in the background. By default the error becomes a
   * warning of the process.
   */
  onError?: ((error: unknown) => void) | null | undefined;
}

/**
 * The `transformRequest` of maps that cannot wait, such as MapLibre before version 6 and Mapbox GL.
 *
 * If no token is cached, the request goes out without one while the session gets one in the
 * background. So `await session.accessToken()` before the map is made.
 *
 * Throws a PlanetkeyError with the code `INVALID_ARGUMENT` for a wrong argument.
 *
 * @param session the session
 */
export function transformRequestSync(
  session: Session,
  options?: SyncOptions | null,
): (url: string, resourceType?: string) => RequestParameters;
