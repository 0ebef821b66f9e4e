/** Why a call failed, by what the caller should do about it. */
export type ErrorCode =
  /** Fix the call. */
  | 'INVALID_ARGUMENT'
  /** Fix the profile, file, client or scope. */
  | 'MISCONFIGURED'
  /** Ask the user to log in; `reason` says why. */
  | 'LOGIN_REQUIRED'
  /** The user or the server said no. */
  | 'DENIED'
  /** This credential must not go to this URL; the message says which would. */
  | 'HOST_REFUSED'
  /** Try later; `retryAfterMs` may say when. */
  | 'UNAVAILABLE'
  /** The deadline passed. */
  | 'TIMEOUT'
  /** The call was aborted. */
  | 'CANCELLED'
  /** The server's answer breaks the standard. */
  | 'PROTOCOL'
  /** The session could not be read or kept. */
  | 'STORAGE'
  /** A token failed validation; `reason` says how. */
  | 'TOKEN_INVALID'
  /** Not offered for this kind of session or client. */
  | 'UNSUPPORTED'
  /** A bug in planetkey. */
  | 'INTERNAL';

/** The stable number of each code, the same in all languages; `OK` is 0. */
export const ErrorNumber: Readonly<Record<ErrorCode | 'OK', number>>;

/** Every failure of every function: thrown, or what a Promise rejects with. The message is one line without secrets. */
export class PlanetkeyError extends Error {
  private constructor();
  readonly name: 'PlanetkeyError';
  readonly code: ErrorCode;
  readonly number: number;
  /** A word that refines the code, such as `expired`. */
  readonly reason: string | null;
  /** The `error` of the authorization server's answer, such as `invalid_client`. */
  readonly oauthError: string | null;
  /** Its `error_description`: the server's text, untrusted. */
  readonly oauthErrorDescription: string | null;
  /** The HTTP status of the authorization server's answer. */
  readonly httpStatus: number | null;
  /** How long to wait before trying again. */
  readonly retryAfterMs: number | null;
  /** Whether the same call may succeed later without any change. */
  readonly retryable: boolean;
  /** The profile that this is about. */
  readonly profile: string | null;
}

/** What every constructor takes. Left out, undefined and null mean the default. */
export interface SessionOptions {
  /**
   * Whether tokens are kept on disk, where all processes and Planet's own tools share them; true by default. False keeps them in
   * memory, and neither reads nor writes what is on disk.
   */
  save?: boolean | null | undefined;
  /**
   * The directory that takes the place of the home directory for `.planet` and `.planet.json`; by default `PLANETKEY_STORAGE_ROOT`,
   * else the home directory.
   */
  storageRoot?: string | null | undefined;
  /** Total deadline of each call that may use the network, in milliseconds; 30 000 by default. */
  timeoutMs?: number | null | undefined;
  /** Name of a preset, path of a deployment document, its JSON text, or the document as an object. */
  deployment?: string | object | null | undefined;
  /** More hosts that may have the session's credential: exact names. */
  allowedHosts?: readonly string[] | null | undefined;
  /** Allows plain http to this machine, for tests. */
  allowInsecureLoopback?: boolean | null | undefined;
  /** PEM file with the certificate authorities to trust. */
  caFile?: string | null | undefined;
  /** URL of the proxy towards authorization servers. */
  proxy?: string | null | undefined;
}

export interface ApiKeyOptions extends SessionOptions {
  /** How the key travels: as the user name of Basic (default), as `Authorization: api-key`, or as the `api_key` query parameter. */
  transport?: 'basic' | 'header' | 'query' | null | undefined;
}

/**
 * An application's own place for the tokens of a session. What is loaded and saved is the text of `token.json`, with secrets in it.
 *
 * The functions are called on the thread that opened the session, when a token is renewed and at logout. Each may take as long as the
 * session's `timeoutMs`; failures and what takes longer become `STORAGE`, with what was thrown as `cause`. A renewal goes on without a storage
 * that fails where it can, and `status().notes` says so. They may use the session, but what would have to wait for the very renewal that they
 * are part of fails with `UNAVAILABLE`. When the process ends during a renewal, only functions that give no promise are still called.
 */
export interface TokenStorage {
  /** The text that was saved last, or nothing. */
  load(): string | null | undefined | Promise<string | null | undefined>;
  /** Keeps this text in place of what was there; null after a logout: nothing is to be kept any more. */
  save(text: string | null): void | Promise<void>;
  /**
   * Keeps others who share the storage from renewing until `unlock`; false when that was not to be had in this time. Goes with `unlock`; a
   * storage of this session alone needs neither.
   */
  lock?(timeoutMs: number): boolean | Promise<boolean>;
  /** Ends what `lock` began. */
  unlock?(): void | Promise<void>;
}

