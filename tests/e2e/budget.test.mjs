/* budget.test.mjs: a handler's time is what it uses itself: what the machine spends elsewhere does not count. */
import assert from "node:assert/strict";
import { FIXTURES, scenario } from "./scenario.mjs";

const WORK = `chat.log("info", "begun")
  local till = os.clock() + 0.1
  while os.clock() < till do end
  return "done"`;

scenario("a_server_that_is_stopped_for_a_while_costs_no_handler_its_time", {
  script: `${FIXTURES}/run.lua`,
  args: ["--handler-time", "400"],
}, async (stage) => {
  const ana = await stage.client();
  ana.send({ type: "run", code: WORK });
  await stage.server.waitLog(/begun/);
  stage.server.signal("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 600)); /* no wait for an event: time that passes is the matter */
  stage.server.signal("SIGCONT");
  assert.deepEqual((await ana.next()).values, ["done"]);
});
