/**
 * Geohashes: a place on earth as one whole number, cells of which each is cut into four.
 *
 *      longitude ──► 26 bits  a b c ...          52 bits   a A b B c C ...     a score that a double holds exactly
 *      latitude  ──► 26 bits  A B C ...          a cell of `step` bits is a run of such numbers
 *
 *  I1  Longitudes lie in [-180, 180]; latitudes in [-85.05112878, 85.05112878], where the Mercator map is a square.
 *  I2  Every step of the arithmetic is that of C doubles, so that equal places get equal numbers.
 *
 * Source: geohash (Niemeyer 2008) with the latitudes of EPSG:3857; scores and distances of redis-server 7.0.
 */

export const LONGITUDE_MAX = 180;
export const LATITUDE_MAX = 85.05112878;
export const STEP_MAX = 26;

/** Metres; the mean radius that the distances are computed with. */
const EARTH_RADIUS = 6372797.560856;
/** Metres from the equator to the map's border. */
const MERCATOR_MAX = 20037726.37;
const DEGREE = Math.PI / 180;
const HALF_STEP = STEP_MAX / 2;
const HALF_MASK = (1 << HALF_STEP) - 1;

const ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz";
const TEXT_LENGTH = 11;
const TEXT_LATITUDE_MAX = 90;

/** A point, or the middle of a cell. */
export interface Place {
  longitude: number;
  latitude: number;
}

/** A cell: column and row among 2^step each, counted from the south-west. */
export interface Cell {
  readonly column: number;
  readonly row: number;
  readonly step: number;
}

/** Borders in degrees. */
export interface Area {
  readonly west: number;
  readonly south: number;
  readonly east: number;
  readonly north: number;
}

export function cellAt(longitude: number, latitude: number, step: number, latitudeMax = LATITUDE_MAX): Cell {
  const count = 2 ** step;
  const column = ((longitude + LONGITUDE_MAX) / (2 * LONGITUDE_MAX)) * count;
  const row = ((latitude + latitudeMax) / (2 * latitudeMax)) * count;
  return { column: Math.trunc(column), row: Math.trunc(row), step };
}

/** The cell `columns` to the east and `rows` to the north, round the map at its borders. */
export function neighbour(cell: Cell, columns: number, rows: number): Cell {
  const count = 2 ** cell.step;
  // A place on the eastern or northern border is one beyond the last column or row: it stays so where nothing is added.
  return {
    column: columns === 0 ? cell.column : (cell.column + columns + count) % count,
    row: rows === 0 ? cell.row : (cell.row + rows + count) % count,
    step: cell.step,
  };
}

export function areaOf(cell: Cell): Area {
  const count = 2 ** cell.step;
  const width = 2 * LONGITUDE_MAX;
  const height = 2 * LATITUDE_MAX;
  return {
    west: -LONGITUDE_MAX + (cell.column / count) * width,
    south: -LATITUDE_MAX + (cell.row / count) * height,
    east: -LONGITUDE_MAX + ((cell.column + 1) / count) * width,
    north: -LATITUDE_MAX + ((cell.row + 1) / count) * height,
  };
}

/** The lowest score in a cell. The one behind its highest is that of the next cell: `firstScore(cell) + scoreCount(cell.step)`. */
export function firstScore(cell: Cell): number {
  return numberOf(cell) * scoreCount(cell.step);
}

/** How many scores a cell of this step has. */
export function scoreCount(step: number): number {
  return 2 ** (2 * (STEP_MAX - step));
}

/** The score of a place; I1 is the caller's. */
export function scoreOf(longitude: number, latitude: number): number {
  return numberOf(cellAt(longitude, latitude, STEP_MAX));
}

/** Columns and rows bit by bit in turns, the column's highest bit first. */
function numberOf({ column, row }: Cell): number {
  const high = (spread(column >>> HALF_STEP) << 1) | spread(row >>> HALF_STEP);
  const low = (spread(column & HALF_MASK) << 1) | spread(row & HALF_MASK);
  return high * 2 ** STEP_MAX + low;
}

/** 16 bits with a zero before each. */
function spread(bits: number): number {
  bits = (bits | (bits << 8)) & 0x00ff00ff;
  bits = (bits | (bits << 4)) & 0x0f0f0f0f;
  bits = (bits | (bits << 2)) & 0x33333333;
  return (bits | (bits << 1)) & 0x55555555;
}

/** Every other bit of 32, the lowest first. */
function gather(bits: number): number {
  bits &= 0x55555555;
  bits = (bits | (bits >>> 1)) & 0x33333333;
  bits = (bits | (bits >>> 2)) & 0x0f0f0f0f;
  bits = (bits | (bits >>> 4)) & 0x00ff00ff;
  return (bits | (bits >>> 8)) & 0x0000ffff;
}

