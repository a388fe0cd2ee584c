/**
 * Moments as people write and read them.
 *
 *      2026-11-20 10:15:03.250          local time; seconds and fractions may be left out, so may be the time of day
 *      2026-11-20T10:15:03.250Z         ISO 8601 with Z or an offset (+01:00)
 *      10:15, 10:15:03                  today
 *      1795240503, 1795240503250        seconds or milliseconds since 1970
 *      5 minutes ago, 90s ago, now      from now on backwards
 *
 *  I1  What cannot be understood, or is no day of the calendar, is undefined: nothing is guessed. So is an hour that the
 *      clocks pass over in spring, but for midnight: the day begins then when it does. An hour that they show twice in
 *      autumn is the first: with an offset it can be either.
 */

const DAY = /^(\d{4})-(\d{1,2})-(\d{1,2})$/;
const TIME = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6}))?)?$/;
const ZONE = /(Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d)$/i;
const AGO =
  /^(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?|w|weeks?)(?:\s+ago)$/i;

const UNIT_MS: readonly (readonly [RegExp, number])[] = [
  [/^(?:ms|milli)/i, 1],
  [/^s/i, 1000],
  [/^m/i, 60_000],
  [/^h/i, 3_600_000],
  [/^d/i, 86_400_000],
  [/^w/i, 604_800_000],
];

/** Below this a number counts seconds: in milliseconds it would be a day of 1973. */
const SECONDS_MAX = 1e11;

/** Ms since 1970; undefined when the text is no moment (I1). `nowMs` is what "ago" and a time without a day refer to. */
export function parseMoment(text: string, nowMs: number): number | undefined {
  const trimmed = text.trim();
  if (/^now$/i.test(trimmed)) return nowMs;
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) {
    const value = Number(trimmed);
    return Math.floor(value < SECONDS_MAX ? value * 1000 : value);
  }
  const ago = AGO.exec(trimmed);
  if (ago !== null) {
    const unit = UNIT_MS.find(([pattern]) => pattern.test(ago[2]!))!;
    return Math.floor(nowMs - Number(ago[1]) * unit[1]);
  }
  return parseCalendar(trimmed, nowMs);
}

function parseCalendar(text: string, nowMs: number): number | undefined {
  const zone = DAY.test(text) ? null : ZONE.exec(text);
  const words = (zone === null ? text : text.slice(0, zone.index)).trim().split(/[\sT]+/i);
  if (words.length > 2 || (words.length === 1 && zone !== null)) return undefined;
  const hasDay = DAY.test(words[0]!);
  if (!hasDay && words.length > 1) return undefined;
  const time = TIME.exec(words.length === 2 ? words[1]! : hasDay ? "0:00" : words[0]!);
  if (time === null) return undefined;
  const now = new Date(nowMs);
  const day = DAY.exec(words[0]!)?.slice(1).map(Number) ?? [now.getFullYear(), now.getMonth() + 1, now.getDate()];
  return compose(day as [number, number, number], time, zone?.[1]);
}

function compose(
  [year, month, day]: [number, number, number],
  time: RegExpExecArray,
  zone: string | undefined,
): number | undefined {
  const hours = Number(time[1]);
  const minutes = Number(time[2]);
  const seconds = Number(time[3] ?? 0);
  const ms = Math.floor(Number(`0.${time[4] ?? 0}`) * 1000 + 1e-6);
  const utc = Date.UTC(year, month - 1, day, hours, minutes, seconds, ms);
  const check = new Date(utc);
  // Another day or time than was written: there is no such one.
  if (check.getUTCFullYear() !== year || check.getUTCMonth() !== month - 1 || check.getUTCDate() !== day)
    return undefined;
  if (minutes > 59 || seconds > 59) return undefined;
  if (zone === undefined) {
    const local = new Date(year, month - 1, day, hours, minutes, seconds, ms);
    const isShown = local.getHours() === hours && local.getMinutes() === minutes;
    return isShown || hours + minutes === 0 ? local.getTime() : undefined;
  }
  if (/^z$/i.test(zone)) return utc;
  const sign = zone.startsWith("-") ? -1 : 1;
  const offsetMinutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return utc - sign * offsetMinutes * 60_000;
}

/** A moment in local time, to the millisecond. */
export function momentText(timeMs: number): string {
  const date = new Date(timeMs);
  if (Number.isNaN(date.getTime())) return "an unknown time";
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
