/** Why a call failed, by what the caller should do about it. */
export type ErrorCode =
  /** Fix the call. */
  | 'INVALID_ARGUMENT'
  /** Fix the profile, file, client or scope. */
  | 'MISCONFIGURED'
  /** Ask the user to log in. `reason` says why. */
  | 'LOGIN_REQUIRED'
  /** The user or the server refused. */
  | 'DENIED'
  /** This credential must not go to this URL. The message says which credential would. */
  | 'HOST_REFUSED'
  /** Try later. `retryAfterMs` may say when. */
  | 'UNAVAILABLE'
  /** The deadline passed. */
  | 'TIMEOUT'
  /** The call was aborted. */
  | 'CANCELLED'
  /** The server's response breaks the standard. */
  | 'PROTOCOL'
  /** The session could not be read or saved. */
  | 'STORAGE'
  /** A token failed validation. `reason` says how. */
  | 'TOKEN_INVALID'
  /** Not offered for this kind of session or client. */
  | 'UNSUPPORTED'
  /** A bug in planetkey. */
  | 'INTERNAL';

/** The number of each code. It never changes, and is the same in all languages. `OK` is 0. */
export const ErrorNumber: Readonly<Record<ErrorCode | 'OK', number>>;

/**
 * The error of every function of this package: thrown, or the reason of a rejected Promise.
 *
 * The message is one line without secrets and says what to do next. `cause` is what a function of
 * the application threw, or the reason of an AbortSignal.
 */
export class PlanetkeyError extends Error {
  private constructor();
  readonly name: 'PlanetkeyError';
  /** What the caller should do. */
  readonly code: ErrorCode;
  /** The number of the code. */
  readonly number: number;
  /** A word that refines the code, such as `expired`. */
  readonly reason: string | null;
  /** The `error` of the authorization server's response, such as `invalid_client`. */
  readonly oauthError: string | null;
  /** The `error_description` of that response: the server's text, untrusted. */
  readonly oauthErrorDescription: string | null;
  /** The HTTP status of that response. */
  readonly httpStatus: number | null;
  /** How long to wait before the next attempt, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** Whether the same call may succeed later without any change. */
  readonly retryable: boolean;
  /** The profile that the error is about. */
  readonly profile: string | null;
}

/**
 * The options of every constructor. A missing option, undefined and null mean the default. An
 * unknown option is an error with the code `INVALID_ARGUMENT` that names it.
 */
export interface SessionOptions {
  /**
   * Whether tokens are saved on disk, where all processes and Planet's own tools share them. True
   * by default. With false they stay in memory, and saved tokens are not read.
   */
  save?: boolean | null | undefined;
  /**
   * The directory that contains `.planet` and `.planet.json`. By default the value of
   * `PLANETKEY_STORAGE_ROOT`, else the home directory.
   */
  storageRoot?: string | null | undefined;
  /**
   * The deadline of each call that may use the network, in milliseconds, from 1 to 86 400 000 (a
   * day). 30 000 by default.
   */
  timeoutMs?: number | null | undefined;
  /** A deployment: its preset name, the path of its document, its JSON text, or an object. */
  deployment?: string | object | null | undefined;
  /** More hosts that may get the session's credential: exact names. */
  allowedHosts?: readonly string[] | null | undefined;
  /** Allows plain http to the loopback interface, for tests. False by default. */
  allowInsecureLoopback?: boolean | null | undefined;
  /** A PEM file with the certificate authorities to trust. */
  caFile?: string | null | undefined;
  /** The URL of the proxy for requests to authorization servers. */
  proxy?: string | null | undefined;
  /**
   * The URL of a store that speaks the Redis protocol: `redis://`, `rediss://` or
   * `redis+unix://`. All machines that name it share one token. By default the store of the
   * profile, else the value of `PLANETKEY_STORE`.
   */
  store?: string | null | undefined;
}

