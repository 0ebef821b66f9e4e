// Compiled, never run: the CommonJS entry.
import planetkey = require('planetkey');

async function main(): Promise<void> {
  const session: planetkey.Session = planetkey.Session.fromDefaults();
  try {
    const authorization: planetkey.Authorization = await session.authorize('url');
    console.log(authorization.headers);
  } catch (error) {
    if (error instanceof planetkey.PlanetkeyError) console.log(error.code satisfies planetkey.ErrorCode);
  }
}

void main();
