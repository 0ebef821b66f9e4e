import type { Session } from '../index.js';

interface Interceptors {
  use(onFulfilled?: ((value: any) => any) | null, onRejected?: ((error: any) => any) | null): number;
  eject(id: number): void;
}

/** What is needed of an instance of axios 1, by its shape: this package needs no types of axios. */
interface Axios {
  readonly interceptors: { readonly request: Interceptors; readonly response: Interceptors };
  getUri(config?: any): string;
  request(config: any): Promise<any>;
}

/**
 * Lets an instance of axios 1 authenticate itself by interceptors; what is returned takes them away again.
 *
 * A request to a host of the session carries the session's credential, in place of an Authorization or `auth` of its own; any other goes out as it
 * is. A redirect to another host of the session carries what belongs there, if that is there without waiting, and to any other host nothing.
 * A 401 to an access token is answered by one repetition with a new one, unless the body is a stream: then the next request has the new token.
 *
 * With `adapter: 'fetch'` redirects carry nothing to any other origin. Give such an instance `env: { fetch: session.fetch }` instead of this: axios
 * does not say whose answer it got, so a 401 of somebody else would cost a renewal.
 */
export function installAxios(instance: Axios, session: Session): () => void;
