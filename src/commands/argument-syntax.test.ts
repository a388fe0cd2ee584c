import assert from "node:assert/strict";
import { test } from "node:test";
import { type Argument, parseArguments } from "./argument-syntax.ts";

/** An argument in one line: name:type, "?" optional, "*" multiple, "@token", (parts). */
function outline({ name, type, token, isOptional, isMultiple, parts }: Argument): string {
  const marks = `${isOptional ? "?" : ""}${isMultiple ? "*" : ""}${token === undefined ? "" : `@${token}`}`;
  return `${name}:${type}${marks}${parts.length === 0 ? "" : `(${parts.map(outline).join(" ")})`}`;
}

const outlines = (syntax: string): string => parseArguments(syntax, []).map(outline).join(" ");

test("an argument that is optional and repeated keeps both", () => {
  assert.equal(outlines("command [arg [arg ...]]"), "command:string arg:string?*");
  assert.equal(outlines("[command-name [command-name ...]]"), "command-name:string?*");
  assert.equal(outlines("[ID client-id [client-id ...]] end"), "client-id:integer?*@ID end:integer");
});

test("a repetition after its argument is one multiple argument", () => {
  assert.equal(outlines("key [key ...]"), "key:key*");
  assert.equal(outlines("key value [key value ...]"), "data:block*(key:key value:string)");
});

test("alternatives make one argument of several", () => {
  assert.equal(
    outlines("key [NX|XX] [EX seconds|KEEPTTL]"),
    "key:key nx-xx:oneof?(nx:pure-token@NX xx:pure-token@XX) " +
      "seconds-keepttl:oneof?(seconds:integer@EX keepttl:pure-token@KEEPTTL)",
  );
});

test("a bracket without its partner is refused", () => {
  for (const syntax of ["key [NX", "key NX]", "[arg [arg ...]", "<a|b"]) {
    assert.throws(() => parseArguments(syntax, []), /is missing|is out of place/, syntax);
  }
});
