/* types.test.mjs: what scripts/types/ tells editors is what the program has, name by name and both ways: the module
 * and what is in it, objects, the app table, options, and charlua.test; with the parameters that scripts/README.md
 * gives. Nothing of it depends on threads. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, runToEnd } from "./server.mjs";

const TYPES = ["scripts/types/charlua.lua", "scripts/types/charlua/test.lua"];
const SCALARS = ["any", "boolean", "fun", "function", "integer", "lightuserdata", "nil", "number", "string", "table", "true"];

const read = (path) => readFile(join(ROOT, path), "utf8");
const sorted = (names) => [...new Set(names)].sort();

/* --- the annotations -------------------------------------------------------- */

/* The type at the start of `text`: up to a space outside of brackets, quotes and what : , and | join. */
function typeOf(text) {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if ("<({[".includes(text[i])) depth++;
    if (">)}]".includes(text[i])) depth--;
    if (text[i] === '"') i = text.indexOf('"', i + 1);
    if (text[i] === " " && depth === 0 && !":,".includes(text[i - 1])) return text.slice(0, i);
  }
  return text;
}

/* Class name, without "charlua.", to its members: {place, type, optional} or, of a function, {place, params, types}. */
async function readClasses() {
  const classes = {}, mentioned = [], aliases = [];
  for (const path of TYPES) {
    const lines = (await read(path)).split("\n");
    const owners = {};
    let members, params = {};
    for (const [i, line] of lines.entries()) {
      const place = `${path}:${i + 1}`;
      const [, tag, rest] = /^---@(\w+) ?(.*)$/.exec(line) ?? [];
      const fn = /^function (\w+)[.:](\w+)\((.*)\) end$/.exec(line);
      if (tag === "alias") {
        aliases.push(rest.split(" ")[0]);
        mentioned.push([place, rest.slice(rest.indexOf(" ") + 1)]);
      } else if (tag === "class") {
        const [, name, , parent] = /^([\w.]+)(: ([\w.]+))?$/.exec(rest) ?? assert.fail(`${place}: no class: ${rest}`);
        classes[name] = members = { ...classes[parent] };
        Object.defineProperty(members, "place", { value: place });
      } else if (tag === "field" && rest.startsWith("[integer] ")) {
        mentioned.push([place, typeOf(rest.slice("[integer] ".length))]);
      } else if (tag === "field") {
        const [, name, optional, type] = /^(\w+)(\??) (.*)$/.exec(rest) ?? assert.fail(`${place}: no field: ${rest}`);
        members[name] = { place, type: typeOf(type), optional: optional === "?" };
        mentioned.push([place, typeOf(type)]);
      } else if (tag === "param") {
        const [, name, optional, type] = /^(\w+|\.\.\.)(\??) (.*)$/.exec(rest) ?? assert.fail(`${place}: no parameter: ${rest}`);
        params[name] = { type: typeOf(type), optional };
        mentioned.push([place, typeOf(type)]);
      } else if (["return", "overload"].includes(tag)) {
        mentioned.push([place, typeOf(rest)]);
      } else if (/^local \w+ = \{\}$/.test(line)) {
        owners[line.split(" ")[1]] = members;
      } else if (fn) {
        const names = fn[3] ? fn[3].split(", ") : [];
        assert.deepEqual(Object.keys(params), names, `${place}: ---@param says other parameters than the function`);
        owners[fn[1]][fn[2]] = { place, params: names, types: params, type: "function" };
        params = {};
      } else if (tag) {
        assert.equal(tag, "meta", `${place}: this test does not know ---@${tag}`);
      }
    }
  }
  return { classes, mentioned, aliases };
}

const { classes, mentioned, aliases } = await readClasses();

/* --- the program ------------------------------------------------------------ */