/** The options of {@link Session.fromApiKey}. */
export interface ApiKeyOptions extends SessionOptions {
  /**
   * How the API key is sent: as the user name of Basic authentication (`basic`, the default), as
   * `Authorization: api-key` (`header`), or as the query parameter `api_key` (`query`).
   */
  transport?: 'basic' | 'header' | 'query' | null | undefined;
}

/**
 * An application's own storage for the tokens of a session.
 *
 * The text is that of `token.json`. It contains secrets. The functions are called on the thread
 * that opened the session, when a token is refreshed and at logout. Each may take as long as the
 * session's `timeoutMs`. A function that fails or takes longer makes the call fail with `STORAGE`,
 * whose `cause` is what the function threw; a session that can go on in memory does so, and
 * `status().notes` says why.
 *
 * A function may use the session. A call that would wait for the refresh that the function is part
 * of fails with `UNAVAILABLE`. When the process ends during a refresh, only functions that return
 * no Promise are still called.
 */
export interface TokenStorage {
  /** Returns the text that was saved last, or nothing. */
  load(): string | null | undefined | Promise<string | null | undefined>;
  /** Saves the text instead of the previous one. Null deletes it, after a logout. */
  save(text: string | null): void | Promise<void>;
  /**
   * Takes a lock that keeps other users of the storage from refreshing. Returns false if that took
   * longer than `timeoutMs` milliseconds. Must come with `unlock`. A storage that only this session
   * uses needs neither.
   */
  lock?(timeoutMs: number): boolean | Promise<boolean>;
  /** Releases the lock. */
  unlock?(): void | Promise<void>;
}

/** What a session asks its {@link TokenProvider} for. */
export interface TokenRequest {
  /** How many milliseconds the provider may take. */
  readonly timeoutMs: number;
  /** The last token, if an API refused it with 401. Do not return it again from a cache. */
  readonly rejectedToken: string | null;
}

/**
 * An access token that a provider obtained. An {@link Authorization} of another session is one, and
 * so is the response of a token endpoint, with `access_token` and `expires_in` in seconds.
 *
 * If the expiry is null or absent, it is that of the claim `exp` in a JWT; any other token is used
 * for 5 minutes.
 */
export type ProvidedToken =
  | {
      /** The token alone, without `Bearer`. */
      accessToken: string | null;
      /** Milliseconds until it expires. */
      expiresInMs?: number | null | undefined;
      /** When it expires, by the clock of this computer. */
      expiresAt?: Date | null | undefined;
    }
  | { access_token: string; expires_in?: number | null | undefined };

/**
 * Obtains access tokens: from a broker, a scheduler, a vault.
 *
 * It is called on the thread that opened the session, one call at a time unless an earlier one did
 * not settle within the `timeoutMs` of its request. A {@link PlanetkeyError} that it throws reaches
 * the callers of the session with the same code. Anything else makes their calls fail with
 * `UNAVAILABLE`, whose `cause` is what the provider threw. After a failure it is not called for a
 * second, and twice as long after each further one, up to 30 seconds.
 *
 * It may use other sessions. A call that would wait for its own session fails with `UNAVAILABLE`.
 */
export type TokenProvider = (request: TokenRequest) => ProvidedToken | Promise<ProvidedToken>;

/** The options of {@link Session.fromDefaults} and {@link Session.fromProfile}. */
export interface ProfileOptions extends SessionOptions {
  /**
   * Saves the tokens instead of files; with {@link Session.fromDefaults} those of the first M2M
   * client that is found. The functions that do not wait, such as
   * {@link Session.accessTokenSync}, then use memory only.
   */
  storage?: TokenStorage | null | undefined;
}

/** The options of {@link Session.fromClientConfig}. */
export interface ClientConfigOptions extends ProfileOptions {
  /**
   * The profile in whose directory the tokens are saved. By default `planet-m2m-<client id>` for an
   * M2M client, and the client id for any other client.
   */
  profile?: string | null | undefined;
}

