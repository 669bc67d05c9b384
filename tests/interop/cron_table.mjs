// When lines of cron fire next, as BullMQ for Node answers.
//
//   node cron_table.mjs                 prints the table that is kept as tests/unit/cron_table.json
//   node cron_table.mjs - < rows.json   answers rows of [line, zone, after, how many]
//
// A row of answers is [line, zone, after, chain], all instants in milliseconds, each answer being what the next one
// is asked after. A chain ends early with null (BullMQ finds no instant), or with an answer that has passed.

import { readFileSync } from "node:fs";
import { defaultRepeatStrategy } from "bullmq";

const CHAIN = 5;

function answer(pattern, tz, after, count) {
  const chain = [];
  for (let last = after; chain.length < count; last = chain.at(-1)) {
    // A zone that is not given is not there, rather than null.
    const next = defaultRepeatStrategy(last, tz === null ? { pattern } : { pattern, tz });
    chain.push(next ?? null);
    if (next === undefined || next <= last) break;
  }
  return chain;
}

// Lines that a change of the clock between 00:00 and 03:59 has something to do with.
const AT_CHANGES = [
  "*/20 * * * *",
  "0 * * * *",
  "30 0 * * *",
  "15,45 1 * * *",
  "30 2 * * *",
  "0 2,3 * * *",
  "30 23,0 * * *",
  "0 */3 * * *",
  "59 0-2 * * *",
  "*/20 59 1,2 * * *",
];

// Instants some hours and some minutes before, and just after, the changes of 2024 to 2027.
const CHANGES = {
  "America/New_York": ["2024-03-10T07:00Z", "2024-11-03T06:00Z", "2026-03-08T07:00Z", "2027-11-07T06:00Z"],
  "Europe/Berlin": ["2024-03-31T01:00Z", "2025-10-26T01:00Z", "2026-03-29T01:00Z"],
  "Europe/London": ["2025-03-30T01:00Z", "2026-10-25T01:00Z"],
  "America/St_Johns": ["2025-03-09T05:30Z", "2025-11-02T04:30Z"],
  "Australia/Lord_Howe": ["2024-10-05T15:30Z", "2026-04-04T15:00Z"],
  "Africa/Cairo": ["2024-04-25T22:00Z", "2025-10-30T21:00Z"],
  "America/Havana": ["2026-03-08T05:00Z", "2026-11-01T05:00Z"],
  "America/Santiago": ["2025-09-07T04:00Z", "2026-04-05T03:00Z"],
  "Antarctica/Troll": ["2025-03-30T01:00Z", "2025-10-26T01:00Z"],
};
const OFFSETS = [-9 * 3600, -25 * 60, 10 * 60, -25 * 3600];

const CALENDAR = [
  "0 0 L * *",
  "0 0 29 2 *",
  "0 12 31 * *",
  "0 0 30 1,2,3 *",
  "0 0 13 * 5",
  "0 0 */2 * 1",
  "0 0 L,15 * 1",
  "30 6 * * 5L",
  "0 9 * * 1#1",
  "0 9 10 * FRI#5",
  "0 0 * * 1,3L",
  "0 0 * * 5-7",
  "0 22 * * 1-5",
  "0 0 1/10 JAN,jul ?",
  "23 0-20/2 * * *",
  "5,*/25 * * * *",
  "30 59 23 31 12 *",
  "*/7 */13 * * * *",
  "@yearly",
  "@annually",
  "@monthly",
  "@weekly",
  "@daily",
  "@hourly",
  "@minutely",
  "@secondly",
  "@weekdays",
  "@weekends",
];
const MOMENTS = [
  ["UTC", "2024-02-28T23:59:59.999Z"],
  ["Asia/Kolkata", "2024-12-31T18:29:30Z"],
  ["Pacific/Apia", "2028-02-28T10:00Z"],
  ["Asia/Tehran", "2026-03-21T20:29:59.500Z"],
  ["America/Sao_Paulo", "2027-12-31T23:00Z"],
];

function table() {
  const rows = [];
  for (const [zone, changes] of Object.entries(CHANGES)) {
    changes.forEach((change, at) => {
      AT_CHANGES.forEach((line, index) => {
        // Each line meets each place from which one may look, though not at each change.
        const offset = OFFSETS[(index + at) % OFFSETS.length];
        rows.push([line, zone, Date.parse(change) + offset * 1000]);
      });
    });
  }
  for (const [zone, moment] of MOMENTS) {
    for (const line of CALENDAR) rows.push([line, zone, Date.parse(moment)]);
  }
  return rows;
}

const rows =
  process.argv[2] === "-" ? JSON.parse(readFileSync(0, "utf8")) : table().map((row) => [...row, CHAIN]);
const lines = rows.map(([line, zone, after, count]) =>
  JSON.stringify([line, zone, after, answer(line, zone, after, count)]),
);
console.log(`[\n${lines.join(",\n")}\n]`);
