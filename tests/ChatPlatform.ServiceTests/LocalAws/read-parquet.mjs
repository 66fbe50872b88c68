// A second reader of Parquet: prints every row of a file as a line of JSON. Arguments: folder with node_modules, file.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import zlib from 'node:zlib';

const [, , modules, file] = process.argv;
const { parquetReadObjects } = await import(pathToFileURL(path.join(modules, 'node_modules/hyparquet/src/index.js')));
const bytes = fs.readFileSync(file);
const rows = await parquetReadObjects({
  file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
  compressors: { GZIP: input => zlib.gunzipSync(input) },
});
for (const row of rows) console.log(JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? Number(value) : value)));