export interface ProfileOptions extends SessionOptions {
  /** Keeps the tokens in place of files. The methods that do not wait then answer from memory alone. */
  storage?: TokenStorage | null | undefined;
}

export interface ClientConfigOptions extends ProfileOptions {
  /** The profile whose directory keeps the tokens; by default `planet-m2m-<client id>` for a machine and the client id for everybody else. */
  profile?: string | null | undefined;
}

export interface M2mOptions extends ClientConfigOptions {
  scopes?: readonly string[] | null | undefined;
  audience?: string | null | undefined;
}

export interface CallOptions {
  /** Aborting rejects at once with the code `CANCELLED`. */
  signal?: AbortSignal | null | undefined;
}

/** What the user who logs in must see, and no other user: a code or an address belongs to one login. */
export interface Prompt {
  /** What it is about; `paste` and `other_user` need an answer. */
  readonly kind: 'browser' | 'device' | 'paste' | 'other_user';
  /** All that must be said, in a few lines. */
  readonly message: string;
  /** The address to open. */
  readonly url: string | null;
  /** The code to enter or to compare: always to be shown. */
  readonly userCode: string | null;
  /** The address at which the code is entered. */
  readonly verificationUri: string | null;
  /** The address that holds the code already. */
  readonly verificationUriComplete: string | null;
  /** How long there is for it. */
  readonly expiresInMs: number | null;
  /** Whether a browser was opened at `url`. */
  readonly browserOpened: boolean;
  /** The address as a QR code in lines of text, light on dark; in ASCII twice as wide. Null where there is no address, or one that is too long. */
  qrCode(options?: { ascii?: boolean | null | undefined } | null): string | null;
}

/**
 * Shows a prompt, and gives the answer where one is needed: for `paste` the address that the browser ended at, for `other_user` the word `yes`
 * where somebody else may take the place of whose session is saved. No answer means that the person does not want to go on.
 *
 * For `browser` and `device` the login goes on at once, and a promise that is given may take as long as it likes. What is thrown, or what the
 * promise rejects with, ends the login, which rejects with that very error.
 */
export type Prompter = (prompt: Prompt) => string | null | undefined | void | Promise<string | null | undefined | void>;

export interface StartDeviceLoginOptions extends CallOptions {
  /** What to ask for in place of the client's scopes. */
  scopes?: readonly string[] | null | undefined;
  /** Asked where somebody else has logged in than whose session is saved; nothing else is shown by a login that is started. */
  prompt?: Prompter | null | undefined;
  /** What the person has in all, up to a day; by default five minutes in the browser, and as long as the code is good with a device. */
  timeoutMs?: number | null | undefined;
  /** Lets another person take the place of whose session is saved, without a question. */
  allowOtherUser?: boolean | null | undefined;
}

export interface StartBrowserLoginOptions extends StartDeviceLoginOptions {
  /** The HTML of the page that the browser shows when somebody has logged in, in place of planetkey's own. */
  page?: string | null | undefined;
}

export interface LoginOptions extends StartBrowserLoginOptions {
  /**
   * By default the browser where one can be opened and the client allows it, else a code for any device, else pasting back the address
   * that the browser ended at.
   */
  method?: 'auto' | 'browser' | 'device' | 'paste' | null | undefined;
  /** Whether a browser may be opened; by default where one can be. */
  openBrowser?: boolean | null | undefined;
  /** Asks even where the session is good. */
  force?: boolean | null | undefined;
  /** Shows what a person must see. Without it only a browser that can be opened makes a login possible. */
  prompt?: Prompter | null | undefined;
}

/** What a login has brought. */
export interface LoggedIn {
  /** Whether the user was prompted; false if the session was valid or could be refreshed. */
  readonly prompted: boolean;
  /** The `sub` of who it is. */
  readonly subject: string | null;
  /** Their e-mail address, with the scope `email`. */
  readonly email: string | null;
  /** What was granted. */
  readonly scopes: readonly string[];
  /** When the access token expires. */
  readonly expiresAt: Date | null;
  /** The profile whose session it is. */
  readonly profile: string | null;
  /** Where the session is kept; null for one that lives in this process only. */
  readonly file: string | null;
}

/** How far a login is; `nextPollMs` says when to ask again. */
export type LoginProgress = { readonly done: true; readonly loggedIn: LoggedIn } | { readonly done: false; readonly nextPollMs: number };

