// The Node peer of UnwrapComparison: a stream event's bytes to flat JSON lines with @aws-sdk/util-dynamodb, as a function in Node does it.
// node unwrap.mjs EVENT LINES SECONDS ROUNDS [MODULES]: writes the lines of one pass to LINES and prints the seconds of a pass, the median of the rounds.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';

const [event, lines, seconds, rounds, packages] = process.argv.slice(2);
const { unmarshall } = createRequire(packages)('@aws-sdk/util-dynamodb');
const source = readFileSync(event);

function pass() {
  let text = '';
  for (const record of JSON.parse(source.toString('utf8')).Records) {
    text += JSON.stringify(unmarshall(record.dynamodb.NewImage)) + '\n';
  }
  return Buffer.from(text, 'utf8');
}

function round() {
  const start = performance.now();
  let passes = 0;
  do {
    pass();
    passes++;
  } while (performance.now() - start < seconds * 1000);
  return (performance.now() - start) / 1000 / passes;
}

writeFileSync(lines, pass());
round();
const measured = Array.from({ length: Number(rounds) }, round).sort((a, b) => a - b);
console.log(measured[Math.floor(measured.length / 2)]);
