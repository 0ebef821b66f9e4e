import * as planetkey from './index.js';

export * from './index.js';
export default planetkey;
