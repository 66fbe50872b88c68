// What an application does with DynamoDB, by the AWS SDK for JavaScript v3. Started by ToolTests with AWS_ENDPOINT_URL and credentials; a failed assertion ends it with an error.
import assert from 'node:assert/strict';
import { load } from './packages.mjs';

const { DynamoDBClient, CreateTableCommand, waitUntilTableExists, ConditionalCheckFailedException, TransactionCanceledException } = await load('@aws-sdk/client-dynamodb');
const { DynamoDBDocumentClient, PutCommand, GetCommand, QueryCommand, UpdateCommand, TransactWriteCommand, BatchWriteCommand, paginateQuery, paginateScan } = await load('@aws-sdk/lib-dynamodb');
const { DynamoDBStreamsClient, DescribeStreamCommand, GetShardIteratorCommand, GetRecordsCommand } = await load('@aws-sdk/client-dynamodb-streams');

const TableName = 'js-rooms';
const client = new DynamoDBClient({});
const table = await client.send(new CreateTableCommand({
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [{ AttributeName: 'room', AttributeType: 'S' }, { AttributeName: 'seq', AttributeType: 'N' }],
  KeySchema: [{ AttributeName: 'room', KeyType: 'HASH' }, { AttributeName: 'seq', KeyType: 'RANGE' }],
  StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
}));
await waitUntilTableExists({ client, minDelay: 1, maxDelay: 1, maxWaitTime: 20 }, { TableName });

const items = DynamoDBDocumentClient.from(client);
const message = { room: 'r1', seq: 0, text: '안녕 😀', tags: new Set(['a', 'b']), bytes: new Uint8Array([0, 255]), nested: { list: [1, 'two', null, true] } };
await items.send(new PutCommand({ TableName, Item: message }));
assert.deepEqual((await items.send(new GetCommand({ TableName, Key: { room: 'r1', seq: 0 } }))).Item, message);

for (let first = 1; first < 101; first += 25) {
  const requests = Array.from({ length: 25 }, (_, i) => ({ PutRequest: { Item: { room: 'r1', seq: first + i, text: 'x'.repeat(200) } } }));
  assert.deepEqual((await items.send(new BatchWriteCommand({ RequestItems: { [TableName]: requests } }))).UnprocessedItems, {});
}

const seen = [];
const query = { TableName, KeyConditionExpression: 'room = :r AND seq > :s', ExpressionAttributeValues: { ':r': 'r1', ':s': 0 }, ScanIndexForward: false };
for await (const page of paginateQuery({ client: items, pageSize: 30 }, { ...query })) seen.push(...page.Items.map((item) => item.seq));
assert.deepEqual(seen, Array.from({ length: 100 }, (_, i) => 100 - i));
let scanned = 0;
for await (const page of paginateScan({ client: items, pageSize: 40 }, { TableName })) scanned += page.Count;
assert.equal(scanned, 101);

const update = {
  TableName, Key: { room: 'r1', seq: 0 }, UpdateExpression: 'SET edits = if_not_exists(edits, :zero) + :one, nested.#list[1] = :text', ConditionExpression: 'attribute_exists(room)',
  ExpressionAttributeNames: { '#list': 'list' }, ExpressionAttributeValues: { ':zero': 0, ':one': 1, ':text': 'edited' }, ReturnValues: 'ALL_NEW',
};
const updated = (await items.send(new UpdateCommand(update))).Attributes;
assert.equal(updated.edits, 1);
assert.deepEqual(updated.nested.list, [1, 'edited', null, true]);
await assert.rejects(items.send(new UpdateCommand({ ...update, Key: { room: 'r1', seq: 999 }, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' })), ConditionalCheckFailedException);

const transact = {
  ClientRequestToken: 'js-1',
  TransactItems: [
    { Put: { TableName, Item: { room: 'r2', seq: 1 }, ConditionExpression: 'attribute_not_exists(room)' } },
    { Update: { TableName, Key: { room: 'r1', seq: 0 }, UpdateExpression: 'ADD edits :one', ExpressionAttributeValues: { ':one': 1 } } },
  ],
};
await items.send(new TransactWriteCommand(transact));
await items.send(new TransactWriteCommand(transact));
await assert.rejects(items.send(new TransactWriteCommand({ ...transact, ClientRequestToken: 'js-2' })), (error) =>
  error instanceof TransactionCanceledException && error.CancellationReasons[0].Code === 'ConditionalCheckFailed' && error.CancellationReasons[1].Code === 'None');
assert.equal((await items.send(new QueryCommand({ ...query, KeyConditionExpression: 'room = :r AND seq = :s' }))).Items[0].edits, 2);

const streams = new DynamoDBStreamsClient({});
const StreamArn = table.TableDescription.LatestStreamArn;
const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
const counts = {};
for (const { ShardId } of StreamDescription.Shards) {
  let { ShardIterator } = await streams.send(new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' }));
  for (let records = [null]; records.length > 0 && ShardIterator;) {
    const page = await streams.send(new GetRecordsCommand({ ShardIterator, Limit: 10 }));
    for (const record of page.Records) counts[record.eventName] = (counts[record.eventName] ?? 0) + 1;
    [records, ShardIterator] = [page.Records, page.NextShardIterator];
  }
}

assert.deepEqual(counts, { INSERT: 102, MODIFY: 2 });
console.log('done');
