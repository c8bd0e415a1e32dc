// Tests verify.mjs against what it must not contain itself: ethers' own EIP-712 encoder, tries built by
// @ethereumjs/mpt, naive trees, files that break one rule each, and the golden vectors beside it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createMPT, createMerkleProof } from "@ethereumjs/mpt";
import { AbiCoder, concat, encodeRlp, getBytes, hexlify, id as hashText, keccak256, sha256, toBeArray, toBeHex, toUtf8Bytes, TypedDataEncoder, Wallet } from "ethers";
import { compare } from "./vectors.mjs";
import * as v from "./verify.mjs";

const ZERO = "0x" + "00".repeat(32);
const bytes32 = (n) => keccak256(toBeHex(n, 32));
const utf8 = (s) => new TextEncoder().encode(s);
const base64 = (b) => Buffer.from(getBytes(b)).toString("base64");
const author = new Wallet(bytes32(1));
const operator = new Wallet(bytes32(2));
const chain = { chainId: "1337", anchorLog: "0x" + "5f".repeat(20), promiseBond: "0x" + "b0".repeat(20), log: bytes32(3) };
const domain = (verifyingContract) => ({ name: "Hansard", version: "1", chainId: 1337n, verifyingContract });
const MESSAGE = { Message: "bytes32 log,string room,string author,uint64 sentAt,string kind,string body,string[] attachments,string source,bytes32 replyTo,bytes32 replaces,bytes32 seen,bytes32 notBefore,bytes32 salt"
  .split(",").map((f) => ({ type: f.split(" ")[0], name: f.split(" ")[1] })) };
const PROMISE = { Promise: [["bytes32", "log"], ["uint256", "index"], ["bytes32", "leaf"], ["uint256", "deadline"], ["address", "beneficiary"]]
  .map(([type, name]) => ({ type, name })) };

const node = (l, r) => keccak256(concat(["0x01", l, r]));
function naiveTree(leaves) {
  const rows = [[...leaves]];
  while (2 ** Math.ceil(Math.log2(leaves.length)) > rows[0].length) rows[0].push(ZERO);
  while (rows.at(-1).length > 1) {
    const next = [];
    for (let i = 0; i < rows.at(-1).length; i += 2) next.push(node(rows.at(-1)[i], rows.at(-1)[i + 1]));
    rows.push(next);
  }
  return { root: rows.at(-1)[0], proof: (i) => rows.slice(0, -1).map((row, k) => row[(i >> k) ^ 1]) };
}

const key = (i) => getBytes(encodeRlp(toBeArray(i)));
const same = (fields) => fields;
const txReceipt = (logs, { type = 2, status = "0x01", shape = same } = {}) =>
  concat([type === null ? "0x" : toBeHex(type), encodeRlp(shape([status, "0x5208", "0x" + "00".repeat(256), logs]))]);
async function receiptsTrie(values) {
  const trie = await createMPT({ useKeyHashing: false });
  for (const [i, value] of values.entries()) await trie.put(key(i), getBytes(value));
  return { root: hexlify(trie.root()), proof: (i) => createMerkleProof(trie, key(i)) };
}

const word = (n) => toBeHex(BigInt(n), 32);
/** The anchor of a batch in block 4 of a chain. */
async function anchorIn(chain, batch, { log: logShape = same, header: headerShape = same, tx = 1, txOptions } = {}) {
  const log = [chain.anchorLog, [hashText("Anchored(bytes32,uint256,bytes32,uint256,uint256,bytes32)"), chain.log, word(batch.number)],
    concat([batch.root, word(batch.first), word(batch.size), batch.cid])];
  const other = ["0x" + "11".repeat(20), [], "0x"];
  const trie = await receiptsTrie([txReceipt([]), txReceipt([other, logShape(log)], txOptions), txReceipt([other], { type: null })]);
  const header = encodeRlp(headerShape([...Array.from({ length: 5 }, (_, i) => bytes32(20 + i)), trie.root, "0x" + "00".repeat(256), "0x",
    "0x04", "0x01c9c380", "0x5208", toBeHex(BigInt(batch.time)), "0x", ZERO, "0x0000000000000000", "0x07", bytes32(30)]));
  return { blockNumber: "4", blockHash: keccak256(header), txIndex: tx, logIndex: 1, header: base64(header), proof: (await trie.proof(tx)).map(base64) };
}

const HEAD = "Head(uint256 chainId,address anchorLog,bytes32 log,uint256 batches,uint256 messages,bytes32 peaks,uint256 blockNumber,bytes32 blockHash)";
const upper = { chainId: "1", anchorLog: "0x" + "6f".repeat(20), log: bytes32(40) };
const leafOfHead = (head, of = chain) => keccak256(concat(["0x00", AbiCoder.defaultAbiCoder().encode(
  ["bytes32", "uint256", "address", "bytes32", "uint256", "uint256", "bytes32", "uint256", "bytes32"],
  [hashText(HEAD), of.chainId, of.anchorLog, of.log, head.batches, head.messages, keccak256(concat(head.peaks)), head.blockNumber, head.blockHash])]));

/** Adds to a finalized receipt, whose batch has number 2, a fold of a head of 7 batches; change alters the head before it is anchored. */
async function addFold(r, { change = same, root = same, size = "1" } = {}) {
  const b = r.batch;
  const hash = keccak256(concat(["0x00", word(b.number), b.root, word(b.first), word(b.size), word(b.time), b.cid]));
  const tree = naiveTree([bytes32(50), bytes32(51), hash, bytes32(53)]);
  const head = change({ batches: "7", messages: "40", peaks: [tree.root, node(bytes32(54), bytes32(55)), bytes32(56)], blockNumber: "9", blockHash: bytes32(41) });
  const batch = { number: "1", root: root(leafOfHead(head)), first: "1", size, time: "1795258234", cid: bytes32(42) };
  r.fold = { chain: { ...upper }, head, path: tree.proof(2), batch, anchor: await anchorIn(upper, batch) };
  return r;
}
const foldTrust = (change = {}) => v.parseTrust(encode({ format: "hansard-trust/1", logs: [{ name: "demo", ...chain, promiseKeys: [operator.address.toLowerCase()] },
  { name: "heads", ...upper, promiseBond: "0x" + "00".repeat(20), promiseKeys: [], ...change }] }));

