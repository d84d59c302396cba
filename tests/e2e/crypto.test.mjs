/* crypto.test.mjs: chat.crypto: digests and base64url against their standards, and which tokens are believed. Nothing
 * of it depends on threads: one placement. */
import assert from "node:assert/strict";
import { createHmac, createPublicKey, generateKeyPairSync, sign as signWith } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FIXTURES, scenario } from "./scenario.mjs";

const RUN = { script: `${FIXTURES}/run.lua`, threads: [0], args: ["--handler-time", "5000"] };

/* Bytes go through the JSON as hex. */
const play = (name, act) => scenario(name, RUN, async (stage) => act(await stage.actor(), stage));
const BYTES = "local function bytes(hex) return (hex:gsub('..', function(x) return string.char(tonumber(x, 16)) end)) end;";
const hex = (bytes) => Buffer.from(bytes).toString("hex");

/* --- digests and encodings -------------------------------------------------- */

play("crypto_sha256_is_that_of_fips_180", async (ana) => {
  for (const [code, digest] of [
    ["''", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["'abc'", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    ["'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"],
    ["('a'):rep(1000000)", "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"],
  ]) {
    assert.deepEqual(await ana.run(`local c = chat.crypto; return c.hex(c.sha256(${code})), #c.sha256(${code})`), [digest, 32]);
  }
});

play("crypto_hmac_sha256_is_that_of_rfc_4231", async (ana) => {
  for (const [key, data, mac] of [
    ["0b".repeat(20), hex("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
    [hex("Jefe"), hex("what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"],
    ["aa".repeat(20), "dd".repeat(50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"],
    ["aa".repeat(131), hex("Test Using Larger Than Block-Size Key - Hash Key First"),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"],
    ["", "", createHmac("sha256", "").update("").digest("hex")],
  ]) {
    assert.equal(await ana.value(`${BYTES} return chat.crypto.hex(chat.crypto.hmac_sha256(bytes(msg.key), bytes(msg.data)))`, { key, data }), mac);
  }
});

play("crypto_base64url_takes_back_what_it_made_and_nothing_else", async (ana) => {
  for (let n = 0; n < 40; n++) {
    const bytes = Buffer.from(Array.from({ length: n }, (_, i) => (i * 151 + n) % 256));
    assert.deepEqual(await ana.run(`${BYTES} local c, s = chat.crypto, bytes(msg.hex)
      return c.base64url_encode(s), c.base64url_decode(c.base64url_encode(s)) == s`, { hex: hex(bytes) }),
    [bytes.toString("base64url"), true]);
  }
  for (const text of ["Zg==", "Zg=", "Z", "Zm9vY", "+A", "/A", "Zm 9", "Zm9v\\n", "Zh", "Zm9", "\\0AAA", "é"]) {
    assert.deepEqual(await ana.run(`return chat.crypto.base64url_decode("${text}")`), [null, "malformed"], text);
  }
});

play("crypto_token_is_random_text_of_the_length_asked_for", async (ana) => {
  const tokens = await ana.run("local t = {}; for i = 1, 200 do t[i] = chat.crypto.token() end; return table.unpack(t)");
  assert.equal(new Set(tokens).size, 200);
  for (const token of tokens) assert.match(token, /^[A-Za-z0-9_-]{22}$/);
  assert.deepEqual(await ana.run("return #chat.crypto.token(1), #chat.crypto.token(32), #chat.crypto.token(256)"), [2, 43, 342]);
  for (const n of ["0", "-1", "257", "1.5", "'x'"]) assert.equal(await ana.value(`return (pcall(chat.crypto.token, ${n}))`), false, n);
});

play("crypto_equal_compares_bytes", async (ana) => {
  assert.deepEqual(await ana.run("local e = chat.crypto.equal; return e('', ''), e('a\\0b', 'a\\0b'), e('a', 'b'), e('a', 'ab'), e('a\\0b', 'a\\0c')"),
    [true, true, false, false, false]);
  assert.equal(await ana.value("return (pcall(chat.crypto.equal, 'a', nil))"), false);
});

/* --- tokens ------------------------------------------------------------------ */

const SECRET = "a secret of thirty-two bytes: yes";
const pem = (key) => key.export({ type: "spki", format: "pem" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");

const SIGN = {
  HS256: (input, key = SECRET) => createHmac("sha256", key).update(input).digest(),
  RS256: (input, key = rsa.privateKey) => signWith("sha256", Buffer.from(input), key),
  ES256: (input, key = ec.privateKey) => signWith("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }),
  EdDSA: (input, key = ed.privateKey) => signWith(null, Buffer.from(input), key),
};
const KEY = { HS256: SECRET, RS256: pem(rsa.publicKey), ES256: pem(ec.publicKey), EdDSA: pem(ed.publicKey) };
const ALGS = Object.keys(SIGN);
const part = (value) => Buffer.from(typeof value === "string" || Buffer.isBuffer(value) ? value : JSON.stringify(value)).toString("base64url");

/* A token of `claims` (an object, or the payload as text); `header` adds to its header or is its text. */
function make(claims, { alg = "HS256", header = {}, key } = {}) {
  const input = `${part(typeof header === "string" ? header : { alg, typ: "JWT", ...header })}.${part(claims)}`;
  return `${input}.${SIGN[alg](input, key).toString("base64url")}`;
}

/* What chat.crypto.jwt says of `token`; `options` are Lua text. */
const judge = (ana, token, { alg = "HS256", key = KEY[alg], options = "now = 1000" } = {}) =>
  ana.run(`return chat.crypto.jwt(msg.token, { alg = msg.alg, key = msg.key, ${options} })`, { token, alg, key });

const believes = async (ana, token, set) => {
  const [claims, why] = await judge(ana, token, set);
  assert.equal(typeof claims, "object", `${token}: ${why}`);
  assert.notEqual(claims, null, `${token}: ${why}`);
  return claims;
};
const refuses = async (ana, token, why, set) => assert.deepEqual(await judge(ana, token, set), [null, why], String(token));

const RFC_7515 = {
  HS256: "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
  ES256: "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
};

play("jwt_of_rfc_7515_is_believed_until_it_expires", async (ana) => {
  const key = hex(Buffer.from("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", "base64url"));
  const code = (now) => `${BYTES} return chat.crypto.jwt(msg.token, { alg = "HS256", key = bytes(msg.key), iss = "joe"${now} })`;
  assert.deepEqual(await ana.value(code(", now = 1300819379"), { token: RFC_7515.HS256, key }),
    { iss: "joe", exp: 1300819380, "http://example.com/is_root": true });
  assert.deepEqual(await ana.run(code(""), { token: RFC_7515.HS256, key }), [null, "expired"], "the clock is chat.now's");
  const public_ = pem(createPublicKey({ format: "jwk", key: { kty: "EC", crv: "P-256",
    x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" } }));
  assert.equal((await believes(ana, RFC_7515.ES256, { alg: "ES256", key: public_ })).iss, "joe");
});

for (const alg of ALGS) {
  play(`jwt_with_${alg}_is_believed_and_no_part_of_it_may_change`, async (ana) => {
    const token = make({ sub: "ana", n: 7 }, { alg });
    assert.deepEqual(await believes(ana, token, { alg }), { sub: "ana", n: 7 });
    const [header, payload, signature] = token.split(".");
    const flipped = Buffer.from(signature, "base64url");
    flipped[flipped.length >> 1] ^= 1;
    await refuses(ana, `${header}.${payload}.${flipped.toString("base64url")}`, "bad signature", { alg });
    await refuses(ana, `${header}.${part({ sub: "eva" })}.${signature}`, "bad signature", { alg });
    await refuses(ana, `${part({ alg })}.${payload}.${signature}`, "bad signature", { alg });
    await refuses(ana, `${header}.${payload}.`, "bad signature", { alg });
    for (const other of ALGS.filter((name) => name !== alg)) {
      await refuses(ana, make({ sub: "ana" }, { alg: other }), "wrong algorithm", { alg });
      await refuses(ana, make({ sub: "ana" }, { alg: other, header: { alg } }), "bad signature", { alg });
    }
    for (let cut = 0; cut < token.length; cut++) {
      const [claims, why] = await judge(ana, token.slice(0, cut), { alg });
      assert.equal(claims, null, token.slice(0, cut));
      assert.match(why, /^(malformed|bad signature)$/);
    }
  });
}

play("jwt_signed_with_the_public_key_as_a_secret_is_refused", async (ana) => {
  const forged = make({ sub: "eva" }, { alg: "HS256", key: KEY.RS256 });
  await refuses(ana, forged, "wrong algorithm", { alg: "RS256" });
  await refuses(ana, make({ sub: "eva" }, { alg: "HS256", key: KEY.RS256, header: { alg: "RS256" } }), "bad signature", { alg: "RS256" });
});

play("jwt_with_none_is_refused_and_cannot_be_asked_for", async (ana) => {
  for (const none of ["none", "None", "NONE", ""]) {
    await refuses(ana, `${part({ alg: none })}.${part({ sub: "eva" })}.`, "wrong algorithm");
    const [ok, why] = await ana.run("return pcall(chat.crypto.jwt, 'x', { alg = msg.alg, key = msg.key })", { alg: none, key: SECRET });
    assert.equal(ok, false);
    assert.match(why, /say alg: "HS256", "RS256", "ES256" or "EdDSA"/);
  }
});

play("jwt_says_why_a_token_is_refused", async (ana) => {
  const at = (now, rest = "") => ({ options: `now = ${now}, ${rest}` });
  await refuses(ana, make({ exp: 1000 }), "expired", at(1000));
  await refuses(ana, make({ exp: 1000 }), "expired", at(1010, "leeway = 10"));
  await believes(ana, make({ exp: 1000 }), at(999.5));
  await believes(ana, make({ exp: 1000 }), at(1009.5, "leeway = 10"));
  await refuses(ana, make({ nbf: 1000 }), "not yet valid", at(999.5));
  await refuses(ana, make({ nbf: 1000 }), "not yet valid", at(989, "leeway = 10"));
  await believes(ana, make({ nbf: 1000 }), at(1000));
  await believes(ana, make({ nbf: 1000 }), at(990, "leeway = 10"));
  for (const date of ["1000", null, true, [], {}]) {
    await refuses(ana, make({ exp: date }), "malformed");
    await refuses(ana, make({ nbf: date }), "malformed");
  }

  await believes(ana, make({ aud: "chat" }), at(1, "aud = 'chat'"));
  await believes(ana, make({ aud: ["shop", "chat"] }), at(1, "aud = 'chat'"));
  for (const claims of [{ aud: "shop" }, { aud: ["shop"] }, { aud: [] }, { aud: [["chat"]] }, { aud: { chat: "chat" } }, { aud: null },
    { aud: "chat\0" }, {}]) {
    await refuses(ana, make(claims), "wrong audience", at(1, "aud = 'chat'"));
  }
  await refuses(ana, make({ aud: "chat" }), "wrong audience"); /* RFC 7519 4.1.3: nobody said that we are the chat */

  await believes(ana, make({ iss: "joe" }), at(1, "iss = 'joe'"));
  for (const claims of [{ iss: "eva" }, { iss: ["joe"] }, {}]) await refuses(ana, make(claims), "wrong issuer", at(1, "iss = 'joe'"));

  await refuses(ana, make({}, { header: { crit: ["exp"], exp: 1 } }), "critical header");
  await refuses(ana, make({}, { header: { crit: null } }), "critical header");
});

play("jwt_that_is_malformed_is_refused", async (ana) => {
  const good = make({ sub: "ana" });
  const [header, payload, signature] = good.split(".");
  for (const token of [null, 7, true, {}, "", ".", "..", "...", "a.b.c", header, `${header}.${payload}`, `${good}.`, `${good}.x`, ` ${good}`,
    `${good}\n`, `${good}=`, `${header}=.${payload}.${signature}`, `.${payload}.${signature}`, `Bearer ${good}`, `${header}.${payload}.${signature}AA`]) {
    await refuses(ana, token, "malformed");
  }
  for (const text of ["", "null", "[]", "[{}]", "7", '"x"', "{", "{}x", "\u0001{}", '{"alg"', Buffer.from('{"a":"\xff"}', "latin1")]) {
    await refuses(ana, make(text), "malformed");
  }
  for (const text of ["{", "[]", '["HS256"]', "x"]) await refuses(ana, make({}, { header: text }), "malformed");
  for (const text of ["{}", '{"alg":null}', '{"alg":["HS256"]}', '{"alg":"hs256"}']) await refuses(ana, make({}, { header: text }), "wrong algorithm");
  await refuses(ana, make({ deep: JSON.parse("[".repeat(100) + "]".repeat(100)) }), "malformed");
});

play("jwt_beyond_16_kib_is_too_long", async (ana) => {
  const filled = (bytes) => make({ x: "x".repeat(bytes) });
  let most = 12_000;
  while (filled(most + 1).length <= 16_384) most += 1;
  assert.equal((await believes(ana, filled(most))).x.length, most);
  await refuses(ana, filled(most + 3), "too long");
});

play("jwt_of_garbage_never_raises", async (ana) => {
  let seed = 7;
  const random = (n) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
  const alphabet = "ABCabc019-_.=+/{}\"\\ ";
  for (let i = 0; i < 200; i++) {
    const token = Array.from({ length: random(60) }, () => alphabet[random(alphabet.length)]).join("");
    assert.equal((await judge(ana, token, { alg: ALGS[i % 4] }))[0], null);
  }
});

play("jwt_raises_for_keys_and_options_that_can_verify_nothing", async (ana) => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey;
  const secp256k1 = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey;
  const ed448 = generateKeyPairSync("ed448").publicKey;
  const pss = generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey;
  const locked = rsa.privateKey.export({ type: "pkcs1", format: "pem", cipher: "aes-128-cbc", passphrase: "x" });
  for (const [set, why] of [
    [{ alg: "HS256", key: "x".repeat(31) }, /a secret of 31 bytes is too short for HS256: at least 32/],
    [{ alg: "RS256", key: pem(weak) }, /less than 2048 bits/], [{ alg: "RS256", key: pem(pss) }, /RS256 takes an RSA key/],
    [{ alg: "RS256", key: KEY.ES256 }, /RS256 takes an RSA key/], [{ alg: "ES256", key: KEY.RS256 }, /P-256/],
    [{ alg: "ES256", key: pem(p384) }, /P-256/], [{ alg: "ES256", key: pem(secp256k1) }, /P-256/],
    [{ alg: "EdDSA", key: pem(ed448) }, /Ed25519/], [{ alg: "EdDSA", key: KEY.ES256 }, /Ed25519/],
    [{ alg: "RS256", key: SECRET }, /no public key or certificate in PEM/], [{ alg: "RS256", key: "" }, /no public key/],
    [{ alg: "RS256", key: rsa.privateKey.export({ type: "pkcs8", format: "pem" }) }, /no public key/],
    [{ alg: "RS256", key: locked }, /no public key/],
  ]) {
    const [ok, error] = await ana.run("return pcall(chat.crypto.jwt, 'x', { alg = msg.alg, key = msg.key })", set);
    assert.equal(ok, false, JSON.stringify(set));
    assert.match(error, why);
  }
  for (const [options, why] of [["nil", /table/], ["{}", /say alg/], ["{ key = s }", /say alg/], ["{ alg = 'HS256' }", /say key/],
    ["{ alg = 'HS256', key = 7 }", /key is a number/], ["{ alg = 'HS384', key = s }", /say alg/], ["{ alg = 'HS256', key = s, audience = 'x' }", /takes no 'audience'/],
    ["{ alg = 'HS256', key = s, aud = {} }", /aud is a table/], ["{ alg = 'HS256', key = s, leeway = -1 }", /leeway/],
    ["{ alg = 'HS256', key = s, leeway = '1' }", /leeway is a string/], ["{ alg = 'HS256', key = s, now = 0/0 }", /now/]]) {
    const [ok, error] = await ana.run(`local s = msg.s; return pcall(chat.crypto.jwt, 'x', ${options})`, { s: SECRET });
    assert.equal(ok, false, options);
    assert.match(error, why);
  }
});

play("jwt_takes_the_key_of_a_certificate", async (ana) => {
  const dir = mkdtempSync(join(tmpdir(), "charlua-e2e-"));
  try {
    const [cert, key] = [join(dir, "c.pem"), join(dir, "k.pem")];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ana", "-keyout", key, "-out", cert], { stdio: "pipe" });
    const token = make({ sub: "ana" }, { alg: "RS256", key: readFileSync(key, "utf8") });
    assert.equal((await believes(ana, token, { alg: "RS256", key: readFileSync(cert, "utf8") })).sub, "ana");
    await refuses(ana, token, "bad signature", { alg: "RS256" });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

play("jwt_keeps_the_right_keys_however_many_there_are", async (ana) => {
  const keys = Array.from({ length: 40 }, () => generateKeyPairSync("ed25519"));
  for (const round of [1, 2]) {
    for (const [i, { publicKey, privateKey }] of keys.entries()) {
      const set = { alg: "EdDSA", key: pem(publicKey) };
      assert.deepEqual(await believes(ana, make({ i, round }, { alg: "EdDSA", key: privateKey }), set), { i, round });
      await refuses(ana, make({ i }, { alg: "EdDSA", key: keys[(i + 1) % keys.length].privateKey }), "bad signature", set);
    }
  }
});
