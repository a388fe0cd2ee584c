/** What a section of INFO is: a title and lines of the form `name:value`. */

import type { Server } from "../server.ts";

export type InfoValue = string | number;

/** Fields in the order in which they are printed. */
export type InfoFields = readonly (readonly [name: string, value: InfoValue])[];

export interface InfoSection {
  /** As it stands behind the `#`; its lower-case form is the name by which it is asked for. */
  readonly title: string;
  /** Whether INFO without arguments shows it. */
  readonly isDefault: boolean;
  readonly fields: (server: Server) => InfoFields;
}

/** Bytes for people: `919.12K`, two places after the point from 1 KiB on. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let amount = bytes / 1024;
  let unit = 0;
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit++;
  }
  return `${amount.toFixed(2)}${UNITS[unit]}`;
}

const UNITS = ["K", "M", "G", "T", "P"];

/** 1 or 0, as INFO writes truth. */
export function flag(value: boolean): number {
  return value ? 1 : 0;
}

/** `part / whole`, 0 when there is no whole. */
export function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/** A text of any characters as the UTF-8 bytes of a reply, one latin1 character per byte. */
export function wireText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