/** The options of {@link Session.fromM2m}. */
export interface M2mOptions extends ClientConfigOptions {
  /** The scopes to request. By default those that the server assigns. */
  scopes?: readonly string[] | null | undefined;
  /** The audience to request. */
  audience?: string | null | undefined;
}

/** The options of calls that may wait. */
export interface CallOptions {
  /**
   * An abort rejects the Promise at once with the code `CANCELLED` and the signal's reason as
   * cause.
   */
  signal?: AbortSignal | null | undefined;
}

/** The options of {@link Prompt.qrCode}. */
export interface QrCodeOptions {
  /** Uses ASCII characters, which makes the code twice as wide. False by default. */
  ascii?: boolean | null | undefined;
}

/**
 * What a user who logs in must see.
 *
 * Show it to that user only: a code or an address belongs to one login.
 */
export interface Prompt {
  /** What the prompt is about. `paste` and `other_user` need an answer. */
  readonly kind: 'browser' | 'device' | 'paste' | 'other_user';
  /** The whole text to show, in a few lines. */
  readonly message: string;
  /** The address to open. */
  readonly url: string | null;
  /** The code to enter or to compare. Always show it. */
  readonly userCode: string | null;
  /** The address at which the code is entered. */
  readonly verificationUri: string | null;
  /** The address that contains the code. */
  readonly verificationUriComplete: string | null;
  /** How long the login can still be completed, in milliseconds. */
  readonly expiresInMs: number | null;
  /** Whether a browser was opened at `url`. */
  readonly browserOpened: boolean;
  /**
   * The address as a QR code in lines of text, light on dark. Null if there is no address, or if it
   * is too long.
   */
  qrCode(options?: QrCodeOptions | null): string | null;
}

/**
 * Shows a prompt and returns the answer if the prompt needs one.
 *
 * The answer to `paste` is the address that the browser ended at. The answer to `other_user` is
 * `yes` if a different user may replace the saved session. No answer means that the user does not
 * want to continue.
 *
 * A login continues at once after `browser` and `device`; a Promise that the function returns may
 * stay pending. What the function throws, or its Promise rejects with, ends the login, which
 * rejects with that same error.
 */
export type Prompter = (
  prompt: Prompt,
) => string | null | undefined | void | Promise<string | null | undefined | void>;

/** The options of {@link Session.startDeviceLogin}. */
export interface StartDeviceLoginOptions extends CallOptions {
  /** The scopes to request, instead of the client's. */
  scopes?: readonly string[] | null | undefined;
  /**
   * Called if a different user logs in than the one whose session is saved. A login that was
   * started by hand shows no other prompt.
   */
  prompt?: Prompter | null | undefined;
  /**
   * How long the user has, in milliseconds, from 1 to 86 400 000 (a day). By default five minutes
   * in a browser, and as long as the code is valid for a device.
   */
  timeoutMs?: number | null | undefined;
  /** Lets a different user replace the saved session without a prompt. False by default. */
  allowOtherUser?: boolean | null | undefined;
}

/** The options of {@link Session.startBrowserLogin}. */
export interface StartBrowserLoginOptions extends StartDeviceLoginOptions {
  /** The HTML of the page that the browser shows after the login, instead of planetkey's own. */
  page?: string | null | undefined;
}

/** The options of {@link Session.login}. */
export interface LoginOptions extends StartBrowserLoginOptions {
  /**
   * How the user logs in. `auto`, the default, uses a browser if one can be opened and the client
   * allows it, else a code for any device, else the address that a browser ended at.
   */
  method?: 'auto' | 'browser' | 'device' | 'paste' | null | undefined;
  /** Whether a browser may be opened. By default if there is one. */
  openBrowser?: boolean | null | undefined;
  /** Logs in even if the session is valid. False by default. */
  force?: boolean | null | undefined;
  /** Shows the prompts. Without it only a browser that can be opened makes a login possible. */
  prompt?: Prompter | null | undefined;
}

