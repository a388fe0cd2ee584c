import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench } from "./testing.ts";

/** A bench that knows two towns. */
function sicily(): CommandBench {
  const bench = new CommandBench();
  bench.run("GEOADD k 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
  return bench;
}

test("places are kept as geohashes of 52 bits", () => {
  const bench = sicily();
  assert.equal(bench.run("ZSCORE k Palermo"), "$16\r\n3479099956230698\r\n");
  assert.equal(
    bench.run("GEOPOS k Palermo none"),
    "*2\r\n*2\r\n$20\r\n13.36138933897018433\r\n$20\r\n38.11555639549629859\r\n*-1\r\n",
  );
  assert.equal(bench.run("GEOHASH k Palermo Catania"), "*2\r\n$11\r\nsqc8b49rny0\r\n$11\r\nsqdtr74hyu0\r\n");
  assert.equal(bench.run("GEOADD k 181 0 x"), "-ERR invalid longitude,latitude pair 181.000000,0.000000\r\n");
});

test("distances are told in every unit", () => {
  const bench = sicily();
  assert.equal(bench.run("GEODIST k Palermo Catania"), "$11\r\n166274.1516\r\n");
  assert.equal(bench.run("GEODIST k Palermo Catania mi"), "$8\r\n103.3182\r\n");
  assert.equal(bench.run("GEODIST k Palermo none"), "$-1\r\n");
  assert.equal(
    bench.run("GEODIST k Palermo Catania x"),
    "-ERR unsupported unit provided. please use M, KM, FT, MI\r\n",
  );
});

test("a search finds what lies in a circle or a box, the nearest first", () => {
  const bench = sicily();
  const nearest = "*2\r\n$7\r\nCatania\r\n$7\r\nPalermo\r\n";
  assert.equal(bench.run("GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km ASC"), nearest);
  assert.equal(bench.run("GEORADIUS k 15 37 200 km COUNT 2"), nearest);
  assert.equal(bench.run("GEOSEARCH k FROMLONLAT 15 37 BYBOX 100 200 km"), "*1\r\n$7\r\nCatania\r\n");
  assert.equal(
    bench.run("GEOSEARCH k FROMMEMBER Palermo BYRADIUS 1 m WITHDIST"),
    "*1\r\n*2\r\n$7\r\nPalermo\r\n$6\r\n0.0000\r\n",
  );
  assert.equal(bench.run("GEOSEARCHSTORE d k FROMLONLAT 15 37 BYRADIUS 100 km STOREDIST"), ":1\r\n");
  assert.ok(bench.run("ZSCORE d Catania").includes("56.441257870158"));
  assert.equal(bench.run("GEOSEARCHSTORE d k FROMLONLAT 0 0 BYRADIUS 100 km"), ":0\r\n");
  assert.equal(bench.run("EXISTS d"), ":0\r\n");
});

test("a place on the date line is in the last column, and its neighbours are where Redis has them", () => {
  const bench = new CommandBench();
  bench.run("GEOADD k 180 0 here -179.99 -0.1 beyond");
  assert.equal(bench.run("GEORADIUS_RO k 180 0 100000 ft"), "*1\r\n$4\r\nhere\r\n");
});