export interface WaitOptions extends CallOptions {
  /** How long to wait; a `TIMEOUT` leaves the login under way. By default until the login ends. */
  timeoutMs?: number | null | undefined;
}

/** A login that is under way. Once it is over every call gives the same outcome. Aborting a call ends the login. */
interface LoginUnderWay {
  /** How long there is for it. */
  readonly expiresInMs: number;
  /** Looks once whether the person is done: for a timer of your own. */
  poll(options?: CallOptions | null): Promise<LoginProgress>;
  /** Waits for the person. */
  wait(options?: WaitOptions | null): Promise<LoggedIn>;
  /** Ends the login: whoever waits for it gets `CANCELLED`. Its port is closed when the promise is settled. */
  cancel(): Promise<void>;
}

/** A login on any device. */
export interface DeviceLogin extends LoginUnderWay {
  /** The code to enter or to compare: always to be shown. */
  readonly userCode: string;
  /** The address at which it is entered. */
  readonly verificationUri: string;
  /** The address that holds the code already. */
  readonly verificationUriComplete: string | null;
  /** What to show, in words. */
  readonly prompt: Prompt;
  /** As `qrCode` of a prompt. */
  qrCode(options?: { ascii?: boolean | null | undefined } | null): string | null;
}

/** A login in a browser, which somebody has to open. The browser's return is received by whoever polls or waits. */
export interface BrowserLogin extends LoginUnderWay {
  /** The address to open. Show it to this user only: it holds the `state` of the login. */
  readonly authorizationUrl: string;
  /** Where the browser returns to. */
  readonly redirectUri: string;
  /**
   * Ends the login with the address that the browser ended at, where it cannot return to this machine by itself. Rejects with `INVALID_ARGUMENT`
   * where that is not of this login, which goes on.
   */
  complete(url: string, options?: CallOptions | null): Promise<LoggedIn>;
}

export interface LogoutOptions extends CallOptions {
  /** Whether the refresh token is given back to its server; true by default. */
  revoke?: boolean | null | undefined;
}

/** What a logout has done. */
export interface LoggedOut {
  /** Whether there was a session. */
  readonly removed: boolean;
  /** What became of its refresh token: `none` where there was none or it was not to be given back, `unknown` where the server did not say. */
  readonly revocation: 'revoked' | 'unknown' | 'none';
  /** Why it is unknown. */
  readonly whyUnknown: string | null;
}

/** What one request carries. Printing it or writing it as JSON leaves the credential out. */
export class Authorization {
  private constructor();
  /** Header fields to add to the request; none when the credential is in the URL. */
  readonly headers: Record<string, string>;
  /** Where to send the request: the URL as given, or with the API key in it. */
  readonly url: string;
  readonly credential: 'access_token' | 'api_key';
  /** The access token by itself, as `shouldRetry` takes it; null for an API key. */
  readonly accessToken: string | null;
  readonly transport: 'bearer' | 'basic' | 'header' | 'query';
  /** Where the credential came from, for logs. */
  readonly source: string;
  readonly expiresAt: Date | null;
  /** Whether Planet lists this kind of credential as under development for this host. */
  readonly underDevelopment: boolean;
}

export interface SourceStatus {
  readonly kind: 'api_key' | 'access_token';
  readonly source: string;
  readonly profile: string | null;
  /** As in `auth_client.json`. */
  readonly clientType: string;
  readonly clientId: string | null;
  readonly issuer: string | null;
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
  /** Whether it can serve requests without a person. */
  readonly initialized: boolean;
  /** Whether the next call is answered without the network. */
  readonly tokenCached: boolean;
  readonly hosts: readonly string[];
  readonly transport: 'bearer' | 'basic' | 'header' | 'query';
  /** The file that its tokens are kept in; null for an API key, in memory and with a storage of the application's own. */
  readonly file: string | null;
}

/** What a request to one host carries. */
export interface HostStatus {
  /** With its port where it is this machine. */
  readonly host: string;
  /** Which of the sources, in their order. */
  readonly sourceIndex: number;
  readonly underDevelopment: boolean;
}

/** What a session is, without any secret. */
export interface SessionStatus {
  readonly deployment: string;
  readonly initialized: boolean;
  /** In their order: a URL gets the first whose credential its host accepts. */
  readonly sources: readonly SourceStatus[];
  readonly hosts: readonly HostStatus[];
  /** What was passed over, and why. */
  readonly notes: readonly string[];
}

/**
 * Credentials, kept fresh. Opening one uses no network, and one serves any number of concurrent calls.
 *
 * Of the methods only those that return a Promise may use the network.
 */
export class Session {
  private constructor();