/** The outcome of a login. */
export interface LoginResult {
  /** Whether the user was prompted. False if the session was valid or could be refreshed. */
  readonly prompted: boolean;
  /** The `sub` claim of the user. */
  readonly subject: string | null;
  /** The user's e-mail address, with the scope `email`. */
  readonly email: string | null;
  /** The granted scopes. */
  readonly scopes: readonly string[];
  /** When the access token expires. */
  readonly expiresAt: Date | null;
  /** The profile of the session. */
  readonly profile: string | null;
  /** The file in which the session is saved. Null for a session in memory or in a store. */
  readonly file: string | null;
  /**
   * The store in which the session is saved, without its password, or `storage_command` and the
   * program. Null if it is in a file or in memory.
   */
  readonly store: string | null;
}

/** The options of {@link PendingLogin.wait}. */
export interface WaitOptions extends CallOptions {
  /**
   * How long to wait, in milliseconds. By default until the login ends. A `TIMEOUT` of this call
   * leaves the login pending.
   */
  timeoutMs?: number | null | undefined;
}

/**
 * A login that was started by hand.
 *
 * Once it has ended, every call returns the same outcome. Aborting a call cancels the login.
 */
export interface PendingLogin {
  /** How long the login can still be completed, in milliseconds. */
  readonly expiresInMs: number;
  /** How long to wait before the next `poll`, in milliseconds. 0 once the login has ended. */
  readonly pollIntervalMs: number;
  /**
   * Continues the login once: for an application with a timer of its own.
   *
   * Resolves with null while the login is pending. A call before `pollIntervalMs` has passed sends
   * no request. Rejects as `wait` does.
   */
  poll(options?: CallOptions | null): Promise<LoginResult | null>;
  /**
   * Waits until the user has logged in.
   *
   * Rejects with `DENIED` if the user or the server refused, or a different user may not replace
   * the saved session (`reason` is `other_user`); `LOGIN_REQUIRED` if the code expired; `TIMEOUT`;
   * `CANCELLED`; `UNAVAILABLE`; `PROTOCOL`; `TOKEN_INVALID`; `MISCONFIGURED`.
   */
  wait(options?: WaitOptions | null): Promise<LoginResult>;
  /**
   * Cancels the login. Pending calls reject with `CANCELLED`. The port of a browser login is closed
   * when the Promise resolves.
   */
  cancel(): Promise<void>;
}

/** A login with a code on any device (RFC 8628). */
export interface DeviceLogin extends PendingLogin {
  /** The code to enter or to compare. Always show it. */
  readonly userCode: string;
  /** The address at which the code is entered. */
  readonly verificationUri: string;
  /** The address that contains the code. */
  readonly verificationUriComplete: string | null;
  /** The whole text to show. */
  readonly prompt: Prompt;
  /** As {@link Prompt.qrCode}. */
  qrCode(options?: QrCodeOptions | null): string | null;
}

/** A login in a browser that the application opens. `poll` and `wait` receive its redirect. */
export interface BrowserLogin extends PendingLogin {
  /** The address to open. Show it to this user only: it contains the `state` of the login. */
  readonly authorizationUrl: string;
  /** The address that the browser is redirected to. */
  readonly redirectUri: string;
  /**
   * Completes the login with the address that the browser ended at, if the browser cannot reach
   * this machine.
   *
   * Rejects with `INVALID_ARGUMENT` if the address belongs to another login, and this one stays
   * pending; else as `wait`.
   */
  complete(url: string, options?: CallOptions | null): Promise<LoginResult>;
}

/** The options of {@link Session.logout}. */
export interface LogoutOptions extends CallOptions {
  /** Whether the refresh token is revoked at its server. True by default. */
  revoke?: boolean | null | undefined;
}

