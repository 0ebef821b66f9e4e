// Compiled, never run: what the declarations promise and what they refuse.
import planetkey, { Authorization, ErrorNumber, PlanetkeyError, Session, redactUrl, stripApiKey, version } from 'planetkey';
import type {
  BrowserLogin, DeviceLogin, ErrorCode, LoginResult, LogoutResult, PendingLogin, Prompter, SessionStatus, SourceStatus, TokenRequest, TokenStorage,
} from 'planetkey';

const signal: AbortSignal | undefined = undefined;
const tokens = new Map<string, string>();
const storages: TokenStorage[] = [
  { load: () => tokens.get('session'), save: (text) => { text === null ? tokens.delete('session') : tokens.set('session', text); } },
  {
    async load() { return null; },
    async save(text: string | null) { console.log(text?.length); },
    lock: async (timeoutMs: number) => timeoutMs > 0,
    unlock() {},
  },
];
const sessions: Session[] = [
  Session.fromDefaults(),
  Session.fromDefaults({ storage: storages[0] }),
  Session.fromProfile('name', { timeoutMs: 1000, deployment: { name: 'mine' }, allowedHosts: ['tiles.example.org'] as const }),
  Session.fromProfile('name', { save: true, storageRoot: '/somewhere', storage: storages[0] }),
  Session.fromApiKey('key', { transport: 'query', allowInsecureLoopback: true, caFile: null, proxy: undefined }),
  Session.fromM2m('id', 'secret', { scopes: ['a'], audience: 'b', save: false, profile: 'mine', storage: null }),
  Session.fromClientConfig({ client_type: 'static_apikey' }, null),
  Session.fromClientConfig({}, { profile: undefined, storage: storages[1] }),
  planetkey.Session.fromClientConfig('{}'),
  Session.fromTokenProvider(() => ({ accessToken: 't', expiresInMs: 1000 })),
  Session.fromTokenProvider(async ({ timeoutMs, rejectedToken }: TokenRequest) => ({
    access_token: rejectedToken ?? 't', expires_in: timeoutMs,
  })),
  Session.fromTokenProvider(() => Session.fromDefaults().authorize('url'), { timeoutMs: 1000 }),
];

for (const session of sessions) {
  const authorization: Authorization = await session.authorize('url', { signal });
  const same: Authorization = session.authorizeSync('url');
  const headers: Record<string, string> = await session.headers('url');
  const response: Response = await fetch(authorization.url, { headers: { ...headers, ...session.headersSync('url') } });
  const expires: number | undefined = same.expiresAt?.getTime();
  const credential: 'access_token' | 'api_key' = same.credential;
  const carried: string | null = same.accessToken;
  const transport: 'bearer' | 'basic' | 'header' | 'query' = same.transport;
  const strings: string[] = [
    await session.accessToken({ signal: AbortSignal.timeout(1) }), session.accessTokenSync(), session.apiKey(),
    session.signedUrl('url'), stripApiKey('url'), redactUrl('url'), version, authorization.source, credential, transport,
  ];
  const flags: boolean[] = [
    session.invalidate('token'),
    session.isInitialized(), authorization.underDevelopment, carried === null,
  ];
  const served: (Authorization | null)[] = [await session.authorizeIfServed('url', { signal }), session.authorizeIfServedSync('url')];
  const challenge: string | null = response.headers.get('www-authenticate');
  const repeats: (Authorization | null)[] = [
    await session.afterResponse(same, response.status, challenge, { signal }), session.afterResponseSync(same, 401),
  ];
  const nothing: void = await session.refresh();
  const status: SessionStatus = session.withTimeoutMs(1).status();
  const source: SourceStatus | undefined = status.sources[0];
  const file: string | null | undefined = source?.file;
  console.log(strings, flags, nothing, source?.expiresAt?.toISOString(), expires, file, served, repeats);
}

