// Compiled, never run: the adapters beside what their libraries take. tests/peers/node holds undici
// and axios themselves against them.
import { Session } from 'planetkey';
import { installAxios } from 'planetkey/axios';
import { transformRequest, transformRequestSync } from 'planetkey/maplibre';
import { authInterceptor } from 'planetkey/undici';

const session = Session.fromDefaults();

const fetching: typeof fetch = session.fetch;
const answers: Promise<Response>[] = [
  fetching('url'), session.fetch(new URL('https://api.planet.com/')), session.fetch(new Request('url'), { signal: AbortSignal.timeout(1) }),
];
// @ts-expect-error it does not change
session.fetch = fetching;

// MapLibre's map options, of version 6 and of those before that cannot wait.
interface RequestParameters { url: string; headers?: any; method?: 'GET' | 'POST' | 'PUT'; credentials?: 'same-origin' | 'include' }
type ResourceType = 'Tile' | 'Style' | 'Source';
type Transform = (url: string, resourceType?: ResourceType) => RequestParameters | Promise<RequestParameters> | undefined;
type TransformSync = (url: string, resourceType?: ResourceType) => RequestParameters | undefined;
const transforms: Transform[] = [transformRequest(session), transformRequestSync(session)];
const transformsSync: TransformSync[] = [transformRequestSync(session, { onError: (error: unknown) => console.log(error) }), transformRequestSync(session, null)];
// @ts-expect-error this one waits
const waits: TransformSync = transformRequest(session);
// @ts-expect-error there is no such option
transformRequestSync(session, { onerror: console.log });

// @ts-expect-error a session, not its options
authInterceptor({});
// @ts-expect-error this is no instance of axios
installAxios({}, session);

console.log(answers, transforms, transformsSync, waits);
