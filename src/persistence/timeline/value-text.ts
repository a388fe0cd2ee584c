/**
 * Values and their changes as text.
 *
 *      "hello"                         list of 3: "a" "b" "c"              hash of 2: "f"="1" "g"="2"
 *      + "g"="2"   - "f"               what came and what went of a collection, where both sides have the same type
 */

import { quoted } from "./command-text.ts";
import type { ModelElement, ValueModel } from "./value-model.ts";

/** How much is shown; without limits everything is. */
export interface ValueTextLimits {
  readonly bytesMax: number;
  readonly elementsMax: number;
}

export const SHORT_VALUE: ValueTextLimits = { bytesMax: 48, elementsMax: 5 };
export const WHOLE_VALUE: ValueTextLimits = {
  bytesMax: Number.POSITIVE_INFINITY,
  elementsMax: Number.POSITIVE_INFINITY,
};

export function valueText(model: ValueModel, limits: ValueTextLimits): string {
  if (model.kind === "string") return textOf(model.text, limits);
  const head = `${model.kind} of ${model.elements.length}:`;
  return [head, ...shown(model.elements, limits, (element) => elementText(model, element, limits))].join(" ");
}

/** From one value to another. */
export function changeText(before: ValueModel, after: ValueModel, limits: ValueTextLimits): string {
  if (before.kind !== after.kind || before.kind === "string") {
    return `${valueText(before, limits)} → ${valueText(after, limits)}`;
  }
  const { came, went } = before.kind === "list" ? listChange(before, after) : elementChange(before, after);
  const parts = [
    ...shown(went, limits, (element) => `- ${elementText(before, element, limits)}`),
    ...shown(came, limits, (element) => `+ ${elementText(after, element, limits)}`),
  ];
  if (before.details !== after.details) parts.push("groups or numbers of the stream changed");
  const sizes = before.elements.length === after.elements.length ? "" : ` → ${after.elements.length}`;
  return `${before.kind} of ${before.elements.length}${sizes}: ${parts.join("  ")}`;
}

function shown<Item>(items: readonly Item[], { elementsMax }: ValueTextLimits, text: (item: Item) => string): string[] {
  const texts = items.slice(0, elementsMax).map(text);
  if (items.length > elementsMax) texts.push(`… (+${items.length - elementsMax})`);
  return texts;
}

function textOf(text: string, { bytesMax }: ValueTextLimits): string {
  const bytes = Buffer.from(text.slice(0, Math.min(text.length, bytesMax)), "latin1");
  const whole = quoted(bytes, 0, bytes.length);
  return text.length > bytes.length ? `${whole.slice(0, -1)}…" (${text.length} bytes)` : whole;
}

function elementText({ kind }: ValueModel, { name, value }: ModelElement, limits: ValueTextLimits): string {
  if (kind === "hash") return `${textOf(name, limits)}=${textOf(value, limits)}`;
  if (kind === "zset") return `${textOf(name, limits)}=${value}`;
  if (kind === "stream") {
    const fields = streamFields(value).map(([field, content]) => `${textOf(field, limits)}=${textOf(content, limits)}`);
    return `${name}(${fields.join(" ")})`;
  }
  return textOf(name, limits);
}

/** The fields of a stream's entry. */
export function streamFields(value: string): [string, string][] {
  return value === "" ? [] : (JSON.parse(`[${value}]`) as [string, string][]);
}

/** What is left of two lists without what they begin and end with alike. */
function listChange(before: ValueModel, after: ValueModel): { came: ModelElement[]; went: ModelElement[] } {
  const left = before.elements;
  const right = after.elements;
  const shorter = Math.min(left.length, right.length);
  let start = 0;
  while (start < shorter && left[start]!.name === right[start]!.name) start++;
  let end = 0;
  while (end < shorter - start && left.at(-1 - end)!.name === right.at(-1 - end)!.name) end++;
  return { went: left.slice(start, left.length - end), came: right.slice(start, right.length - end) };
}

function elementChange(before: ValueModel, after: ValueModel): { came: ModelElement[]; went: ModelElement[] } {
  const earlier = new Map(before.elements.map(({ name, value }) => [name, value]));
  const later = new Map(after.elements.map(({ name, value }) => [name, value]));
  return {
    went: before.elements.filter(({ name, value }) => later.get(name) !== value),
    came: after.elements.filter(({ name, value }) => earlier.get(name) !== value),
  };
}
