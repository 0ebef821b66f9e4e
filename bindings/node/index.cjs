'use strict';

const { PlanetkeyError, ErrorNumber } = require('./lib/errors.cjs');
const { Authorization, Session } = require('./lib/session.cjs');
const { stripApiKey, redactUrl, version } = require('./lib/functions.cjs');

module.exports = { Authorization, ErrorNumber, PlanetkeyError, Session, redactUrl, stripApiKey, version };