/** The outcome of a logout. */
export interface LogoutResult {
  /** Whether there was a session. */
  readonly removed: boolean;
  /**
   * Whether the server revoked the refresh token. `none`: there was none, or it was not to be
   * revoked. `unknown`: the server could not be reached, so the token may still be valid.
   */
  readonly revocation: 'revoked' | 'unknown' | 'none';
  /** Why the revocation is unknown. */
  readonly revocationError: string | null;
}

/** What one request carries. Logs and JSON of it leave the credential out. */
export class Authorization {
  private constructor();
  /** Header fields to add to the request. None if the credential is in the URL. */
  readonly headers: Record<string, string>;
  /** The URL of the request: as given, or with the API key in it. */
  readonly url: string;
  /** The kind of the credential. */
  readonly credential: 'access_token' | 'api_key';
  /** The access token. Null for an API key. */
  readonly accessToken: string | null;
  /** How the credential is sent. */
  readonly transport: 'bearer' | 'basic' | 'header' | 'query';
  /** Where the credential came from, for logs. */
  readonly source: string;
  /** When the access token expires. */
  readonly expiresAt: Date | null;
  /** Whether Planet lists this kind of credential as under development for this host. */
  readonly underDevelopment: boolean;
}

/** One credential source of a session. */
export interface SourceStatus {
  /** The kind of its credential. */
  readonly kind: 'api_key' | 'access_token';
  /** Where it was found. */
  readonly source: string;
  /** Its profile. */
  readonly profile: string | null;
  /** The `client_type` of its `auth_client.json`. */
  readonly clientType: string;
  /** Its OAuth client. */
  readonly clientId: string | null;
  /** Its authorization server. */
  readonly issuer: string | null;
  /** The granted scopes. */
  readonly scopes: readonly string[];
  /** When its access token expires. */
  readonly expiresAt: Date | null;
  /** Whether it can serve requests without a login. */
  readonly initialized: boolean;
  /** Whether the next call needs no network. */
  readonly tokenCached: boolean;
  /** The hosts that its credential may go to. */
  readonly hosts: readonly string[];
  /** How its credential is sent. */
  readonly transport: 'bearer' | 'basic' | 'header' | 'query';
  /** The file in which its tokens are saved. Null for an API key, in memory, and with a storage. */
  readonly file: string | null;
  /** The store for its tokens, or the `storage_command` of its profile. Null if there is none. */
  readonly store: StoreStatus | null;
}

/** What is known about a store, from the last time that it was used. */
export interface StoreStatus {
  /** Its URL without its password, or `storage_command` and the program. */
  readonly name: string;
  /** Whether it could be used. Null before it was. */
  readonly reachable: boolean | null;
  /** What it holds for the session. Null before it was read. */
  readonly holds: string | null;
  /** Why it could not be used, or is not used. */
  readonly problem: string | null;
}

/** What a request to one host carries. */
export interface HostStatus {
  /** The host, with its port on the loopback interface. */
  readonly host: string;
  /** The index of the source in {@link SessionStatus.sources}. */
  readonly sourceIndex: number;
  /** Whether Planet lists this kind of credential as under development for this host. */
  readonly underDevelopment: boolean;
}

/** What a session is, without a secret. */
export interface SessionStatus {
  /** The name of the deployment. */
  readonly deployment: string;
  /** Whether requests can be served without a login. */
  readonly initialized: boolean;
  /** The sources in their order. A URL gets the first one whose credential its host accepts. */
  readonly sources: readonly SourceStatus[];
  /** What a request to each host carries. */
  readonly hosts: readonly HostStatus[];
  /** What was not used or could not be saved, and why. */
  readonly notes: readonly string[];
}

/**
 * Credentials of Planet that stay valid.
 *
 * Opening a session uses no network and writes nothing. One session serves any number of concurrent
 * calls, which share one token request. A session belongs to the thread that opened it; worker
 * threads open their own and share what is saved.
 *
 * Only methods that return a Promise may use the network. Nothing keeps the process alive but a
 * Promise that is pending.
 */