/** A valid receipt of the level; change alters its parts before they are hashed and signed. */
async function makeReceipt(level, { scheme = "eip712", deadline = 1795341030n, message = {}, vouch, evidence, log: logShape = same, header: headerShape = same, tx = 1, txOptions, disclosed = true, promised = true } = {}) {
  const wallet = author.address.toLowerCase();
  const m = { log: chain.log, room: "demo-dao", author: wallet, sentAt: "1795254630000", kind: "text/plain",
    body: "I will vote FOR \u{1f600} \u0000\u2028 \"12\".", attachments: ["bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"], source: "https://x.example/1",
    replyTo: ZERO, replaces: ZERO, seen: ZERO, notBefore: bytes32(9), salt: bytes32(4), ...message };
  const messageId = TypedDataEncoder.hash(domain(chain.anchorLog), MESSAGE, m);
  const proof = evidence ?? (scheme === "eip191" ? await author.signMessage(`hansard:${messageId}`)
    : scheme === "eip712" ? await author.signTypedData(domain(chain.anchorLog), MESSAGE, m) : "0x");
  const entry = { log: chain.log, index: "9", room: hashText(m.room), roomIndex: "1", roomPrev: bytes32(5), message: messageId,
    author: keccak256(concat([m.salt, toUtf8Bytes(m.author)])), vouch: vouch ?? (scheme === "none" ? 6 : 1), evidence: sha256(proof), receivedAt: "1795254630412" };
  const leaf = v.leafOf(entry);
  const promise = { deadline: String(deadline), beneficiary: wallet };
  promise.signature = await operator.signTypedData(domain(chain.promiseBond), PROMISE, { log: chain.log, index: 9n, leaf, ...promise });
  const r = { format: "hansard-receipt/1", level, chain, message: disclosed ? m : null,
    authorship: disclosed ? { scheme, evidence: base64(proof) } : null, entry, ...(promised && { promise }) };
  if (level === "promised") return r;

  const tree = naiveTree([bytes32(10), leaf, bytes32(11)]);
  r.batch = { number: "2", root: tree.root, first: "8", size: "3", time: "1795254634", cid: bytes32(6) };
  r.inclusion = tree.proof(1);
  r.anchor = await anchorIn(chain, r.batch, { log: logShape, header: headerShape, tx, txOptions });
  if (level !== "finalized") ["header", "proof"].forEach((key) => delete r.anchor[key]);
  r.hints = { tx: bytes32(7), any: [1.5e-3, true, null, { "": -0 }] };
  return r;
}
const encode = (r) => utf8(JSON.stringify(r));
const trustOf = (change = {}) => v.parseTrust(encode({ format: "hansard-trust/1",
  logs: [{ name: "demo", ...chain, promiseKeys: [operator.address.toLowerCase()], ...change }] }));
const statuses = (result) => Object.fromEntries(result.checks.map((c) => [c.id, c.status]));

test("parseJSON keeps rules 1 to 3", () => {
  const deep = (n) => '{"a":'.repeat(n) + "1" + "}".repeat(n);
  const ok = ['{}', '{}\n', '{ "a" :\t[ ]\r\n}', '{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00"}', '{"a":1.5e-3,"b":-0,"c":[true,false,null,{}]}',
    '{"":0}', '{"__proto__":1}', '{"a":"\u007f\u2028\ufeff"}', deep(32), '{"a":"' + "x".repeat(900000) + '"}'];
  for (const s of ok) assert.doesNotThrow(() => v.parseJSON(utf8(s)), s.slice(0, 60));
  const bad = ['', ' {}', '\ufeff{}', '[]', '"a"', 'null', '{}\n\n', '{} ', '{}\r\n', '{}{}', '{}x', '{"a":1', '{"a":1,}', '{,}', '{"a" 1}', '{a:1}',
    '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"h":{"a":1,"a":1}}', '{"a":[1,]}', '{"a":[,1]}', '{"a":[1 2]}', '{"a":01}', '{"a":+1}', '{"a":.5}',
    '{"a":1.}', '{"a":1e}', '{"a":-}', '{"a":NaN}', '{"a":True}', '{"a":nul}', '{"a":"\\x41"}', '{"a":"\\u00E9"}', '{"a":"\\u12"}', '{"a":"\\\'"}',
    '{"a":"\\ud83d"}', '{"a":"\\ude00"}', '{"a":"\\ude00\\ud83d"}', '{"a":"\\ud83dx"}', '{"\\ud83d":1}', '{"a":"\t"}', '{"a":"\n"}', '{"a":"\u0000"}', "{'a':1}",
    '{"a":"b}', '{"a":1}//', '{"a"\u00a0:1}', '{"a":\u000b1}', deep(33), '{"a":' + "[".repeat(200000)];
  for (const s of bad) assert.throws(() => v.parseJSON(utf8(s)), s.slice(0, 60));
  for (const b of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3]])
    assert.throws(() => v.parseJSON(Uint8Array.from([...utf8('{"a":"'), ...b, ...utf8('"}')])), `bytes ${b}`);
  assert.equal(v.parseJSON(utf8('{"a":"\\u0022\\ud83d\\ude00\\/"}')).get("a"), '"\u{1f600}/');
  assert.equal(v.parseJSON(utf8('{"a":1.0}')).get("a").token, "1.0");
});

test("isCID takes canonical CIDv1 base32 only", () => {
  const base32 = (b) => {
    const bits = [...b].map((x) => x.toString(2).padStart(8, "0")).join("").replace(/(.{5})|(.+)$/g, (s) => s.padEnd(5, "0"));
    return "b" + bits.match(/.{5}/g).map((x) => "abcdefghijklmnopqrstuvwxyz234567"[parseInt(x, 2)]).join("");
  };
  const digest = getBytes(bytes32(0));
  const good = base32([1, 0x71, 0x12, 32, ...digest]);
  assert.ok(v.isCID(good));
  assert.ok(v.isCID("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"));
  assert.ok(v.isCID(base32([1, 0x55, 0, 0])), "identity of nothing");
  assert.ok(v.isCID(base32([1, 0xa9, 0x02, 0x12, 32, ...digest])), "two byte codec");
  const bad = { upper: good.toUpperCase(), padded: good + "=", spare: good + "a", base58: "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG", prefix: good.slice(1),
    bits: good.slice(0, -1) + "b", version: base32([2, 0x71, 0x12, 32, ...digest]), v0: base32([0x12, 32, ...digest]), short: base32([1, 0x71, 0x12, 32, ...digest.slice(1)]),
    long: base32([1, 0x71, 0x12, 32, ...digest, 0]), varint: base32([1, 0xf1, 0x00, 0x12, 32, ...digest]), cut: base32([1, 0x71, 0x92]), empty: "b", none: "",
    size: base32([1, 0x71, 0x12, 80, ...new Uint8Array(80)]) };
  for (const [name, s] of Object.entries(bad)) assert.equal(v.isCID(s), false, name);
});

