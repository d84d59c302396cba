/* modules.mjs: the default chat with modules of scripts/, in a folder of its own. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { ROOT } from "./server.mjs";

/* The path of rules that use these modules, in this order. */
export function rulesWith(...modules) {
  const folder = mkdtempSync(join(tmpdir(), "charlua-e2e-"));
  after(() => rmSync(folder, { recursive: true }));
  cpSync(`${ROOT}scripts`, folder, { recursive: true });
  const use = modules.map((name) => `require "${name}"`).join(", ");
  writeFileSync(join(folder, "rules.lua"), `local app = require "chat"\napp.use = { ${use} }\nreturn app\n`);
  return join(folder, "rules.lua");
}
