// node eng/manifests/validate.mjs DIR: renders every overlay that the step publish-eks wrote into DIR and holds each object against the schemas of the Kubernetes API
// (npm kubernetes-models, and @kubernetes-models/external-secrets), which also tells what no schema knows. Ends with `RESULT manifests objects= invalid= policies=` and exit code 1
// when something is invalid. With --json PATH the rendered overlays and the CloudFormation template are written there as JSON, for the tests.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

const require = createRequire(join(dirname(fileURLToPath(import.meta.url)), '../npm/package.json'));
const yaml = require('js-yaml');

const [folder, ...options] = process.argv.slice(2);
if (!folder || !existsSync(join(folder, 'overlays'))) {
  console.error(`validate: '${folder ?? ''}' holds no overlays; run ./dev manifests first.`);
  process.exit(2);
}

const documents = text => yaml.loadAll(text).filter(document => document !== null);
const identity = object => [object.apiVersion, object.kind, object.metadata?.namespace ?? '', object.metadata?.name].join(' ');

// Kustomize as far as the step uses it, and strictly: a key, an operation or a target that is not known here is an error.
function render(directory) {
  const kustomization = yaml.load(readFileSync(join(directory, 'kustomization.yaml'), 'utf8'));
  const { apiVersion, kind, resources, patches = [], ...rest } = kustomization;
  if (apiVersion !== 'kustomize.config.k8s.io/v1beta1' || kind !== 'Kustomization' || Object.keys(rest).length > 0)
    throw new Error(`${directory}/kustomization.yaml: unexpected ${Object.keys(rest).join(', ') || apiVersion + ' ' + kind}`);
  const objects = new Map();
  for (const resource of resources) {
    for (const object of resource.endsWith('.yaml') ? documents(readFileSync(join(directory, resource), 'utf8')) : render(join(directory, resource))) {
      if (objects.has(identity(object)))
        throw new Error(`${directory}: ${identity(object)} is there twice`);
      objects.set(identity(object), object);
    }
  }
  for (const { target, patch } of patches) {
    const key = identity({ apiVersion: target.group ? `${target.group}/${target.version}` : target.version, kind: target.kind, metadata: target });
    if (!objects.has(key))
      throw new Error(`${directory}: a patch is for ${key}, which is not there`);
    for (const operation of yaml.load(patch))
      apply(objects.get(key), operation, `${directory}: ${key}`);
  }
  return [...objects.values()];
}

// RFC 6902: add, remove, replace.
function apply(object, { op, path, value }, where) {
  const keys = path.split('/').slice(1).map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = keys.pop();
  let parent = object;
  for (const key of keys) {
    parent = parent?.[key];
    if (parent === null || typeof parent !== 'object')
      throw new Error(`${where}: ${path} leads nowhere`);
  }
  if (op !== 'add' && !Object.hasOwn(parent, last))
    throw new Error(`${where}: there is no ${path} to ${op}`);
  if (op === 'add' && !Array.isArray(parent) || op === 'replace')
    parent[last] = value;
  else if (op === 'remove' && !Array.isArray(parent))
    delete parent[last];
  else
    throw new Error(`${where}: ${op} of ${path} is not done here`);
}

// The schemas of External Secrets that npm has are of v1beta1; of what is used here v1 has the same (https://external-secrets.io/latest/guides/v1beta1/).
const stand = { 'external-secrets.io/v1': { module: '@kubernetes-models/external-secrets/external-secrets.io/v1beta1', apiVersion: 'external-secrets.io/v1beta1' } };

function problems(object) {
  const { module, apiVersion } = stand[object.apiVersion] ?? { module: `kubernetes-models/${object.apiVersion}`, apiVersion: object.apiVersion };
  let model;
  try {
    model = require(module)[object.kind];
  } catch {
    return [`there is no API ${object.apiVersion}`];
  }
  if (!model)
    return [`there is no ${object.kind} in ${object.apiVersion}`];
  // The schemas allow what they do not know, as the API server does when nobody asks it to be strict. A validator reads every member that it knows: what it never reads is unknown.
  const read = new WeakMap();
  const watched = recording({ ...object, apiVersion }, read);
  const found = [];
  try {
    model.prototype.validate.call(watched.proxy);
  } catch (error) {
    found.push(error.message);
    return found;
  }
  unread(watched.target, read, '', found);
  return found;
}

function recording(target, read) {
  const keys = new Set();
  const proxies = new Map();
  read.set(target, keys);
  const proxy = new Proxy(target, {
    get(of, key) {
      keys.add(key);
      const value = of[key];
      if (value === null || typeof value !== 'object' || typeof key === 'symbol')
        return value;
      if (!proxies.has(key))
        proxies.set(key, recording(value, read).proxy);
      return proxies.get(key);
    },
  });
  return { proxy, target };
}

function unread(value, read, path, found) {
  const keys = read.get(value);
  for (const [key, member] of Object.entries(value)) {
    if (!keys?.has(key))
      found.push(`${path}/${key} is unknown`);
    else if (member !== null && typeof member === 'object')
      unread(member, read, `${path}/${key}`, found);
  }
}

const kubectl = spawnSync('kubectl', ['version', '--client'], { stdio: 'ignore' }).status === 0;
const rendered = {};
const invalid = new Map();
for (const overlay of readdirSync(join(folder, 'overlays')).sort()) {
  const directory = join(folder, 'overlays', overlay);
  const objects = render(directory);
  rendered[overlay] = objects;
  if (kubectl) {
    const run = spawnSync('kubectl', ['kustomize', directory], { encoding: 'utf8', maxBuffer: 1 << 26 });
    if (run.status !== 0)
      throw new Error(`kubectl kustomize ${directory}: ${run.stderr}`);
    const theirs = new Map(documents(run.stdout).map(object => [identity(object), object]));
    for (const object of objects) {
      if (!isDeepStrictEqual(object, theirs.get(identity(object))))
        throw new Error(`${overlay}: kubectl kustomize renders ${identity(object)} otherwise`);
    }
    if (theirs.size !== objects.length)
      throw new Error(`${overlay}: kubectl kustomize renders ${theirs.size} objects instead of ${objects.length}`);
  }
  for (const object of objects) {
    for (const problem of problems(object)) {
      invalid.set(identity(object), true);
      console.error(`${overlay}: ${identity(object)}: ${problem}`);
    }
  }
  console.log(`${overlay}: ${objects.length} objects${kubectl ? ', rendered the same by kubectl kustomize' : ''}`);
}

const json = options.indexOf('--json');
if (json >= 0)
  writeFileSync(options[json + 1], JSON.stringify({ overlays: rendered, template: yaml.load(readFileSync(join(folder, 'aws/template.yaml'), 'utf8')) }));
const base = render(join(folder, 'base'));
console.log(`RESULT manifests objects=${base.length} invalid=${invalid.size} policies=${base.filter(object => object.kind === 'NetworkPolicy').length}`);
process.exit(invalid.size === 0 ? 0 : 1);