test("trees of 1 to 33 leaves and every proof agree with a naive tree", () => {
  for (let n = 1; n <= 33; n++) {
    const leaves = Array.from({ length: n }, (_, i) => bytes32(i));
    const { root, proof } = naiveTree(leaves);
    assert.equal(v.rootOf(leaves), root);
    for (let i = 0; i < n; i++) {
      assert.equal(v.inclusionRoot(leaves[i], i, n, proof(i)), root);
      assert.throws(() => v.inclusionRoot(leaves[i], i, n, [...proof(i), ZERO]));
      if (n > 1) assert.throws(() => v.inclusionRoot(leaves[i], i, n, proof(i).slice(1)));
    }
    assert.throws(() => v.inclusionRoot(leaves[0], n, n, proof(0)), "a position beyond the tree");
  }
  assert.throws(() => v.rootOf([]));
  assert.throws(() => v.inclusionRoot(ZERO, -1, 4, [ZERO, ZERO]));
});

test("range peaks and paths agree with appending one by one", () => {
  const peaks = [];
  const hashes = Array.from({ length: 40 }, (_, i) => bytes32(100 + i));
  for (const [i, hash] of hashes.entries()) {
    let [h, carry] = [0, hash];
    while (peaks[h] && peaks[h] !== ZERO) [carry, peaks[h], h] = [node(peaks[h], carry), ZERO, h + 1];
    peaks[h] = carry;
    const count = i + 1;
    assert.deepEqual(v.rangePeaks(hashes.slice(0, count)), peaks);
    for (let number = 0; number < count; number++) {
      const h = v.rangeHeight(number, count);
      const start = (number >> h) << h;
      assert.ok((count >> h) & 1);
      assert.equal(v.rangePeak(hashes[number], number, count, naiveTree(hashes.slice(start, start + 2 ** h)).proof(number - start)), peaks[h]);
    }
    assert.throws(() => v.rangeHeight(count, count));
  }
});

test("recover takes plain low-s signatures only", async () => {
  const digest = bytes32(1);
  const { r, s, v: odd } = author.signingKey.sign(digest);
  const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const sig = (r, s, v) => concat([toBeHex(BigInt(r), 32), toBeHex(BigInt(s), 32), toBeHex(v)]);
  assert.equal(v.recover(digest, sig(r, s, odd)), author.address.toLowerCase());
  assert.notEqual(v.recover(digest, sig(r, s, 55 - odd)), author.address.toLowerCase());
  const bad = { high: sig(r, n - BigInt(s), 55 - odd), half: sig(r, n / 2n + 1n, odd), zero: sig(r, 0, odd), r: sig(0, s, odd), big: sig(n, s, odd), v0: sig(r, s, odd - 27),
    v29: sig(r, s, odd + 2), short: sig(r, s, odd).slice(0, -2), long: sig(r, s, odd) + "00", compact: concat([r, s]), none: "0x" };
  for (const [name, hex] of Object.entries(bad)) assert.throws(() => v.recover(digest, hex), name);
});

test("parseRLP refuses what is not canonical", () => {
  for (const hex of ["0x", "0x8101", "0x817f", "0xb801ff", "0xb83700", "0xb90038" + "ff".repeat(56), "0xc1", "0xc4c1820101", "0xc281", "0xc18200", "0xf800", "0xf90000",
    "0xc000", "0x0102", "0xb8", "0xbfffffffffffffffff", "0xffffffffffffffffff", "0xf8"])
    assert.throws(() => v.parseRLP(getBytes(hex)), hex);
  for (const item of ["0x", "0x00", "0x7f", "0x80", "0x" + "ff".repeat(55), "0x" + "ff".repeat(56), "0x" + "ff".repeat(70000), [], ["0x01", [], [["0x80"]]]]) {
    const plain = (x) => (Array.isArray(x) ? Array.from(x, plain) : hexlify(x));
    assert.deepEqual(plain(v.parseRLP(getBytes(encodeRlp(item)))), item);
  }
  const nested = (n) => Array.from({ length: n }).reduce((item) => [item], []);
  assert.doesNotThrow(() => v.parseRLP(getBytes(encodeRlp(nested(31)))));
  assert.throws(() => v.parseRLP(getBytes(encodeRlp(nested(32)))));
});

test("trieValue walks receipts tries and takes no other proof", async () => {
  for (const size of [1, 2, 3, 17, 130, 300]) {
    const values = Array.from({ length: size }, (_, i) => txReceipt([["0x" + "11".repeat(20), [], toBeHex(i, 4)]]));
    const { root, proof } = await receiptsTrie(values);
    for (const i of new Set([0, 1, 2, 15, 16, 127, 128, 129, 255, 256, size - 1].filter((i) => i < size))) {
      const nodes = await proof(i);
      const at = (list) => () => v.trieValue(root, hexlify(key(i)), list);
      assert.equal(hexlify(at(nodes)()), values[i], `${i} of ${size}`);
      assert.throws(at([]), "no node");
      assert.throws(at(nodes.slice(0, -1)), "the last node is missing");
      assert.throws(at([...nodes, nodes.at(-1)]), "a surplus node");
      assert.throws(at([nodes[0], ...nodes]), "a repeated node");
      if (nodes.length > 1) assert.throws(at([...nodes].reverse()), "reordered nodes");
      assert.throws(at(nodes.map((n) => n.map((b, k) => (k === n.length - 1 ? b ^ 1 : b)))), "an altered node");
      assert.throws(() => v.trieValue(root, hexlify(key(i + 1)), nodes), "another key");
      assert.throws(() => v.trieValue(bytes32(0), hexlify(key(i)), nodes), "another root");
    }
    const absent = await proof(size);
    assert.throws(() => v.trieValue(root, hexlify(key(size)), absent), /absent|malformed/);
  }
});