export class Session {
  private constructor();

  /**
   * Opens what the environment, the configuration files and a saved login offer.
   *
   * Throws `INVALID_ARGUMENT`; `MISCONFIGURED` if a variable or a file is wrong. A session without
   * any credential opens, and its calls fail with `LOGIN_REQUIRED`.
   */
  static fromDefaults(options?: ProfileOptions | null): Session;
  /**
   * Opens a saved or built-in profile.
   *
   * Throws `INVALID_ARGUMENT`; `MISCONFIGURED` if there is no such profile; `STORAGE` if it cannot
   * be read.
   *
   * @param name the profile, such as `planet-user`
   */
  static fromProfile(name: string, options?: ProfileOptions | null): Session;
  /**
   * Opens a session with an API key.
   *
   * Throws `INVALID_ARGUMENT`, `MISCONFIGURED`.
   *
   * @param key the API key
   */
  static fromApiKey(key: string, options?: ApiKeyOptions | null): Session;
  /**
   * Opens a session of an M2M client (client credentials grant).
   *
   * Throws `INVALID_ARGUMENT`, `MISCONFIGURED`.
   *
   * @param clientId the client's id
   * @param clientSecret the client's secret
   */
  static fromM2m(clientId: string, clientSecret: string, options?: M2mOptions | null): Session;
  /**
   * Opens a session of any registered client.
   *
   * Throws `INVALID_ARGUMENT`, `MISCONFIGURED`.
   *
   * @param config the members of `auth_client.json`, as an object or JSON text
   */
  static fromClientConfig(
    config: object | string,
    options?: ClientConfigOptions | null,
  ): Session;
  /**
   * Opens a session with tokens that something else obtains.
   *
   * The tokens are cached in memory and refreshed as those of every other source: all callers share
   * one call of the provider, and before a token expires the provider is called in the background.
   * They are never saved. A JWT goes to the hosts that accept tokens of its issuer, and any other
   * token to those that accept a user's. Opening the session does not call the provider. The
   * functions that do not wait, such as {@link Session.accessTokenSync}, use the cached token only.
   *
   * Throws `INVALID_ARGUMENT`, `MISCONFIGURED`.
   *
   * @param provider obtains a token
   */
  static fromTokenProvider(provider: TokenProvider, options?: SessionOptions | null): Session;

  /**
   * What a request to this URL carries.
   *
   * Waits only if no valid token is cached, up to the session's `timeoutMs`. Rejects with
   * `INVALID_ARGUMENT`; `HOST_REFUSED`; and if a token is needed `LOGIN_REQUIRED`, `MISCONFIGURED`,
   * `DENIED`, `UNAVAILABLE`, `TIMEOUT`, `CANCELLED`, `PROTOCOL`, `STORAGE`.
   *
   * @param url an absolute URL, exactly as the request sends it
   */
  authorize(url: string, options?: CallOptions | null): Promise<Authorization>;
  /**
   * The same without waiting. Throws `UNAVAILABLE` if no valid token is cached, and `UNSUPPORTED`
   * instead with a storage of the application.
   *
   * @param url an absolute URL, exactly as the request sends it
   */
  authorizeSync(url: string): Authorization;

  /**
   * As {@link Session.authorize}, but null for a URL that no credential of this session may go to.
   *
   * For HTTP clients that also send requests to other hosts. Rejects as `authorize`, except for
   * `HOST_REFUSED`.
   *
   * @param url an absolute URL, exactly as the request sends it
   */
  authorizeIfServed(url: string, options?: CallOptions | null): Promise<Authorization | null>;
  /**
   * The same without waiting. Throws as {@link Session.authorizeSync}.
   *
   * @param url an absolute URL, exactly as the request sends it
   */
  authorizeIfServedSync(url: string): Authorization | null;

