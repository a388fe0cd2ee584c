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
/** Columns, and rows, of the finest cells; and behind the highest score. */
const COLUMNS = 2 ** STEP_MAX;
const SCORE_LIMIT = 2 ** (2 * STEP_MAX);
const WORD = 2 ** 32;
const HALF_STEP = STEP_MAX / 2;
const HALF_MASK = (1 << HALF_STEP) - 1;

/** How far distances by Math, which are not exact to the last bit, may be off is less than this by far. */
export const DOUBT_METRES = 0.001;
/** Radians: more than an arc sine near the pole may be off. */
const ROUNDING = 1e-7;
/** Metres; half of the earth's circumference is 20 021 000. */
const HUGE_RADIUS = 19_000_000;

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

/** Columns, and rows, of cells of this step (at most 26): 2^step, without the general power, which takes 50 ns. */
function columnCount(step: number): number {
  return 1 << step;
}

export function cellAt(longitude: number, latitude: number, step: number, latitudeMax = LATITUDE_MAX): Cell {
  const count = columnCount(step);
  const column = ((longitude + LONGITUDE_MAX) / (2 * LONGITUDE_MAX)) * count;
  const row = ((latitude + latitudeMax) / (2 * latitudeMax)) * count;
  return { column: Math.trunc(column), row: Math.trunc(row), step };
}

/** The cell `columns` to the east and `rows` to the north, round the map at its borders. */
export function neighbour(cell: Cell, columns: number, rows: number): Cell {
  const count = columnCount(cell.step);
  // A place on the eastern or northern border is one beyond the last column or row: it stays so where nothing is added.
  return {
    column: columns === 0 ? cell.column : (cell.column + columns + count) % count,
    row: rows === 0 ? cell.row : (cell.row + rows + count) % count,
    step: cell.step,
  };
}

export function areaOf(cell: Cell): Area {
  const count = columnCount(cell.step);
  return {
    west: longitudeAt(cell.column, count),
    south: latitudeAt(cell.row, count),
    east: longitudeAt(cell.column + 1, count),
    north: latitudeAt(cell.row + 1, count),
  };
}

/** Degrees of the western border of a column. */
function longitudeAt(column: number, count: number): number {
  return -LONGITUDE_MAX + (column / count) * (2 * LONGITUDE_MAX);
}

/** Degrees of the southern border of a row. */
function latitudeAt(row: number, count: number): number {
  return -LATITUDE_MAX + (row / count) * (2 * LATITUDE_MAX);
}

/** The lowest score in a cell. The one behind its highest is that of the next cell: `firstScore(cell) + scoreCount(cell.step)`. */
export function firstScore(cell: Cell): number {
  return numberOf(cell) * scoreCount(cell.step);
}

/** How many scores a cell of this step has. */
export function scoreCount(step: number): number {
  return columnCount(STEP_MAX - step) * columnCount(STEP_MAX - step);
}

/** The score of a place; I1 is the caller's. */
export function scoreOf(longitude: number, latitude: number): number {
  return numberOf(cellAt(longitude, latitude, STEP_MAX));
}