test("trieValue refuses nodes of another shape", () => {
  const long = "0x" + "aa".repeat(40);
  const walk = (nodes, keyHex = "0x80") => v.trieValue(keccak256(nodes[0]), keyHex, nodes.map((n) => getBytes(n)));
  const leaf = (path, value = long) => encodeRlp([path, value]);
  const branch = (children, value = "0x") => encodeRlp([...Array.from({ length: 16 }, (_, i) => children[i] ?? "0x"), value]);
  assert.equal(hexlify(walk([leaf("0x2080")])), long);
  assert.equal(hexlify(walk([branch({ 8: ["0x30", "0xbb"] })])), "0xbb", "an embedded leaf");
  assert.equal(hexlify(walk([branch({ 8: keccak256(branch({ 0: keccak256(leaf("0x20")) })) }), branch({ 0: keccak256(leaf("0x20")) }), leaf("0x20")])), long, "a leaf without nibbles");
  assert.equal(hexlify(walk([encodeRlp(["0x0080", keccak256(branch({}, long))]), branch({}, long)])), long, "the value of a branch");
  const bad = { padding: [leaf("0x2180")], flag: [leaf("0x4080")], nopath: [encodeRlp(["0x", long])], three: [encodeRlp(["0x2080", long, "0x"])], sixteen: [encodeRlp(Array(16).fill("0x"))],
    empty: [leaf("0x2080", "0x")], list: [encodeRlp(["0x2080", [long]])], string: [encodeRlp(long)], trailing: [leaf("0x2080") + "00"], longer: [leaf("0x208080")], shorter: [leaf("0x38")],
    extension: [encodeRlp(["0x00", keccak256(leaf("0x2080"))]), leaf("0x2080")], child31: [branch({ 1: "0x" + "11".repeat(31), 8: ["0x30", "0xbb"] })],
    embedded: [branch({ 8: ["0x30", "0x" + "bb".repeat(29)] })], hashed: [branch({ 8: keccak256(leaf("0x30", "0xbb")) }), leaf("0x30", "0xbb")],
    value: [branch({ 8: ["0x30", "0xbb"] }, ["0x01"])], path: [encodeRlp([["0x20"], long])] };
  for (const [name, nodes] of Object.entries(bad)) assert.throws(() => walk(nodes), name);
});

test("ids and digests agree with ethers' typed data", async () => {
  const { message, promise, entry } = await makeReceipt("promised");
  assert.equal(v.messageId(chain, message), TypedDataEncoder.hash(domain(chain.anchorLog), MESSAGE, message));
  assert.equal(v.messageId(chain, { ...message, attachments: [] }), TypedDataEncoder.hash(domain(chain.anchorLog), MESSAGE, { ...message, attachments: [] }));
  const p = { ...promise, index: "9", leaf: v.leafOf(entry) };
  assert.equal(v.promiseDigest(chain, p), TypedDataEncoder.hash(domain(chain.promiseBond), PROMISE, { log: chain.log, ...p }));
  assert.equal((v.leafData(entry).length - 2) / 2, 352);
  assert.throws(() => v.messageId(chain, { ...message, body: "\ud800" }));
});

test("verdicts", async () => {
  const final = await makeReceipt("finalized");
  const all = { trust: trustOf(), blockHash: "own", expectAuthor: author.address, expectRoom: "demo-dao" };
  const late = { deadline: 1795254633n };
  const rows = [
    ["all given", final, all, 0, { V1: "pass", V2: "pass", V3: "pass", V4: "skip", V5: "pass", V6: "skip", V7: "pass", V8: "pass", V9: "pass", V10: "pass", V11: "skip", V12: "pass" }],
    ["deadline met to the second", await makeReceipt("finalized", { deadline: 1795254634n }), all, 0, { V12: "pass" }],
    ["eip191", await makeReceipt("finalized", { scheme: "eip191" }), all, 0, { V3: "pass" }],
    ["none", await makeReceipt("finalized", { scheme: "none" }), { ...all, expectAuthor: "" }, 0, { V3: "pass" }],
    ["none, author expected", await makeReceipt("finalized", { scheme: "none" }), all, 12, { V3: "pass" }],
    ["undisclosed", await makeReceipt("finalized", { disclosed: false }), { ...all, expectAuthor: "" }, 0, { V2: "skip", V3: "skip" }],
    ["undisclosed, author expected", await makeReceipt("finalized", { disclosed: false }), all, 12],
    ["undisclosed, other room", await makeReceipt("finalized", { disclosed: false }), { ...all, expectAuthor: "", expectRoom: "x" }, 13],
    ["nothing given", final, {}, 12, { V8: "unknown", V9: "unknown", V10: "unknown", V12: "unknown" }],
    ["no block hash", final, { ...all, blockHash: "" }, 12, { V8: "unknown", V9: "pass", V10: "unknown", V12: "pass" }],
    ["no trust", final, { ...all, trust: null }, 12, { V9: "unknown", V12: "unknown" }],
    ["other block", final, { ...all, blockHash: bytes32(0) }, 10, { V8: "fail", V10: "unknown" }],
    ["other log trusted", final, { ...all, trust: trustOf({ log: bytes32(0) }) }, 13, { V9: "fail", V12: "unknown" }],
    ["other bond trusted", final, { ...all, trust: trustOf({ promiseBond: "0x" + "00".repeat(20) }) }, 13, { V9: "fail" }],
    ["other key", final, { ...all, trust: trustOf({ promiseKeys: [author.address.toLowerCase()] }) }, 10, { V12: "fail" }],
    ["other author expected", final, { ...all, expectAuthor: operator.address }, 13],
    ["other room expected", final, { ...all, expectRoom: "demo" }, 13],
    ["promised", await makeReceipt("promised"), all, 11, { V5: "skip", V7: "skip", V8: "skip", V10: "unknown", V12: "pass" }],
    ["included", await makeReceipt("included"), all, 11, { V5: "pass", V7: "unknown", V8: "pass", V10: "unknown", V12: "pass" }],
    ["included, untrusted", await makeReceipt("included"), { ...all, trust: trustOf({ log: bytes32(0) }) }, 13],
    ["included, late", await makeReceipt("included", late), all, 11, { V12: "pass" }],
    ["late", await makeReceipt("finalized", late), all, 14, { V12: "fail" }],
    ["late, no block hash", await makeReceipt("finalized", late), { ...all, blockHash: "" }, 12, { V12: "fail" }],
    ["session", await makeReceipt("finalized", { scheme: "session", vouch: 2, evidence: "0x01" }), all, 12, { V3: "unknown" }],
    ["session, class 1", await makeReceipt("finalized", { scheme: "session", vouch: 1, evidence: "0x01" }), all, 10, { V3: "fail" }],
    ["webhook", await makeReceipt("finalized", { scheme: "webhook:forum", vouch: 5, evidence: "0x01" }), all, 12, { V3: "unknown" }],
    ["unlisted scheme", await makeReceipt("finalized", { scheme: "constructor", vouch: 3, evidence: "0x01" }), all, 12, { V3: "unknown" }],
    ["unlisted scheme, class 0", await makeReceipt("finalized", { scheme: "foo", vouch: 0, evidence: "0x01" }), all, 10, { V1: "fail" }],
    ["none with evidence", await makeReceipt("finalized", { scheme: "none", evidence: "0x01" }), all, 10, { V3: "fail" }],
    ["none as class 1", await makeReceipt("finalized", { scheme: "none", vouch: 1 }), all, 10, { V3: "fail" }],
    ["signed for another author", await makeReceipt("finalized", { message: { author: operator.address.toLowerCase() } }), { ...all, expectAuthor: "" }, 10, { V2: "pass", V3: "fail" }],
    ["signed, author is a URI", await makeReceipt("finalized", { message: { author: "did:x" } }), { ...all, expectAuthor: "" }, 10, { V3: "fail" }],
    ["failed transaction", await makeReceipt("finalized", { txOptions: { status: "0x" } }), all, 10, { V7: "fail", V8: "pass", V12: "unknown" }],
    ["typed 0x7f", await makeReceipt("finalized", { txOptions: { type: 0x7f } }), all, 0, { V7: "pass" }],
    ["typed 0x80", await makeReceipt("finalized", { txOptions: { type: 0x80 } }), all, 10, { V7: "fail" }],
    ["untyped", await makeReceipt("finalized", { txOptions: { type: null } }), all, 0, { V7: "pass" }],
    ["another transaction", await makeReceipt("finalized", { tx: 2 }), all, 10, { V7: "fail" }],
    ["no promise", await makeReceipt("finalized", { promised: false }), all, 0, { V12: "skip" }],
    ["promised, no promise", await makeReceipt("promised", { promised: false }), all, 10, { V1: "fail" }],
    ["header of 15", await makeReceipt("finalized", { header: (f) => f.slice(0, 15) }), all, 0, { V7: "pass" }],
    ["header of 14", await makeReceipt("finalized", { header: (f) => f.slice(0, 14) }), all, 10, { V7: "fail", V8: "pass" }],
    ["header with a list", await makeReceipt("finalized", { header: (f) => [...f, []] }), all, 10, { V7: "fail" }],
    ["header number padded", await makeReceipt("finalized", { header: (f) => f.with(8, "0x0004") }), all, 10, { V7: "fail" }],
    ["header time of 9 bytes", await makeReceipt("finalized", { header: (f) => f.with(11, "0x01" + "00".repeat(8)) }), all, 10, { V7: "fail" }],
    ["transaction receipt of five", await makeReceipt("finalized", { txOptions: { shape: (f) => [...f, "0x"] } }), all, 10, { V7: "fail" }],
    ["transaction receipt, short bloom", await makeReceipt("finalized", { txOptions: { shape: (f) => f.with(2, "0x" + "00".repeat(255)) } }), all, 10, { V7: "fail" }],
    ["transaction receipt, state root", await makeReceipt("finalized", { txOptions: { status: bytes32(0) } }), all, 10, { V7: "fail" }],
    ["log of four", await makeReceipt("finalized", { log: (l) => [...l, "0x"] }), all, 10, { V7: "fail" }],
    ["log of another contract", await makeReceipt("finalized", { log: (l) => l.with(0, "0x" + "00".repeat(20)) }), all, 10, { V7: "fail" }],
    ["log with another event", await makeReceipt("finalized", { log: ([a, t, d]) => [a, t.with(0, bytes32(0)), d] }), all, 10, { V7: "fail" }],
    ["log with four topics", await makeReceipt("finalized", { log: ([a, t, d]) => [a, [...t, bytes32(0)], d] }), all, 10, { V7: "fail" }],
    ["log with longer data", await makeReceipt("finalized", { log: ([a, t, d]) => [a, t, d + "00"] }), all, 10, { V7: "fail" }],
    ["malformed", { format: "hansard-receipt/1" }, all, 10, { V1: "fail", V2: "skip", V12: "skip" }],
  ];
  for (const [name, receipt, input, exit, checks = {}] of rows) {
    const blockHash = input.blockHash === "own" ? receipt.anchor?.blockHash ?? bytes32(0) : input.blockHash;
    const result = v.verify(encode(receipt), { ...input, blockHash });
    assert.equal(result.exit, exit, `${name}: ${JSON.stringify(result.checks)}`);
    for (const [id, status] of Object.entries(checks)) assert.equal(statuses(result)[id], status, `${name}: ${id}`);
  }
});

