export { transformRequest, transformRequestSync } from './maplibre.cjs';
