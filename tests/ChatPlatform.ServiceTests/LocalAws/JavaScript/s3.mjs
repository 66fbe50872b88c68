// What an application does with S3, by the AWS SDK for JavaScript v3. Started by ToolTests with AWS_ENDPOINT_URL and credentials; a failed assertion ends it with an error.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { load } from './packages.mjs';

const {
  S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, paginateListObjectsV2, DeleteObjectsCommand, CopyObjectCommand,
  CreateMultipartUploadCommand, UploadPartCommand, CompleteMultipartUploadCommand, ListPartsCommand, ListMultipartUploadsCommand, AbortMultipartUploadCommand,
} = await load('@aws-sdk/client-s3');
const { getSignedUrl } = await load('@aws-sdk/s3-request-presigner');

const Bucket = 'js-files';
const s3 = new S3Client({ forcePathStyle: true });
await s3.send(new CreateBucketCommand({ Bucket }));
const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');
const read = async (Key, more = {}) => Buffer.from(await (await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body.transformToByteArray());

for (const ChecksumAlgorithm of [undefined, 'CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
  if (ChecksumAlgorithm === 'CRC64NVME') continue; // The SDK computes it only with a native package.
  await s3.send(new PutObjectCommand({ Bucket, Key: `한/글 ${ChecksumAlgorithm}`, Body: 'hello', ChecksumAlgorithm, Metadata: { room: 'r1' }, ContentType: 'text/plain' }));
  assert.equal((await read(`한/글 ${ChecksumAlgorithm}`, { ChecksumMode: 'ENABLED' })).toString(), 'hello');
}

assert.equal((await read('한/글 SHA1', { Range: 'bytes=1-3' })).toString(), 'ell');
assert.equal((await s3.send(new HeadObjectCommand({ Bucket, Key: '한/글 CRC32' }))).Metadata.room, 'r1');
await assert.rejects(s3.send(new PutObjectCommand({ Bucket, Key: '한/글 CRC32', Body: 'again', IfNoneMatch: '*' })), { name: 'PreconditionFailed' });
await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: encodeURI(`${Bucket}/한/글 CRC32`) }));
await assert.rejects(read('missing'), { name: 'NoSuchKey' });

const keys = [];
for await (const page of paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket, Prefix: '한/' })) keys.push(...page.Contents.map((object) => object.Key));
assert.equal(keys.length, 5);
assert.deepEqual((await s3.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }))).CommonPrefixes, [{ Prefix: '한/' }]);

const parts = [randomBytes(5 * 1024 * 1024), randomBytes(4 * 1024 * 1024)];
for (const ChecksumAlgorithm of ['CRC32', 'SHA256']) {
  const upload = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'big', ChecksumAlgorithm }));
  const sent = [];
  for (const [index, Body] of parts.entries()) {
    const part = await s3.send(new UploadPartCommand({ Bucket, Key: 'big', UploadId: upload.UploadId, PartNumber: index + 1, Body, ChecksumAlgorithm }));
    sent.push({ ...part, PartNumber: index + 1 });
  }

  const first = await s3.send(new ListPartsCommand({ Bucket, Key: 'big', UploadId: upload.UploadId, MaxParts: 1 }));
  assert.deepEqual([first.IsTruncated, first.Parts.length, String(first.NextPartNumberMarker)], [true, 1, '1']);
  const pending = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  assert.deepEqual(pending.Uploads.map((u) => [u.Key, u.UploadId]), [['big', upload.UploadId]]);
  const done = await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'big', UploadId: upload.UploadId, MultipartUpload: { Parts: sent } }));
  assert.match(done.ETag, /-2"$/);
  assert.equal(done.ChecksumType, 'COMPOSITE');
  assert.equal(digest(await read('big')), digest(Buffer.concat(parts)));
}

const gone = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'given up' }));
await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'given up', UploadId: gone.UploadId }));
assert.equal((await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads, undefined);

// By default the SDK would sign the checksum of an empty body, with which S3 refuses every upload that has one.
const signer = new S3Client({ forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED' });
const spoilt = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: 'signed' }), { expiresIn: 60 });
assert.equal((await fetch(spoilt, { method: 'PUT', body: 'png' })).status, 400);
const put = await getSignedUrl(signer, new PutObjectCommand({ Bucket, Key: 'signed', ContentType: 'image/png' }), { expiresIn: 60 });
assert.equal((await fetch(put, { method: 'PUT', body: 'png', headers: { 'content-type': 'image/png' } })).status, 200);
const get = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: 'signed' }), { expiresIn: 60 });
assert.equal(await (await fetch(get)).text(), 'png');
assert.equal((await fetch(get.replace('signed?', 'copy?'))).status, 403);
const past = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: 'signed' }), { expiresIn: 60, signingDate: new Date(Date.now() - 61_000) });
const refused = await fetch(past);
assert.equal(refused.status, 403);
assert.match(await refused.text(), /<Message>Request has expired<\/Message>/);

const deleted = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [...keys, 'big', 'copy', 'signed', 'never was'].map((Key) => ({ Key })) } }));
assert.equal(deleted.Deleted.length, 9);
assert.equal((await s3.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0);
console.log('done');