test("each altered field fails the check that guards it", async () => {
  const base = await makeReceipt("finalized");
  const input = { trust: trustOf(), blockHash: base.anchor.blockHash };
  const x = bytes32(77);
  const rows = [
    ["V1", (r) => { r.extra = 1; }], ["V1", (r) => { delete r.anchor; }], ["V1", (r) => { delete r.message; }], ["V1", (r) => { r.promise = null; }], ["V1", (r) => { r.hints = null; }],
    ["V1", (r) => { r.hints = []; }], ["V1", (r) => { r.level = "included"; }], ["V1", (r) => { r.level = "promised"; }], ["V1", (r) => { r.level = "final"; }],
    ["V1", (r) => { r.format = "hansard-receipt/2"; }], ["V1", (r) => { r.authorship = null; }], ["V1", (r) => { r.message = null; }], ["V1", (r) => { r.entry.log = x; }],
    ["V1", (r) => { r.message.log = x; }], ["V1", (r) => { r.entry.index = 9; }], ["V1", (r) => { r.entry.index = "09"; }], ["V1", (r) => { r.entry.index = "-1"; }], ["V1", (r) => { r.entry.index = "18446744073709551616"; }],
    ["V1", (r) => { r.entry.vouch = "1"; }], ["V1", (r) => { r.entry.vouch = 256; }], ["V1", (r) => { r.anchor.txIndex = 4294967296; }], ["V1", (r) => { r.anchor.txIndex = "1"; }], ["V1", (r) => { r.anchor.logIndex = 0.5; }],
    ["V1", (r) => { r.chain.anchorLog = r.chain.anchorLog.toUpperCase(); }], ["V1", (r) => { r.chain.log = r.chain.log.slice(2); }], ["V1", (r) => { r.message.salt += "0"; }], ["V1", (r) => { r.entry.room = r.entry.room.toUpperCase().replace("X", "x"); }],
    ["V1", (r) => { r.batch.size = "0"; }], ["V1", (r) => { r.batch.size = "4294967296"; }], ["V1", (r) => { r.batch.number = "4294967296"; }], ["V1", (r) => { r.batch.first = "18446744073709551614"; }],
    ["V1", (r) => { r.inclusion = Array(33).fill(ZERO); }], ["V1", (r) => { r.anchor.proof = []; }], ["V1", (r) => { r.anchor.header = ""; }], ["V1", (r) => { r.anchor.header = null; }], ["V1", (r) => { r.promise.signature = "0x"; }],
    ["V1", (r) => { r.authorship.evidence += "\n"; }], ["V1", (r) => { r.authorship.evidence = "q83"; }], ["V1", (r) => { r.authorship.evidence = "q83="; }], ["V1", (r) => { r.authorship.evidence = "_-8="; }], ["V1", (r) => { r.authorship.evidence = base64(new Uint8Array(65537)); }],
    ["V1", (r) => { r.authorship.block = { number: "1", hash: x }; }], ["V1", (r) => { r.authorship.scheme = "EIP712"; }], ["V1", (r) => { r.authorship.scheme = ""; }], ["V1", (r) => { r.authorship.scheme = "a".repeat(65); }],
    ["V1", (r) => { r.message.room = ""; }], ["V1", (r) => { r.message.room = "Demo"; }], ["V1", (r) => { r.message.room = "a".repeat(129); }], ["V1", (r) => { r.message.room = "demo-dao\n"; }], ["V1", (r) => { r.message.author = author.address; }],
    ["V1", (r) => { r.message.author = "did:"; }], ["V1", (r) => { r.message.author = "0x12"; }], ["V1", (r) => { r.message.author = "did:" + "\u00e9".repeat(127); }], ["V1", (r) => { r.message.kind = "text"; }], ["V1", (r) => { r.message.kind = "text/plain; charset=x"; }],
    ["V1", (r) => { r.message.kind = "Text/plain"; }], ["V1", (r) => { r.message.kind = "text/.plain"; }], ["V1", (r) => { r.message.kind = ""; }], ["V1", (r) => { r.message.kind = "a/" + "b".repeat(127); }], ["V1", (r) => { r.message.body = "\u00e9".repeat(32769); }],
    ["V1", (r) => { r.message.source = "x"; }], ["V1", (r) => { r.message.source = "a:" + "b".repeat(2047); }], ["V1", (r) => { r.message.attachments = ["bafy"]; }], ["V1", (r) => { r.message.attachments = Array(65).fill(r.message.attachments[0]); }],
    ["V1", (r) => { r.hints.pad = "x".repeat(1 << 20); }],
    ["V2", (r) => { r.message.body += "!"; }], ["V2", (r) => { r.message.room = "demo"; }], ["V2", (r) => { r.entry.room = x; }], ["V2", (r) => { r.entry.author = x; }], ["V2", (r) => { r.entry.message = x; }], ["V2", (r) => { r.chain.chainId = "1"; }],
    ["V3", (r) => { r.entry.evidence = x; }], ["V3", (r) => { r.entry.vouch = 3; }], ["V3", (r) => { r.authorship.scheme = "eip191"; }], ["V3", (r) => { r.authorship.evidence = ""; }],
    ["V5", (r) => { r.batch.first = "7"; }], ["V5", (r) => { r.batch.first = "10"; }], ["V5", (r) => { r.batch.size = "1"; }], ["V5", (r) => { r.inclusion.push(ZERO); }], ["V5", (r) => { r.inclusion.reverse(); }], ["V5", (r) => { r.batch.root = x; }], ["V5", (r) => { r.entry.receivedAt = "0"; }],
    ["V6", (r) => { r.entry.roomPrev = ZERO; }], ["V6", (r) => { r.entry.roomIndex = "0"; }], ["V6", (r) => { r.entry.roomIndex = "10"; }],
    ["V7", (r) => { r.anchor.blockHash = x; }], ["V7", (r) => { r.anchor.blockNumber = "5"; }], ["V7", (r) => { r.batch.time = "1795254635"; }], ["V7", (r) => { r.batch.number = "3"; }], ["V7", (r) => { r.batch.cid = x; }], ["V7", (r) => { r.batch.size = "4"; }],
    ["V7", (r) => { r.anchor.txIndex = 0; }], ["V7", (r) => { r.anchor.logIndex = 0; }], ["V7", (r) => { r.anchor.logIndex = 2; }], ["V7", (r) => { r.anchor.proof.push(r.anchor.proof[0]); }], ["V7", (r) => { r.anchor.proof.reverse(); }], ["V7", (r) => { r.anchor.proof.pop(); }],
    ["V7", (r) => { r.chain.anchorLog = "0x" + "5e".repeat(20); }], ["V8", (r) => { r.anchor.header = base64(concat([Buffer.from(r.anchor.header, "base64"), "0x00"])); }],
    ["V12", (r) => { r.promise.deadline = "1"; }], ["V12", (r) => { r.promise.beneficiary = "0x" + "00".repeat(20); }], ["V12", (r) => { r.promise.signature = r.promise.signature.slice(0, -2) + "1d"; }],
  ];
  for (const [id, alter] of rows) {
    const r = structuredClone(base);
    alter(r);
    const result = v.verify(encode(r), input);
    assert.equal(statuses(result)[id], "fail", `${id} ${alter}: ${JSON.stringify(result.checks)}`);
    assert.equal(result.exit, 10, `${id} ${alter}`);
  }
});

