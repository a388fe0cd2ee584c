import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ExactTrigonometry } from "./exact-trigonometry.ts";
import { Circle, distance, LATITUDE_MAX, type Place, placeOf, scoreOf } from "./geohash.ts";

/** Places anywhere, and many near a pole or the date line. */
const place: fc.Arbitrary<Place> = fc.record({
  longitude: fc.oneof(
    fc.double({ min: -180, max: 180, noNaN: true }),
    fc.double({ min: -180, max: -179, noNaN: true }),
    fc.double({ min: 179, max: 180, noNaN: true }),
  ),
  latitude: fc.oneof(
    fc.double({ min: -LATITUDE_MAX, max: LATITUDE_MAX, noNaN: true }),
    fc.double({ min: 84, max: LATITUDE_MAX, noNaN: true }),
  ),
});

test("a circle is sure of a place only where its exact distance says the same", () => {
  const exact = new ExactTrigonometry();
  // Radii around the distance itself, where rounding decides, and of any other size up to round the earth.
  const radius = fc.oneof(
    fc.record({ factor: fc.constant(1), metres: fc.double({ min: -0.01, max: 0.01, noNaN: true }) }),
    fc.record({ factor: fc.constant(0), metres: fc.double({ min: 0, max: 25_000_000, noNaN: true }) }),
    fc.constant({ factor: 1, metres: 0 }),
  );
  fc.assert(
    fc.property(place, place, radius, (centre, other, { factor, metres }) => {
      const apart = distance(centre.longitude, centre.latitude, other.longitude, other.latitude, exact);
      const limit = Math.max(apart * factor + metres, 0);
      const side = new Circle(centre, limit).side(other);
      if (side > 0) assert.ok(apart <= limit, `${apart} is not within ${limit}`);
      if (side < 0) assert.ok(apart > limit, `${apart} is within ${limit}`);
    }),
    { numRuns: 2000 },
  );
});

test("a circle is nearly always sure", () => {
  const circle = new Circle({ longitude: 13.5, latitude: 52.25 }, 150_000);
  assert.equal(circle.side({ longitude: 13.4, latitude: 52.5 }), 1);
  assert.equal(circle.side({ longitude: 16, latitude: 52.25 }), -1);
  assert.equal(circle.side({ longitude: 13.5, latitude: 54 }), -1);
});

test("the score of a place stands for a place less than a metre away", () => {
  const near: Place = { longitude: 0, latitude: 0 };
  fc.assert(
    fc.property(place, ({ longitude, latitude }) => {
      placeOf(scoreOf(longitude, latitude), near);
      assert.ok(distance(longitude, latitude, near.longitude, near.latitude, Math) < 1);
    }),
  );
});
