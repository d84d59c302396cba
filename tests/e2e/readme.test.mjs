/* readme.test.mjs: the tour of README.md, taken step by step. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "./client.mjs";
import { ROOT, startServer } from "./server.mjs";

const indented = (line) => `  ${line}\n`;

test("readme_tour_changes_a_rule_with_nobody_disconnected", async () => {
  const [, found, added] = /```lua\n *(.*)\n *(.*)\n *```/.exec(await readFile(`${ROOT}README.md`, "utf8"));
  const before = await readFile(`${ROOT}scripts/chat.lua`, "utf8");
  assert.ok(before.includes(indented(found)), "README.md quotes a line of scripts/chat.lua");
  const after = before.replace(indented(found), indented(found) + indented(added));

  const folder = await mkdtemp(join(tmpdir(), "charlua-tour-"));
  const script = join(folder, "chat.lua");
  await cp(`${ROOT}scripts`, folder, { recursive: true });
  const server = await startServer({ args: ["--watch"], script });
  try {
    const people = [await connect(server.url), await connect(server.url)];
    for (const [i, one] of people.entries()) {
      one.send({ type: "login", name: `n${i}` });
      await one.next((m) => m.type === "login" && m.name === `n${i}`);
    }
    const throwDice = async () => {
      people[0].send({ type: "say", to_uid: "all", content: "/dice" });
      const said = [];
      for (const one of people) said.push((await one.next((m) => m.type === "say")).content);
      assert.equal(said[0], said[1]);
      return said[0];
    };
    assert.equal(await throwDice(), "/dice");

    let mark = server.mark;
    await writeFile(script, after);
    await server.waitLog(/rules reloaded/, { from: mark });
    assert.match(await throwDice(), /^throws a [1-6]$/);

    mark = server.mark;
    await writeFile(script, after.replace(/end(?![\s\S]*\bend\b)/, ""));
    await server.waitLog(/rules not reloaded, the old ones stay in force.*: \S*chat\.lua:\d+: .+/, { from: mark });
    assert.match(await throwDice(), /^throws a [1-6]$/);
  } finally {
    await server.stop();
    await rm(folder, { recursive: true });
  }
});