test("a fold is checked and leaves the first anchor as it is", async () => {
  const plain = await makeReceipt("finalized");
  const r = await addFold(await makeReceipt("finalized"));
  const all = { trust: foldTrust(), blockHash: r.anchor.blockHash, foldBlockHash: r.fold.anchor.blockHash };
  const own = { change: (h) => ({ ...h, blockNumber: "4", blockHash: plain.anchor.blockHash }) };
  const rows = [
    ["all given", r, all, 0, "pass"], ["none in the file", plain, { ...all, foldBlockHash: "" }, 0, "skip"], ["none in the file, expected", plain, all, 13, "skip"],
    ["no hash of the fold's block", r, { ...all, foldBlockHash: "" }, 0, "unknown"], ["another hash", r, { ...all, foldBlockHash: bytes32(0) }, 10, "fail"],
    ["another log trusted", r, { ...all, trust: foldTrust({ log: bytes32(0) }), foldBlockHash: "" }, 0, "unknown"],
    ["another log trusted, expected", r, { ...all, trust: foldTrust({ chainId: "2" }) }, 12, "unknown"], ["another contract trusted, expected", r, { ...all, trust: foldTrust({ anchorLog: "0x" + "00".repeat(20) }) }, 12, "unknown"],
    ["any bond", r, { ...all, trust: foldTrust({ promiseBond: "0x" + "11".repeat(20) }) }, 0, "pass"], ["no trust", r, { ...all, trust: null }, 12, "unknown"],
    ["no block hash", r, { ...all, blockHash: "" }, 12, "pass"], ["head in the batch's block", await addFold(await makeReceipt("finalized"), own), all, 0, "pass"],
  ];
  for (const [name, receipt, input, exit, status] of rows) {
    const foldBlockHash = input.foldBlockHash === all.foldBlockHash ? receipt.fold?.anchor.blockHash ?? all.foldBlockHash : input.foldBlockHash;
    const result = v.verify(encode(receipt), { ...input, foldBlockHash });
    assert.equal(result.exit, exit, `${name}: ${JSON.stringify(result)}`);
    assert.equal(statuses(result).V13, status, name);
  }
  assert.match(v.verify(encode(r), all).ending[1], /your trust file; the hash of the fold's block you gave/);
});

test("each altered field of a fold fails", async () => {
  const base = await addFold(await makeReceipt("finalized"));
  const input = { trust: foldTrust(), blockHash: base.anchor.blockHash };
  const x = bytes32(77);
  const malformed = [(f) => { f.extra = 1; }, (f) => { f.inclusion = []; }, (f) => { f.chain.promiseBond = "0x" + "00".repeat(20); }, (f) => { f.head.log = x; }, (f) => { f.head.batches = 7; },
    (f) => { f.head.batches = "4294967296"; }, (f) => { f.head.messages = "18446744073709551616"; }, (f) => { f.head.peaks = Array(33).fill(x); }, (f) => { f.path = Array(32).fill(x); }, (f) => { f.path = null; },
    (f) => { f.batch.size = "0"; }, (f) => { f.batch.first = "18446744073709551615"; }, (f) => { f.anchor.header = ""; }, (f) => { f.anchor.proof = []; }, (f) => { f.anchor.txIndex = "1"; },
    ...["chain", "head", "path", "batch", "anchor"].map((key) => (f) => { delete f[key]; }), ...["batches", "messages", "peaks", "blockNumber", "blockHash"].map((key) => (f) => { delete f.head[key]; })];
  const wrong = [(f) => { f.chain.chainId = chain.chainId; }, (f) => { f.chain.anchorLog = chain.anchorLog; }, (f) => { f.chain.log = x; }, (f) => { f.head.batches = "6"; }, (f) => { f.head.batches = "0"; },
    (f) => { f.head.batches = "11"; }, (f) => { f.head.messages = "41"; }, (f) => { f.head.messages = "6"; }, (f) => { f.head.peaks.reverse(); }, (f) => { f.head.peaks.pop(); }, (f) => { f.head.peaks.push(x); },
    ...[0, 1, 2].map((i) => (f) => { f.head.peaks[i] = x; }), (f) => { f.head.blockNumber = "10"; }, (f) => { f.head.blockNumber = "3"; }, (f) => { f.head.blockHash = x; },
    (f) => { f.path[0] = x; }, (f) => { f.path.reverse(); }, (f) => { f.path.pop(); }, (f) => { f.path.push(x); }, (f) => { f.batch.number = "2"; }, (f) => { f.batch.root = x; }, (f) => { f.batch.first = "2"; },
    (f) => { f.batch.size = "2"; }, (f) => { f.batch.time = "1795258235"; }, (f) => { f.batch.cid = x; }, (f) => { f.anchor.blockNumber = "5"; }, (f) => { f.anchor.blockHash = x; }, (f) => { f.anchor.txIndex = 0; },
    (f) => { f.anchor.logIndex = 0; }, (f) => { f.anchor.logIndex = 2; }, (f) => { f.anchor.proof.push(f.anchor.proof[0]); }, (f) => { f.anchor.proof.pop(); }, (f) => { f.anchor.proof.reverse(); },
    (f) => { f.anchor.header = base64(concat([Buffer.from(f.anchor.header, "base64"), "0x00"])); }];
  for (const [id, alters] of [["V1", malformed], ["V13", wrong]]) {
    for (const alter of alters) {
      const r = structuredClone(base);
      alter(r.fold);
      const result = v.verify(encode(r), input);
      assert.equal(statuses(result)[id], "fail", `${id} ${alter}: ${JSON.stringify(result.checks)}`);
      assert.equal(result.exit, 10, `${id} ${alter}`);
    }
  }
  const set = (fields) => ({ change: (h) => ({ ...h, ...fields }) });
  const anew = { few: set({ messages: "14" }), many: set({ messages: String(11n + 4n * 0xffffffffn + 1n) }), peak: { change: (h) => ({ ...h, peaks: h.peaks.with(0, x) }) }, without: { change: (h) => ({ ...h, batches: "2", peaks: [h.peaks[0]] }) },
    below: set({ blockNumber: "3" }), beside: set({ blockNumber: "4" }), two: { root: (leaf) => node(leaf, leaf), size: "2" },
    log: { root: () => leafOfHead(base.fold.head, { ...chain, log: x }) }, chain: { root: () => leafOfHead(base.fold.head, { ...chain, chainId: "7" }) }, contract: { root: () => leafOfHead(base.fold.head, { ...chain, anchorLog: "0x" + "00".repeat(20) }) } };
  for (const [name, how] of Object.entries(anew)) {
    const result = v.verify(encode(await addFold(await makeReceipt("finalized"), how)), input);
    assert.equal(statuses(result).V13, "fail", `${name}: ${JSON.stringify(result.checks)}`);
    assert.equal(result.exit, 10, name);
  }
  for (const level of ["promised", "included"]) assert.equal(statuses(v.verify(encode({ ...await makeReceipt(level), fold: base.fold }), input)).V1, "fail", level);
});

test("no flipped byte of one in four leaves a receipt valid", async () => {
  const base = await addFold(await makeReceipt("finalized"));
  delete base.hints;
  const bytes = encode(base);
  const input = { trust: foldTrust(), blockHash: base.anchor.blockHash, foldBlockHash: base.fold.anchor.blockHash };
  assert.equal(v.verify(bytes, input).exit, 0);
  for (let i = 0; i < bytes.length; i += 4) {
    const flipped = bytes.slice();
    flipped[i] ^= 1;
    assert.notEqual(v.verify(flipped, input).exit, 0, `byte ${i}: ${Buffer.from(flipped.slice(i - 20, i + 20))}`);
  }
});

test("command line", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "verify-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const write = (name, value) => (writeFileSync(join(dir, name), typeof value === "string" ? value : JSON.stringify(value)), join(dir, name));
  const final = await makeReceipt("finalized");
  const trust = write("trust.json", { format: "hansard-trust/1", logs: [{ name: "d\u001b[31m", ...chain, promiseKeys: [operator.address.toLowerCase()] }] });
  const [ok, promised, late, bad] = [write("ok.json", final), write("promised.json", await makeReceipt("promised")),
    write("late.json", await makeReceipt("finalized", { deadline: 1n })), write("bad.json", "{}\n\n")];
  const run = (...args) => spawnSync(process.execPath, [fileURLToPath(new URL("verify.mjs", import.meta.url)), ...args], { encoding: "utf8" });
  const full = ["--trust", trust, "--block-hash", final.anchor.blockHash];
  const rows = [[[ok, ...full], 0], [[...full, ok, late], 14], [[ok, promised, late, ...full], 11], [[ok, promised, late], 12], [[ok, promised, ok, "--expect-room", "x", ...full], 13],
    [[ok, bad, promised, ...full], 10], [[], 2], [[ok, "--nope"], 2], [[join(dir, "none")], 2], [[ok, "--block-hash", "0x12"], 2], [[ok, "--fold-block-hash", "undefined"], 2], [[ok, ...full, "--fold-block-hash", bytes32(0)], 13], [[ok, "--trust", bad], 2], [[ok, "--expect-author", ""], 2],
    [["--vectors", dir], 1], [["--vectors", dir, ok], 1]];
  for (const [args, status] of rows) assert.equal(run(...args).status, status, args.join(" "));
  const vectors = fileURLToPath(new URL("vectors", import.meta.url));
  const agree = run("--vectors", vectors);
  const [evidence, logs] = ["conflict.evidence.json", "trust.json"].map((name) => fileURLToPath(new URL(`evidence/${name}`, import.meta.url)));
  for (const [args, status] of [[[evidence, "--trust", logs], 14], [[evidence, ok, "--trust", logs], 13], [[evidence], 12], [[evidence, "--trust", logs, "--expect-room", "x"], 12]])
    assert.equal(run(...args).status, status, args.join(" "));
  assert.equal(agree.status, 0, agree.stderr);
  assert.match(agree.stdout, /^[1-9][0-9]* vectors agree/m);
  cpSync(vectors, join(dir, "vectors"), { recursive: true });
  writeFileSync(join(dir, "vectors", "entries.json"), readFileSync(join(vectors, "entries.json"), "utf8").replace('"index": "5"', '"index": "6"'));
  assert.equal(run("--vectors", join(dir, "vectors")).status, 1, "a vector that differs");
  const text = run(ok, ...full).stdout;
  assert.match(text, /^V1 {2}format {4}PASS hansard-receipt\/1, finalized$/m);
  assert.match(text, /^V4 {2}gate {6}SKIP /m);
  assert.match(text, /^VALID \(exit 0\)$/m);
  assert.match(text, /^Proven interval: younger than block 0x.{64}; no later than 2026-11-21T09:50:34.000Z, the time of block 4\.$/m);
  assert.doesNotMatch(text, /\u001b/, "a name from a file is escaped");
  const lines = run(ok, bad, ...full, "--json").stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ file, verdict, exit, level }) => [file, verdict, exit, level]), [[ok, "VALID", 0, "finalized"], [bad, "INVALID", 10, ""]]);
  assert.deepEqual(Object.keys(lines[0]), ["file", "verdict", "exit", "level", "checks"]);
  assert.deepEqual(lines[0].checks.map((c) => c.id), Array.from({ length: 13 }, (_, i) => `V${i + 1}`));
});

