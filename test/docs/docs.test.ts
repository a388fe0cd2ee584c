import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";
import { findDirective } from "../../src/server/config/directives.ts";
import { everkeyProgram } from "../support/everkey.ts";
import { repositoryRoot } from "../support/repository.ts";
import { temporaryFolder } from "../support/temp.ts";
import {
  anchorsOf,
  codeBlocks,
  directivesIn,
  localLinks,
  namedPaths,
  npmOptions,
  npmScripts,
  subcommands,
} from "./markdown.ts";

const root = repositoryRoot();
const paths = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const documents = paths.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
const readme = documents.find(({ path }) => path === "README.md")!.text;
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  version: string;
  scripts: Record<string, string>;
  engines: { node: string };
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

/** Every finding of every document, with where it was found. */
function across<Found>(find: (text: string) => Found[]): { path: string; found: Found }[] {
  return documents.flatMap(({ path, text }) => find(text).map((found) => ({ path, found })));
}

function assertNone(complaints: readonly string[], seen: number, seenMin: number): void {
  assert.deepEqual(complaints, []);
  assert.ok(seen >= seenMin, `saw only ${seen}`);
}

describe("documents tell the truth about what can be looked up", () => {
  test("every link between documents leads to a file, and to a heading that is there", () => {
    const links = across(localLinks);
    const complaints: string[] = [];
    for (const { path, found } of links) {
      const [file, anchor] = found.split("#") as [string, string | undefined];
      const target = file === "" ? path : relative(root, join(root, dirname(path), file));
      if (!existsSync(join(root, target))) complaints.push(`${path}: ${found}: there is no ${target}`);
      else if (anchor !== undefined && !anchorsOf(readFileSync(join(root, target), "utf8")).includes(anchor)) {
        complaints.push(`${path}: ${found}: there is no such heading`);
      }
    }
    assertNone(complaints, links.length, 10);
  });

  test("every document in docs is reached from README.md", () => {
    const linked = localLinks(readme);
    for (const path of paths) {
      if (path !== "README.md") assert.ok(linked.includes(path), `README.md does not link to ${path}`);
    }
  });

  test("every file and folder of the repository that is named is there", () => {
    const named = across(namedPaths);
    const complaints = named.filter(({ found }) => !existsSync(join(root, found)));
    assertNone(
      complaints.map(({ path, found }) => `${path}: ${found}`),
      named.length,
      20,
    );
  });

  test("every npm script that is named is in package.json", () => {
    const named = across(npmScripts);
    const complaints = named.filter(({ found }) => manifest.scripts[found] === undefined);
    assertNone(
      complaints.map(({ path, found }) => `${path}: npm run ${found}`),
      named.length,
      5,
    );
  });

  test("every option of npm test and npm run bench that is named is one that they take", () => {
    const sources: Record<string, string> = {
      test: readFileSync(join(root, "test/run.ts"), "utf8"),
      bench: `${readFileSync(join(root, "bench/options.ts"), "utf8")} --help`,
    };
    const named = across(npmOptions);
    const complaints = named.filter(({ found: { script, option } }) => !sources[script]?.includes(option));
    assertNone(
      complaints.map(({ path, found }) => `${path}: npm run ${found.script} -- ${found.option}`),
      named.length,
      3,
    );
  });

  test("every subcommand of everkey that README.md names is one that it has", () => {
    const help = spawnSync(process.execPath, [everkeyProgram(), "--help"], { encoding: "utf8" });
    assert.equal(help.status, 0, help.stderr);
    const named = subcommands(readme);
    for (const name of named) assert.match(help.stdout, new RegExp(`^  ${name}\\b`, "m"));
    assert.ok(named.length > 0);
  });

  test("every directive that a document gives to the server is known", () => {
    const named = across(directivesIn);
    const complaints = named.filter(
      ({ found }) => !["help", "version", "as-of"].includes(found) && findDirective(found) === undefined,
    );
    assertNone(
      complaints.map(({ path, found }) => `${path}: ${found}`),
      named.length,
      5,
    );
  });

  test("every package that is used has its reason in docs/ARCHITECTURE.md", () => {
    const architecture = readFileSync(join(root, "docs/ARCHITECTURE.md"), "utf8");
    const names = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
    for (const name of names) assert.ok(architecture.includes(`| \`${name}\` |`), name);
    const listed = [...architecture.matchAll(/^\| `(@?[a-z][\w./-]*)` \| (?:program|development) \|/gm)];
    assert.deepEqual(listed.map((match) => match[1]).sort(), names.sort());
  });

  test("CHANGELOG.md begins with the version of package.json, and README.md names the oldest Node", () => {
    const changelog = readFileSync(join(root, "CHANGELOG.md"), "utf8");
    assert.equal(/^## (\d+\.\d+\.\d+)/m.exec(changelog)?.[1], manifest.version);
    assert.equal(manifest.engines.node, ">=20.19.0");
    assert.ok(readme.includes("20.19"));
  });
});

describe("the programs in README.md", () => {
  const programs = codeBlocks(readme).filter(({ language }) => language === "ts");

  test("there are some", () => assert.ok(programs.length >= 2));

  for (const [index, { lines }] of programs.entries()) {
    test(`program ${index + 1} runs as it is written, and ends by itself`, (context) => {
      const folder = temporaryFolder(context, "readme");
      mkdirSync(join(folder, "node_modules"));
      symlinkSync(root, join(folder, "node_modules", "everkey"));
      symlinkSync(join(root, "node_modules", "ioredis"), join(folder, "node_modules", "ioredis"));
      writeFileSync(join(folder, "program.mjs"), lines.join("\n"));
      const result = spawnSync(process.execPath, [join(folder, "program.mjs")], {
        cwd: folder,
        encoding: "utf8",
        timeout: 60_000,
      });
      assert.equal(result.status, 0, result.stderr);
      const expected = lines.filter((line) => line.includes("// prints ")).map((line) => line.split("// prints ")[1]);
      assert.ok(expected.length > 0);
      assert.deepEqual(result.stdout.trim().split("\n"), expected);
    });
  }
});

describe("what is looked for in documents is found", () => {
  const planted = [
    "# A heading, with `code`",
    "See [one](docs/none.md#x), [two](#a-heading-with-code), [net](https://example.org/).",
    "It is in `src/no/such.ts`; run `npm run nothing -- --what`.",
    "",
    "    bin/everkey server a.conf --prot 1 --save 60 1   # --comment",
    "    npx everkey fly",
    "",
    "```conf",
    "# a comment",
    "maxmemry 1gb",
    "```",
  ].join("\n");

  test("links, headings and paths", () => {
    assert.deepEqual(localLinks(planted), ["docs/none.md#x", "#a-heading-with-code"]);
    assert.deepEqual(anchorsOf(planted), ["a-heading-with-code"]);
    assert.deepEqual(namedPaths(planted), ["src/no/such.ts"]);
  });

  test("scripts, options, subcommands and directives", () => {
    assert.deepEqual(npmScripts(planted), ["nothing"]);
    assert.deepEqual(npmOptions(planted), [{ script: "nothing", option: "--what" }]);
    assert.deepEqual(subcommands(planted), ["server", "fly"]);
    assert.deepEqual(directivesIn(planted), ["prot", "save", "maxmemry"]);
  });

  test("blocks, fenced and indented", () => {
    const blocks = codeBlocks(planted);
    assert.deepEqual(
      blocks.map(({ language, lines }) => [language, lines.length]),
      [
        ["", 2],
        ["conf", 2],
      ],
    );
  });
});
