// One implementation for both module systems: a Session and a PlanetkeyError are the same classes
// in each.
import planetkey from './index.cjs';

export const { Authorization, ErrorNumber, PlanetkeyError, Session, redactUrl, stripApiKey, version } = planetkey;
export default planetkey;