const prompters: Prompter[] = [
  (prompt) => { console.log(prompt.message, prompt.qrCode()); },
  async (prompt) => (prompt.kind === 'other_user' ? 'yes' : undefined),
  ({ kind, url, userCode }) => (kind === 'paste' ? url : userCode?.toString() ?? null),
];
for (const prompt of prompters) {
  const [session] = sessions as [Session];
  const loggedIn: LoginResult = await session.login({
    method: 'device', openBrowser: false, scopes: ['openid'] as const, prompt, timeoutMs: 1, force: true, allowOtherUser: false, page: '<p>', signal,
  });
  const device: DeviceLogin = await session.startDeviceLogin({ scopes: ['planet'], prompt, timeoutMs: 1, allowOtherUser: true });
  const browser: BrowserLogin = await session.startBrowserLogin({ page: '<p>', signal });
  const result: LoginResult | null = await device.poll({ signal });
  const again: number | LoginResult = result ?? device.pollIntervalMs;
  const pending: PendingLogin[] = [device, browser];
  const who: LoginResult[] = [
    await session.login(), await browser.wait(), await device.wait({ timeoutMs: 1, signal }), await browser.complete('url', { signal }),
  ];
  const codes: (string | null)[] = [device.qrCode({ ascii: true }), device.prompt.qrCode(), device.verificationUriComplete, loggedIn.file];
  const nothing: void[] = [await device.cancel(), await browser.cancel()];
  const out: LogoutResult = await session.logout({ revoke: false, signal });
  const revocation: 'revoked' | 'unknown' | 'none' = (await session.logout()).revocation;
  const members: Record<string, unknown>[] = [
    await session.userinfo({ signal }), await session.idTokenClaims(), await session.introspect(), await session.introspect('token', { signal }),
  ];
  console.log(again, pending, who, codes, nothing, out.revocationError, revocation, members, browser.expiresInMs, loggedIn.expiresAt?.getTime());
}

try {
  Session.fromDefaults();
} catch (error) {
  if (error instanceof PlanetkeyError) {
    const code: ErrorCode = error.code;
    const wait: number | null = error.retryAfterMs;
    const asError: Error = error;
    const number: number = ErrorNumber[code];
    switch (code) {
      case 'LOGIN_REQUIRED':
        console.log(error.reason?.length, error.oauthError, error.oauthErrorDescription, error.httpStatus, error.profile, error.retryable);
        break;
      // @ts-expect-error there is no such code
      case 'NO_SUCH_CODE':
        break;
    }
    console.log(wait, asError, number === error.number);
  }
}

// @ts-expect-error sessions come from static methods
new Session();
// @ts-expect-error so do authorizations
new Authorization();
// @ts-expect-error there is no such option
Session.fromDefaults({ timeout: 1 });
// @ts-expect-error an API key has no tokens to save
Session.fromApiKey('key', { storage: storages[0] });
// @ts-expect-error nor does it name a profile
Session.fromDefaults({ profile: 'name' });
// @ts-expect-error save is missing
Session.fromProfile('name', { storage: { load: () => null } });
// @ts-expect-error the text is a string
Session.fromProfile('name', { storage: { load: () => 1, save() {} } });
// @ts-expect-error nor this transport
Session.fromApiKey('key', { transport: 'bearer' });
// @ts-expect-error scopes are a list
Session.fromM2m('id', 'secret', { scopes: 'a b' });
// @ts-expect-error URL objects have been repaired already; pass the text
Session.fromDefaults().headersSync(new URL('https://api.planet.com/'));
// @ts-expect-error the answer is a promise
const promised: string = Session.fromDefaults().accessToken();
// @ts-expect-error attributes do not change
Session.fromDefaults().authorizeSync('url').url = promised;
// @ts-expect-error there is no such method
Session.fromDefaults().login({ method: 'telepathy' });
// @ts-expect-error an answer is text
Session.fromDefaults().login({ prompt: () => 1 });
// @ts-expect-error a device has no last page
Session.fromDefaults().startDeviceLogin({ page: '<p>' });
// @ts-expect-error it may be pending
(await (await Session.fromDefaults().startDeviceLogin()).poll()).subject;
