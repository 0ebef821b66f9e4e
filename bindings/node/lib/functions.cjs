'use strict';

const { text } = require('./arguments.cjs');
const { called } = require('./errors.cjs');
const native = require('./native.cjs');

const stripApiKey = (url) => called(() => native.stripApiKey(text(url, 'url')));
const redactUrl = (url) => called(() => native.redactUrl(text(url, 'url')));
const version = native.version();

module.exports = { redactUrl, stripApiKey, version };