  /**
   * The header fields of a request to this URL.
   *
   * Rejects as {@link Session.authorize}, and with `INVALID_ARGUMENT` if the API key is sent in the
   * URL, or the URL contains one.
   *
   * @param url an absolute URL, exactly as the request sends it
   */
  headers(url: string, options?: CallOptions | null): Promise<Record<string, string>>;
  /**
   * The same without waiting. Throws as {@link Session.authorizeSync}.
   *
   * @param url an absolute URL, exactly as the request sends it
   */
  headersSync(url: string): Record<string, string>;

  /**
   * The URL with the API key in its query. Placeholders such as `{z}` stay as they are.
   *
   * Throws `INVALID_ARGUMENT`; `HOST_REFUSED`; `UNSUPPORTED` if the session has no API key;
   * `LOGIN_REQUIRED` if it has no credential.
   *
   * @param url an absolute URL or a template of one
   */
  signedUrl(url: string): string;

  /**
   * A valid access token. It may be sent anywhere; {@link Session.headers} checks where it goes.
   *
   * Rejects with `UNSUPPORTED` if the session has no tokens; else as {@link Session.authorize}.
   */
  accessToken(options?: CallOptions | null): Promise<string>;
  /** The same without waiting. Throws as {@link Session.authorizeSync}. */
  accessTokenSync(): string;
  /** The API key. Throws `UNSUPPORTED` if the session has none, `LOGIN_REQUIRED` if it is empty. */
  apiKey(): string;

  /**
   * Takes an access token out of use that an API refused.
   *
   * Returns true if the next call refreshes it, which happens once per token. Throws
   * `INVALID_ARGUMENT`; `UNSUPPORTED` if the session has no tokens.
   *
   * @param accessToken the token
   */
  invalidate(accessToken: string): boolean;
  /**
   * Decides what follows an API's response: null if the response is final, else the authorization
   * to repeat the request with, once.
   *
   * A 401 takes the access token out of use, unless its Bearer challenge names another error than
   * `invalid_token` (RFC 6750, 3.1). Any other status is final. The credential that was refused is
   * never returned. Waits while the token is refreshed. Rejects with `INVALID_ARGUMENT`; else as
   * {@link Session.authorize}.
   *
   * @param authorization what the request carried
   * @param httpStatus the status of the response
   * @param wwwAuthenticate its `WWW-Authenticate` header, several joined by commas
   */
  afterResponse(
    authorization: Authorization,
    httpStatus: number,
    wwwAuthenticate?: string | null,
    options?: CallOptions | null,
  ): Promise<Authorization | null>;
  /**
   * The same without waiting. If the token must be refreshed first it is taken out of use, and this
   * throws as {@link Session.authorizeSync}: repeat the request with {@link Session.authorize}.
   *
   * @param authorization what the request carried
   * @param httpStatus the status of the response
   * @param wwwAuthenticate its `WWW-Authenticate` header, several joined by commas
   */
  afterResponseSync(
    authorization: Authorization,
    httpStatus: number,
    wwwAuthenticate?: string | null,
  ): Authorization | null;
  /**
   * Refreshes the access token now. Concurrent calls share one request.
   *
   * Rejects with `UNSUPPORTED` if the session has no tokens; else as {@link Session.authorize}.
   */
  refresh(options?: CallOptions | null): Promise<void>;

