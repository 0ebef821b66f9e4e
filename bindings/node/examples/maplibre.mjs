// What a MapLibre map requests for each tile, style and sprite: node maplibre.mjs [URL]
//
//     new maplibregl.Map({ container: 'map', style, transformRequest: transformRequest(session) });
//
// This example has no map. It loads one tile, as a map does.
import { Session } from 'planetkey';
import { transformRequest } from 'planetkey/maplibre';

const tile = process.argv[2] ?? 'https://tiles.planet.com/basemaps/v1/planet-tiles/global_monthly_2024_01_mosaic/gmap/0/0/0.png';
const transform = transformRequest(Session.fromDefaults());

const { url, headers } = await transform(tile, 'Tile');
const response = await fetch(url, { headers });
console.log(response.status, await response.text());