/** Columns and rows bit by bit in turns, the column's highest bit first. */
function numberOf({ column, row }: Cell): number {
  const high = (spread(column >>> HALF_STEP) << 1) | spread(row >>> HALF_STEP);
  const low = (spread(column & HALF_MASK) << 1) | spread(row & HALF_MASK);
  return high * columnCount(STEP_MAX) + low;
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

/** Puts the place for which a score stands into `into`. A score that is none of ours is read as C reads it as 64 bits. hot path */
export function placeOf(score: number, into: Place): void {
  if (score >= 0 && score < SCORE_LIMIT) {
    // 20 and 32 bits: all that follows are whole numbers of 32 bits until they become degrees.
    const high = Math.floor(score / WORD) | 0;
    const low = (Math.floor(score) - high * WORD) | 0;
    const row = (gather(high) << 16) | gather(low);
    const column = (gather(high >>> 1) << 16) | gather(low >>> 1);
    into.longitude = (longitudeAt(column, COLUMNS) + longitudeAt(column + 1, COLUMNS)) / 2;
    into.latitude = (latitudeAt(row, COLUMNS) + latitudeAt(row + 1, COLUMNS)) / 2;
    return;
  }
  const bits = unsignedBits(score);
  const high = Number(bits >> 32n) | 0;
  const low = Number(bits & 0xffffffffn) | 0;
  const row = gather(high) * 65536 + gather(low);
  const column = gather(high >>> 1) * 65536 + gather(low >>> 1);
  into.longitude = clamp((longitudeAt(column, COLUMNS) + longitudeAt(column + 1, COLUMNS)) / 2, LONGITUDE_MAX);
  into.latitude = clamp((latitudeAt(row, COLUMNS) + latitudeAt(row + 1, COLUMNS)) / 2, LATITUDE_MAX);
}

/** A double as C's conversion to an unsigned 64-bit number leaves it on x86-64. */
function unsignedBits(value: number): bigint {
  if (value >= 2 ** 64) return 0n;
  if (!(value >= -(2 ** 63))) return 2n ** 63n;
  return BigInt.asUintN(64, BigInt(Math.trunc(value)));
}

function clamp(value: number, max: number): number {
  if (value > max) return max;
  return value < -max ? -max : value;
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

/**
 * A circle on the globe, for many places: whether one is within is known from the square of half the chord, without an
 * arc sine, but in a margin of a millimetre around the radius, where rounding decides.
 */
export class Circle {
  private readonly longitude: number;
  private readonly latitude: number;
  private readonly cosine: number;
  /** A place is within when the square is below the one, outside when it is above the other. */
  private readonly within: number;
  private readonly beyond: number;
  /** Radians: what is farther north or south is outside. */
  private readonly up: number;
  /** The same for the east and west; infinite when a pole lies within. */
  private readonly aside: number;

  /** `radius`: metres. */
  constructor(centre: Place, radius: number) {
    this.longitude = centre.longitude * DEGREE;
    this.latitude = centre.latitude * DEGREE;
    this.cosine = Math.cos(this.latitude);
    // Near the point opposite of the centre the square hardly grows: all is doubtful there.
    const isHuge = radius > HUGE_RADIUS;
    this.within = isHuge || radius < DOUBT_METRES ? -1 : halfChord(radius - DOUBT_METRES);
    this.beyond = isHuge ? Number.POSITIVE_INFINITY : halfChord(radius + DOUBT_METRES);
    this.up = (radius + DOUBT_METRES) / EARTH_RADIUS;
    const hasPole = Math.abs(this.latitude) + this.up >= Math.PI / 2 - ROUNDING;
    this.aside = hasPole ? Number.POSITIVE_INFINITY : Math.asin(Math.sin(this.up) / this.cosine) + ROUNDING;
  }

  /** Above 0 when the place is within, below 0 when it is outside, 0 when only an exact distance can tell. hot path */
  side(place: Place): number {
    const latitude = place.latitude * DEGREE;
    const difference = latitude - this.latitude;
    if (difference > this.up || -difference > this.up) return -1;
    const turn = place.longitude * DEGREE - this.longitude;
    const angle = turn < 0 ? -turn : turn;
    if (angle > this.aside && 2 * Math.PI - angle > this.aside) return -1;
    const across = Math.sin(turn / 2);
    const along = Math.sin(difference / 2);
    const square = along * along + this.cosine * Math.cos(latitude) * across * across;
    if (square < this.within) return 1;
    return square > this.beyond ? -1 : 0;
  }
}

/** The square of half the chord (for a radius of 1) between places that are so many metres apart. */
function halfChord(metres: number): number {
  const sine = Math.sin(metres / (2 * EARTH_RADIUS));
  return sine * sine;
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
