// What a MapLibre map asks for each tile, style and sprite: node maplibre.mjs [URL]
//
//     new maplibregl.Map({ container: 'map', style, transformRequest: transformRequest(session) });
//
// There is no map here: this loads one tile as a map does.
import { Session } from 'planetkey';
import { transformRequest } from 'planetkey/maplibre';

const tile = process.argv[2] ?? 'https://tiles.planet.com/basemaps/v1/planet-tiles/global_monthly_2024_01_mosaic/gmap/0/0/0.png';
const transform = transformRequest(Session.fromDefaults());

const { url, headers } = await transform(tile, 'Tile');
const response = await fetch(url, { headers });
console.log(response.status, await response.text());