/** Puts the place for which a score stands into `into`. A score that is none of ours is read as C reads it as 64 bits. */
export function placeOf(score: number, into: Place): void {
  let high: number;
  let low: number;
  if (score >= 0 && score < Number.MAX_SAFE_INTEGER) {
    high = Math.floor(score / 2 ** 32);
    low = (Math.floor(score) % 2 ** 32) | 0;
  } else {
    const bits = unsignedBits(score);
    high = Number(bits >> 32n) | 0;
    low = Number(bits & 0xffffffffn) | 0;
  }
  const row = gather(high) * 65536 + gather(low);
  const column = gather(high >>> 1) * 65536 + gather(low >>> 1);
  const { west, south, east, north } = areaOf({ column, row, step: STEP_MAX });
  into.longitude = clamp((west + east) / 2, LONGITUDE_MAX);
  into.latitude = clamp((south + north) / 2, LATITUDE_MAX);
}

/** A double as C's conversion to an unsigned 64-bit number leaves it on x86-64. */
function unsignedBits(value: number): bigint {
  if (value >= 2 ** 64) return 0n;
  if (!(value >= -(2 ** 63))) return 2n ** 63n;
  return BigInt.asUintN(64, BigInt(Math.trunc(value)));
}

function clamp(value: number, max: number): number {
  return Math.max(-max, Math.min(max, value));
}

/** The usual text of a geohash, eleven characters; the last one is always 0, for there are bits for ten only. */
export function geohashText(place: Place): string {
  const { column, row } = cellAt(place.longitude, place.latitude, STEP_MAX, TEXT_LATITUDE_MAX);
  let text = "";
  for (let index = 0; index < TEXT_LENGTH - 1; index++) {
    let digit = 0;
    for (let bit = index * 5; bit < index * 5 + 5; bit++) {
      const source = bit % 2 === 0 ? column : row;
      digit = (digit << 1) | ((source >>> (STEP_MAX - 1 - (bit >>> 1))) & 1);
    }
    text += ALPHABET[digit];
  }
  return `${text}0`;
}

// ---- distances ----------------------------------------------------------------------------------------------------------

/** Metres along the meridian. */
export function latitudeDistance(from: number, to: number): number {
  return EARTH_RADIUS * Math.abs(to * DEGREE - from * DEGREE);
}

/** Sine, cosine and arc sine: Math's own, or ExactTrigonometry. */
export interface Trigonometry {
  sin(x: number): number;
  cos(x: number): number;
  asin(x: number): number;
}

/** Metres along the great circle (haversine); with ExactTrigonometry to the last bit as Redis computes them. */
export function distance(
  fromLongitude: number,
  fromLatitude: number,
  toLongitude: number,
  toLatitude: number,
  trigonometry: Trigonometry,
): number {
  const across = trigonometry.sin((toLongitude * DEGREE - fromLongitude * DEGREE) / 2);
  if (across === 0) return latitudeDistance(fromLatitude, toLatitude);
  const from = fromLatitude * DEGREE;
  const to = toLatitude * DEGREE;
  const along = trigonometry.sin((to - from) / 2);
  const chord = along * along + trigonometry.cos(from) * trigonometry.cos(to) * across * across;
  return 2 * EARTH_RADIUS * trigonometry.asin(Math.sqrt(chord));
}

/** The borders of what lies `height` metres to the north and south, and `width` to the east and west, of a place. */
export function boundsOf(place: Place, width: number, height: number): Area {
  const { longitude, latitude } = place;
  const up = height / EARTH_RADIUS / DEGREE;
  // Towards the nearer pole the meridians are closer together: there the box is widest in degrees.
  const widest = latitude < 0 ? latitude - up : latitude + up;
  const aside = width / EARTH_RADIUS / Math.cos(widest * DEGREE) / DEGREE;
  return { west: longitude - aside, south: latitude - up, east: longitude + aside, north: latitude + up };
}

/** The step of cells so large that nine of them cover what lies `radius` metres around a place, in nearly all cases. */
export function stepForRadius(radius: number, latitude: number): number {
  if (radius === 0) return STEP_MAX;
  let step = 1;
  for (; radius < MERCATOR_MAX; radius *= 2) step++;
  step -= 2;
  const fromEquator = Math.abs(latitude);
  if (fromEquator > 66) step--;
  if (fromEquator > 80) step--;
  return Math.max(1, Math.min(STEP_MAX, step));
}
