/** `npm run docs`: writes the pages that are made from tables, into docs/. Tests keep them equal to the tables. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { wholeCommandTable } from "../../src/server/commands/page.test.support.ts";
import { commandsPage } from "../../src/server/commands/page.ts";
import { configurationPage } from "../../src/server/config/page.ts";
import { repositoryRoot } from "../support/repository.ts";

const pages = { "commands.md": commandsPage(wholeCommandTable()), "configuration.md": configurationPage() };
for (const [name, text] of Object.entries(pages)) {
  writeFileSync(join(repositoryRoot(), "docs", name), text);
  console.log(`docs/${name}`);
}
