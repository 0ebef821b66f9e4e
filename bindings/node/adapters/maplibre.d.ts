import type { Session } from '../index.js';

/** The part of MapLibre's `RequestParameters` that is set here. */
interface RequestParameters {
  url: string;
  headers?: Record<string, string>;
}

/**
 * `transformRequest` of a MapLibre map that takes a Promise: each request to a host of the session carries the session's credential, any other
 * is as it was.
 */
export function transformRequest(session: Session): (url: string, resourceType?: string) => Promise<RequestParameters>;

export interface SyncOptions {
  /** Told once when no token is to be had in the background; by default it becomes a warning of the process. */
  onError?: ((error: unknown) => void) | null | undefined;
}

/**
 * The same for maps that cannot wait, as older versions of MapLibre and Mapbox GL: the credential that is there now. Where there is none, the
 * request goes out without it while the session gets one in the background, so `await session.accessToken()` before the map is made.
 */
export function transformRequestSync(session: Session, options?: SyncOptions | null): (url: string, resourceType?: string) => RequestParameters;