test("a vector that is altered, or bad and accepted, is noticed", () => {
  const dir = fileURLToPath(new URL("vectors", import.meta.url));
  const other = (s) => s.slice(0, -1) + (s.at(-1) === "0" ? "1" : "0");
  const set = (...path) => (j) => { const key = path.pop(); const at = path.reduce((o, k) => o[k], j); at[key] = other(at[key]); };
  const altered = {
    tree: [set("trees", 4, "root"), set("trees", 4, "proofs", 2, 0), set("large", 0, "root"), (j) => j.trees.push(j.trees[4]) && j.trees[4].proofs.pop(),
      (j) => { const { size, root, leafHashes, proofs } = j.trees[4]; j.bad[9] = { leaf: leafHashes[3], position: "3", size, root, proof: proofs[3] }; }],
    range: [set("batches", 3, "hash"), set("peaks", 5, 0), set("paths", 9, "path", 0), set("bad", 30, "peaks", 0),
      (j) => { j.bad[9] = { ...j.paths[30], hash: j.batches[j.paths[30].number].hash, peaks: j.peaks[j.paths[30].count] }; }],
    messages: [...["id", "roomTag", "authorCommitment", "signer"].map((key) => set("cases", 0, key)), (j) => { j.bad[3].message = j.cases[8].message; },
      (j) => { const { id, message, scheme, evidence } = j.cases[3]; j.badEvidence[20] = { id, author: message.author, scheme, evidence }; }],
    entries: [set("cases", 1, "leaf"), set("cases", 1, "leafData"), (j) => { j.bad[2].leafData = j.cases[2].leafData; }],
    promises: [set("cases", 2, "digest"), set("cases", 2, "signer"), (j) => { j.bad.find(({ why }) => why.startsWith("twin")).signature = j.cases[0].signature; }],
    manifest: [...["root", "roomRoot", "cid", "number", "first", "size", "prev"].map((key) => set("cases", 1, key)), (j) => j.cases[1].chunks.reverse(), (j) => j.cases[1].chunks.pop(),
      (j) => j.cases.pop(), (j) => { j.cases[1].manifest = Buffer.concat([Buffer.from(j.cases[1].manifest, "base64"), Buffer.of(0)]).toString("base64"); }],
    heads: [...["leaf", "leafData", "cid", "batches", "messages", "blockHash", "chainId", "log"].map((key) => set("cases", 3, key)), set("cases", 3, "peaks", 1),
      (j) => { j.cases[3].block = Buffer.concat([Buffer.from(j.cases[3].block, "base64"), Buffer.of(0)]).toString("base64"); }],
    trust: [(j) => { j.cases[0].logs = 2; }, (j) => { j.cases[5].keys = 1; }, (j) => { j.bad[7] = j.cases[0]; }],
    evidence: [set("cases", 0, "verdict"), set("cases", 3, "checks", "V12"), (j) => { j.cases.find(({ name }) => name === "missed").blockHash = ""; }],
    receipts: [set("cases", 0, "verdict"), set("cases", 3, "checks", "V7"), (j) => { j.cases[0].blockHash = ""; }],
  };
  for (const [name, changes] of Object.entries(altered)) {
    const file = `${name}.json`;
    const golden = JSON.parse(readFileSync(join(dir, file), "utf8"));
    const lists = name === "manifest" ? ["cases"] : Object.keys(golden); // the others there are Go's
    for (const change of [...changes, ...lists.map((list) => (j) => { j[list] = []; })]) {
      const json = structuredClone(golden);
      change(json);
      assert.throws(() => compare(file, json, dir), `${name}: ${change}`);
    }
  }
});