/* A C file without its comments, and the names in the initializer of its variable. */
const readC = async (path) => (await read(path)).replace(/\/\*[^]*?\*\//g, "");
const strings = (text) => [...text.matchAll(/"(\w+)"/g)].map((m) => m[1]);
const initializer = (source, variable) => new RegExp(`\\b${variable}\\[\\] = (\\{[^;]*);`).exec(source)?.[1];

/* What the type of core/script/api_NAME.c has: its methods, and the keys that its __index compares with. */
async function readObject(name) {
  const path = `core/script/api_${name}.c`;
  const source = await readC(path);
  const methods = [...(initializer(source, "methods") ?? "").matchAll(/\{"(\w+)"/g)].map((m) => m[1]);
  const fields = [...source.matchAll(/strcmp\(key, "(\w+)"\)/g)].map((m) => m[1]);
  assert.ok(methods.length && fields.length, `${path}: this test does not find its methods and fields any more`);
  return sorted([...methods, ...fields, ...strings(initializer(source, "fields") ?? "")]);
}

const OBJECTS = Object.fromEntries(
  await Promise.all(["client", "room", "request"].map(async (name) => [name, await readObject(name)])));

/* What the fixture tells: owner to name to {kinds, params}. */
async function askProgram() {
  const env = {};
  for (const [name, has] of Object.entries(OBJECTS)) {
    env[`API_${name.toUpperCase()}`] = sorted([...has, ...Object.keys(classes[`charlua.${name}`])]).join(",");
  }
  const run = await runToEnd(["test", "tests/e2e/fixtures/api_test.lua"], { env });
  assert.equal(run.code, 0, run.stdout + run.stderr);
  const told = {};
  for (const [, kind, owner, name, params] of run.stdout.matchAll(/^(\w+)\t([\w.]+)\.(\w+)(?:\t(\S*))?$/gm)) {
    told[owner] ??= {};
    told[owner][name] ??= { kinds: [] };
    told[owner][name].kinds.push(kind);
    if (params !== undefined) told[owner][name].params = params.split(",").filter((param) => param && param !== "self");
  }
  return told;
}

const program = await askProgram();

/* --- comparing -------------------------------------------------------------- */

const membersOf = (name) => classes[name] ?? assert.fail(`${TYPES[0]}: there is no ---@class ${name}`);

/* Fails with a line for each name that one side has and the other one has not. */
function sameNames(name, real, where) {
  const members = membersOf(name);
  const annotated = Object.keys(members);
  const faults = [
    ...real.filter((it) => !annotated.includes(it)).map((it) => `${members.place}: ${name} has no ${it}, which ${where} has: add it`),
    ...annotated.filter((it) => !real.includes(it)).map((it) => `${members[it].place}: ${name} has ${it}, which ${where} does not have: remove it`),
  ];
  assert.ok(faults.length === 0, faults.join("\n"));
}

/* Whether a value of this kind (math.type's or type's) may be of the annotated type. */
function suits(type, kind) {
  if (type.startsWith("fun(")) return kind === "function";
  return type.split("|").some((one) =>
    one === "any" || one === kind || (one === "number" && ["integer", "float"].includes(kind)) ||
    (one === "lightuserdata" && kind === "userdata") || (kind === "table" && (/^table<|\[\]$/.test(one) || one in classes)));
}

function sameKinds(name, real) {
  for (const [member, { place, type, optional }] of Object.entries(membersOf(name))) {
    const kinds = real[member].kinds.filter((kind) => kind !== "nil");
    assert.ok(kinds.length, `${place}: the program has no value of ${name}.${member} where it should`);
    for (const kind of kinds) assert.ok(suits(type, kind), `${place}: ${name}.${member} is a ${kind} in the program, not ${type}`);
    assert.ok(optional || type === "any" || real[member].kinds.length === kinds.length,
      `${place}: ${name}.${member} may be nil in the program: say ${member}?`);
  }
}

for (const [name, owner, where] of [
  ["charlua", "charlua", 'the table of require "charlua"'],
  ["charlua.crypto", "crypto", "chat.crypto"],
  ["charlua.json", "json", "chat.json, as scripts/README.md tells it,"],
  ["charlua.test", "test", "t in core/play/testing.lua"],
  ["charlua.test.client", "test.client", "Client in core/play/testing.lua"],
  ["charlua.test.session", "test.session", "Session in core/play/testing.lua"],
  ["charlua.test.request", "test.request", "Request in core/play/testing.lua"],
]) {
  test(`editors_know_exactly_what_${owner.replace(".", "_")}_has`, () => {
    sameNames(name, Object.keys(program[owner]), where);
    sameKinds(name, program[owner]);
  });
}

for (const [name, has] of Object.entries(OBJECTS)) {
  test(`editors_know_exactly_what_a_${name}_has`, () => {
    sameNames(`charlua.${name}`, has, `core/script/api_${name}.c`);
    const missing = has.filter((it) => program[name][it].kinds.includes("missing"));
    assert.deepEqual(missing, [], `core/script/api_${name}.c names what a ${name} does not have`);
    sameKinds(`charlua.${name}`, program[name]);
  });
}

test("editors_know_every_type_that_scripts_have", async () => {
  const files = (await readdir(join(ROOT, "core/script"))).filter((name) => /^api_.*\.c$/.test(name));
  const known = ["chat", "crypto", "env", "http", ...Object.keys(OBJECTS)].map((name) => `api_${name}.c`);
  assert.deepEqual(sorted(files), sorted(known), "a file of core/script/ is new or gone: annotate it, and name it in this test");
});

test("editors_know_exactly_the_fields_of_apps_and_modules", async () => {
  const KINDS = { LUA_TNUMBER: "integer", LUA_TTABLE: "table", LUA_TFUNCTION: "function" };
  const rows = [...initializer(await readC("core/script/app.c"), "fields").matchAll(/\{"(\w+)", (\w+), (\w+),/g)];
  const where = "the table of core/script/app.c";
  sameNames("charlua.app", rows.map(([, field]) => field), where);
  sameNames("charlua.module", rows.filter(([, , , owner]) => owner !== "APP").map(([, field]) => field), where);
  for (const [, field, kind] of rows) {
    const { place, type } = classes["charlua.app"][field];
    assert.ok(suits(type === "1" ? "integer" : type, KINDS[kind]), `${place}: ${field} is a ${KINDS[kind]} in ${where}`);
  }
});

test("editors_know_exactly_the_options_that_functions_take", async () => {
  const names = async (file) => {
    const lists = [...(await readC(`core/script/api_${file}.c`)).matchAll(/names\[\] = (\{[^;]*);/g)];
    return lists.map(([, list]) => strings(list));
  };
  sameNames("charlua.http_options", (await names("http")).find((list) => list.includes("url")), "core/script/api_http.c");
  sameNames("charlua.jwt_options", (await names("crypto")).find((list) => list.includes("alg")), "core/script/api_crypto.c");
  sameNames("charlua.test.options", Object.keys(program["test.options"]), "core/play/testing.lua");
});

/* --- the reference ---------------------------------------------------------- */

const README = await read("scripts/README.md");

/* The inside of the brackets after README's first `NAME(` or `NAME {`, in a heading if there is one. */
function signature(call) {
  const text = README.split("\n").filter((line) => line.startsWith("### ")).join("\n") + README;
  const at = new RegExp(`\`${call.replaceAll(".", "\\.")} ?([({][^\`]*)\``).exec(text)?.[1];
  return at === undefined ? undefined : at.startsWith("{") ? at : at.slice(1, -1);
}

/* "value, {except=client}" to ["value", ["except"]]. */
const parameters = (text) => (text.match(/\{(?:[^{}]|\{\})*\}|[^,\s]+/g) ?? []).map((it) =>
  it.startsWith("{") ? [...it.matchAll(/(\w+)=/g)].map((m) => m[1]) : it);

for (const [name, prefix] of [["charlua", "chat."], ["charlua.crypto", "chat.crypto."], ["charlua.json", "chat.json."],
  ["charlua.client", "client:"], ["charlua.room", "room:"], ["charlua.request", "request:"]]) {
  test(`editors_know_the_parameters_that_the_reference_gives_${name}`, () => {
    for (const [member, { place, params, types }] of Object.entries(classes[name])) {
      if (!params) continue;
      const call = `${prefix}${member}`;
      const told = signature(call) ?? assert.fail(`scripts/README.md: ${call}(...) is missing, which ${place} has`);
      const wanted = parameters(told);
      assert.equal(params.length, wanted.length, `${place}: ${call} has (${params}), scripts/README.md says (${told})`);
      for (const [i, want] of wanted.entries()) {
        if (typeof want === "string") assert.equal(params[i], want, `${place}: ${call}(${told}) in scripts/README.md`);
        else sameNames(types[params[i]].type, want, `${call}(${told}) in scripts/README.md`);
      }
    }
  });
}

test("editors_know_the_parameters_of_the_apps_handlers", () => {
  for (const [member, { place, type }] of Object.entries(classes["charlua.app"])) {
    if (!type.startsWith("fun(") && member !== "on") continue;
    const call = member === "on" ? "app.on.TYPE" : `app.${member}`;
    const told = signature(call) ?? assert.fail(`scripts/README.md: ${call}(...) is missing, which ${place} has`);
    const params = /fun\(([^)]*)\)/.exec(type)[1].split(", ").filter(Boolean).map((param) => param.split(":")[0]);
    assert.deepEqual(params, parameters(told), `${place}: ${call}(${told}) in scripts/README.md`);
  }
});

test("editors_know_the_parameters_of_charlua_test", () => {
  for (const owner of ["test", "test.client", "test.session", "test.request"]) {
    for (const [member, { place, params }] of Object.entries(classes[`charlua.${owner}`])) {
      if (params) assert.deepEqual(params, program[owner][member]?.params, `${place}: ${member} in core/play/testing.lua`);
    }
  }
});

/* The first words of the rows below `heading` of a table, and the words in code of one row. */
const rows = (heading) => README.split(`\n${heading}\n|---|`)[1].split("\n\n")[0].split("\n").slice(1);
const words = (text) => [...text.matchAll(/`(\w+)`/g)].map((m) => m[1]);

test("editors_know_exactly_the_fields_that_the_reference_lists", () => {
  const response = rows("| field of the response | type | is |").flatMap((row) => words(row.split("|")[1]));
  sameNames("charlua.response", response, "scripts/README.md");
  const ofSession = (call) => words(rows("| `s` | does |").find((row) => row.startsWith(`| \`${call}`)).split("→")[0]);
  sameNames("charlua.test.client_options", ofSession("s:client("), "s:client in scripts/README.md");
  sameNames("charlua.test.request_options", ofSession("s:request("), "s:request in scripts/README.md");
});

/* --- what editors read ------------------------------------------------------ */

test("every_type_that_annotations_mention_is_there", () => {
  const known = [...SCALARS, ...Object.keys(classes), ...aliases];
  for (const [place, type] of mentioned) {
    const bare = type.replace(/"[^"]*"/g, "").replace(/(\w+|\.\.\.)\??: /g, "");
    for (const [name] of bare.matchAll(/[a-z_][\w.]*/gi)) {
      assert.ok(known.includes(name), `${place}: there is no type ${name}`);
    }
  }
});

test("editors_find_the_annotations_on_a_clone", async () => {
  const settings = JSON.parse(await read(".luarc.json"));
  assert.deepEqual(settings["workspace.library"], ["scripts/types"]);
  assert.equal(settings["runtime.version"], "Lua 5.4");
  assert.deepEqual(settings["diagnostics.globals"], []);
});