  /**
   * Logs the user in.
   *
   * A valid session stays as it is, and an expired one is refreshed. Only otherwise the user is
   * prompted. M2M clients and API keys need no user. Rejects with `LOGIN_REQUIRED` if there is no
   * way to prompt the user, `INVALID_ARGUMENT`, else as {@link PendingLogin.wait}.
   */
  login(options?: LoginOptions | null): Promise<LoginResult>;
  /**
   * Starts a login with a code on any device (RFC 8628). The application shows the code and calls
   * `wait` or `poll`. The signal is for the start only.
   *
   * Rejects with `INVALID_ARGUMENT`; `UNSUPPORTED` if the client cannot log in this way;
   * `MISCONFIGURED`, `UNAVAILABLE`, `TIMEOUT`, `CANCELLED`, `PROTOCOL`.
   */
  startDeviceLogin(options?: StartDeviceLoginOptions | null): Promise<DeviceLogin>;
  /**
   * Starts a login in a browser that the application opens (RFC 8252). The signal is for the start
   * only. Rejects as {@link Session.startDeviceLogin}.
   */
  startBrowserLogin(options?: StartBrowserLoginOptions | null): Promise<BrowserLogin>;
  /**
   * Deletes the tokens, in memory and on disk, and revokes the refresh token at its server. Every
   * process then has to log in again.
   *
   * The client's configuration stays: an M2M client gets a new token with the next call. If the
   * server cannot be reached the tokens are deleted nevertheless, and `revocation` is `unknown`. An
   * aborted logout may still complete. Rejects with `UNSUPPORTED` if the session has no tokens;
   * `TIMEOUT`, `CANCELLED`, `STORAGE`.
   */
  logout(options?: LogoutOptions | null): Promise<LogoutResult>;
  /**
   * What the server says about the user who is logged in (OpenID Connect UserInfo).
   *
   * Rejects with `UNSUPPORTED`, `DENIED`; else as {@link Session.authorize}.
   */
  userinfo(options?: CallOptions | null): Promise<Record<string, unknown>>;
  /**
   * The verified claims of the session's ID token.
   *
   * Rejects with `UNSUPPORTED` if there is none; `TOKEN_INVALID`; else as {@link
   * Session.authorize}.
   */
  idTokenClaims(options?: CallOptions | null): Promise<Record<string, unknown>>;
  /**
   * What the server says about a token now (RFC 7662).
   *
   * Rejects with `INVALID_ARGUMENT`; `UNSUPPORTED`; `DENIED`; else as {@link Session.authorize}.
   *
   * @param token the token; by default the session's access token
   */
  introspect(
    token?: string | null,
    options?: CallOptions | null,
  ): Promise<Record<string, unknown>>;

  /** What this session is. Uses no network. */
  status(): SessionStatus;
  /**
   * Whether requests can be served without a login. Uses no network. An application's storage is
   * read by the first call that waits only.
   */
  isInitialized(): boolean;

  /**
   * The global `fetch` with the session's credential instead of any `Authorization` of the request.
   * It is a function that can be passed on without the session.
   *
   * Rejects with `HOST_REFUSED` if the URL is not of a host of the session. A redirect to another
   * host of the session carries that host's credential, and a redirect to any other host none.
   * After a 401 the request is repeated once as {@link Session.afterResponse} decides, unless its
   * body is a stream.
   *
   * The body of a Request is read into memory first. Its `dispatcher` is used if Node lets it be
   * read; Node 24 and later do not for redirects and keys in the URL. Pass it in the second
   * argument.
   */
  readonly fetch: typeof globalThis.fetch;

  /**
   * The same session with another deadline. Throws `INVALID_ARGUMENT` for what is no whole number.
   *
   * @param timeoutMs milliseconds. Less than 1 means 1, more than 86 400 000 means that (a day).
   */
  withTimeoutMs(timeoutMs: number): Session;
}

/**
 * The URL without its `api_key` parameter. Throws `INVALID_ARGUMENT` for what is no string.
 *
 * @param url a URL
 */
export function stripApiKey(url: string): string;
/**
 * The URL for logs: without user information, and without the values of `api_key` and other secret
 * parameters. Throws `INVALID_ARGUMENT` for what is no string.
 *
 * @param url a URL
 */
export function redactUrl(url: string): string;
/** The version of planetkey. */
export const version: string;
