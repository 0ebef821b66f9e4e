export * from './maplibre.js';