  /** What environment variables, configuration files and a saved login offer. */
  static fromDefaults(options?: SessionOptions | null): Session;
  /** A saved or built-in profile. */
  static fromProfile(name: string, options?: ProfileOptions | null): Session;
  /** An API key. */
  static fromApiKey(key: string, options?: ApiKeyOptions | null): Session;
  /** A machine-to-machine client. */
  static fromM2m(clientId: string, clientSecret: string, options?: M2mOptions | null): Session;
  /** Any registered client, by the fields of `auth_client.json`, as an object or its JSON text. */
  static fromClientConfig(config: object | string, options?: ClientConfigOptions | null): Session;

  /** What a request to this URL carries. */
  authorize(url: string, options?: CallOptions | null): Promise<Authorization>;
  /** The same from what is cached; throws `UNAVAILABLE` when that is nothing, `UNSUPPORTED` with a storage of the application's own. */
  authorizeSync(url: string): Authorization;

  /** The header fields for a request to this URL; throws where headers alone do not do. */
  headers(url: string, options?: CallOptions | null): Promise<Record<string, string>>;
  /** The same from what is cached; throws as `authorizeSync`. */
  headersSync(url: string): Record<string, string>;

  /** The URL with the API key in its query. */
  signedUrl(url: string): string;

  /** A valid access token. */
  accessToken(options?: CallOptions | null): Promise<string>;
  /** The same from what is cached; throws as `authorizeSync`. */
  accessTokenSync(): string;
  /** The API key. */
  apiKey(): string;

  /** Says that an API refused this token; true when the next call renews it. */
  invalidate(accessToken: string): boolean;
  /** Says how an API answered to this token; true when the request should be repeated once. */
  shouldRetry(accessToken: string, httpStatus: number, wwwAuthenticate?: string | null): boolean;
  /** Renews the access token now. */
  refresh(options?: CallOptions | null): Promise<void>;

  /**
   * Makes sure that somebody is logged in. A good session is left as it is, an expired one renewed; only then a person is asked. A machine and
   * an API key need nobody. Rejects with `LOGIN_REQUIRED` where nobody can be asked, with `DENIED` where the person says no.
   */
  login(options?: LoginOptions | null): Promise<LoggedIn>;
  /** Starts a login on any device, to be shown, polled or waited for by the caller. The signal is for the start. */
  startDeviceLogin(options?: StartDeviceLoginOptions | null): Promise<DeviceLogin>;
  /** Starts a login in a browser that the caller opens. The signal is for the start. */
  startBrowserLogin(options?: StartBrowserLoginOptions | null): Promise<BrowserLogin>;
  /**
   * Forgets the tokens, in memory and on disk, so that every process has to log in again, and gives the refresh token back to its server. A
   * client's configuration stays: a machine gets new tokens with the next call. A server that does not answer does not keep the session
   * from being forgotten. A logout that has begun may go on when it is aborted.
   */
  logout(options?: LogoutOptions | null): Promise<LoggedOut>;
  /** What the server says of the person who is logged in. */
  userinfo(options?: CallOptions | null): Promise<Record<string, unknown>>;
  /** The claims of the session's ID token, verified. */
  idTokenClaims(options?: CallOptions | null): Promise<Record<string, unknown>>;
  /** What the server says of a token, the session's own access token by default. */
  introspect(token?: string | null, options?: CallOptions | null): Promise<Record<string, unknown>>;

  /** What this session is. */
  status(): SessionStatus;
  /** Whether requests can be served without a person. A storage of the application's own is asked by the first call that waits only. */
  isInitialized(): boolean;

  /**
   * As the global `fetch`, with the session's credential in place of any Authorization, and it may be handed on as a function of its own.
   *
   * The URL has to be one of the session's hosts, else this rejects with `HOST_REFUSED`. A redirect to another host of the session carries what
   * belongs there, and to any other host nothing. A 401 to an access token is answered by one repetition with a new one, unless the body is a
   * stream: then the next request has the new token. The body of a Request is read into memory first, and its `dispatcher` used as far as Node
   * lets it be read; newer Nodes, as 24, do not for redirects and keys in the URL. One in the second argument is always used.
   */
  readonly fetch: typeof globalThis.fetch;

  /** The same session with another deadline, from 1 ms to a day, for the calls made through what is returned. */
  withTimeoutMs(timeoutMs: number): Session;
}

/** The URL without its `api_key` parameter. */
export function stripApiKey(url: string): string;
/** The URL with its user information and the values of `api_key` and other secret parameters replaced, for logs. */
export function redactUrl(url: string): string;
/** The version of planetkey. */
export const version: string;
