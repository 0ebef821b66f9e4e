import type { Session } from '../index.js';

interface Interceptors {
  use(
    onFulfilled?: ((value: any) => any) | null,
    onRejected?: ((error: any) => any) | null,
  ): number;
  eject(id: number): void;
}

/** The part of an axios 1 instance that is used. This package needs no types of axios. */
interface Axios {
  readonly interceptors: { readonly request: Interceptors; readonly response: Interceptors };
  getUri(config?: any): string;
  request(config: any): Promise<any>;
}

/**
 * Adds interceptors to an axios 1 instance that authenticate its requests. The returned function
 * removes them.
 *
 * A request to a host of the session carries the session's credential instead of its own
 * Authorization or `auth`. Any other request stays as it is. A redirect to another host of the
 * session carries that host's credential, and a redirect to any other host none. After a 401 the
 * request is repeated once as `session.afterResponse` decides, unless its body is a stream. If no
 * token is available, the request rejects with the PlanetkeyError.
 *
 * With `adapter: 'fetch'` redirects carry no credential to another origin, and axios does not tell
 * from which URL a response came, so that a 401 of another host costs a refresh. Set `env: { fetch:
 * session.fetch }` on such an instance instead of calling this function.
 *
 * Throws a PlanetkeyError with the code `INVALID_ARGUMENT` if `session` is not a Session.
 *
 * @param instance the axios instance
 * @param session the session
 */
export function installAxios(instance: Axios, session: Session): () => void;
