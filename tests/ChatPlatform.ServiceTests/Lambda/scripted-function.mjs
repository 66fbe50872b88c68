// A function in an ordinary process: speaks the Lambda Runtime API and does what the environment and the event tell it.
// LOG: file to which every event is appended as a line {pid, sequence: [...], began, ended}.
import http from 'node:http';
import fs from 'node:fs';

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
const agent = new http.Agent({ keepAlive: true });
const call = (method, path, body, headers = {}) => new Promise((resolve, reject) => {
  const request = http.request(api + path, { method, agent, headers }, response => {
    const chunks = [];
    response.on('data', c => chunks.push(c));
    response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }));
  });
  request.on('error', reject);
  request.end(body);
});
const sleep = ms => new Promise(r => setTimeout(r, ms));

if (process.env.INIT === 'error') {
  await call('POST', '/init/error', JSON.stringify({ errorType: 'Init.Failed', errorMessage: 'no' }));
  process.exit(1);
}
if (process.env.INIT === 'exit') process.exit(7);
console.log('function started');

while (true) {
  const next = await call('GET', '/invocation/next');
  const id = next.headers['lambda-runtime-aws-request-id'];
  const event = next.body ? JSON.parse(next.body) : null;
  const began = Date.now();
  let answer = '{}';
  if (event?.Records) {
    const texts = event.Records.map(r => r.dynamodb.NewImage?.text?.S);
    if (process.env.DELAY) await sleep(Number(process.env.DELAY));
    fs.appendFileSync(process.env.LOG, JSON.stringify({ pid: process.pid, sequence: event.Records.map(r => r.dynamodb.SequenceNumber), keys: event.Records.map(r => r.dynamodb.Keys.id.S), began, ended: Date.now() }) + '\n');
    if (texts.includes('crash')) process.exit(3);
    const poison = event.Records.filter(r => r.dynamodb.NewImage?.text?.S === 'poison');
    const partial = process.env.PARTIAL === 'true';
    if (poison.length > 0 && !partial) {
      await call('POST', `/invocation/${id}/error`, JSON.stringify({ errorType: 'Poison', errorMessage: 'poison' }));
      continue;
    }
    if (partial) answer = JSON.stringify({ batchItemFailures: poison.map(r => ({ itemIdentifier: r.dynamodb.SequenceNumber })) });
  } else if (event?.do === 'echo') {
    console.log('echoing');
    answer = JSON.stringify({ event, headers: next.headers, env: Object.fromEntries(Object.entries(process.env).filter(([k]) => /^(AWS_|LAMBDA_|_HANDLER|TZ|OWN|ASPNETCORE_|Functions__)/.test(k))), pid: process.pid });
  } else if (event?.do === 'error') {
    await call('POST', `/invocation/${id}/error`, JSON.stringify({ errorType: 'Own.Error', errorMessage: 'as asked' }), { 'Lambda-Runtime-Function-Error-Type': 'Own.Error' });
    continue;
  } else if (event?.do === 'exit') {
    process.exit(event.code);
  } else if (event?.do === 'hang') {
    await sleep(600_000);
  } else if (event?.do === 'sleep') {
    await sleep(event.ms);
    answer = JSON.stringify({ pid: process.pid });
  } else if (event?.do === 'large') {
    answer = JSON.stringify('x'.repeat(event.size));
  } else if (event?.do === 'call') {
    answer = JSON.stringify(await call(event.method, event.path.replace('ID', id), event.method === 'POST' ? '{}' : undefined));
  } else if (event?.do === 'append') {
    fs.appendFileSync(event.file, 'done\n');
  }
  await call('POST', `/invocation/${id}/response`, answer);
}
