// The reference: a node:http server that does the minimum for the same response.
// Modes: constant (1 KiB, always the same), sink (discards), copy-get (one memcpy per response),
// copy-sink (copies the body into one buffer). With more than one process, each accepts by itself.
import cluster from 'node:cluster';
import { createServer } from 'node:http';

const [mode, bytesText = '1024', countText = '64', processesText = '1'] = process.argv.slice(2);
const bytes = Number(bytesText);
const constant = Buffer.alloc(bytes, 'x');
const objects = mode === 'copy-get' ? sources(Number(countText)) : [];
const spare = [];
let next = 0;

function sources(count) {
  return Array.from({ length: count }, (_, i) => Buffer.alloc(bytes, i + 1));
}

const handlers = {
  constant(_req, res) {
    res.end(constant);
  },
  sink(req, res) {
    req.on('data', () => undefined);
    req.on('end', () => {
      res.statusCode = 201;
      res.end();
    });
  },
  'copy-get'(_req, res) {
    const buffer = spare.pop() ?? Buffer.alloc(bytes);
    objects[next++ % objects.length].copy(buffer);
    res.once('close', () => spare.push(buffer));
    res.end(buffer);
  },
  'copy-sink'(req, res) {
    let at = 0;
    req.on('data', (chunk) => {
      constant.set(chunk, at);
      at += chunk.length;
    });
    req.on('end', () => {
      res.statusCode = 201;
      res.end();
    });
  },
};

function serve(onListening) {
  const server = createServer(handlers[mode]);
  server.keepAliveTimeout = 75_000;
  server.listen(0, '127.0.0.1', () => onListening(server.address().port));
}

const processes = Number(processesText);
const printPort = (port) => process.stdout.write(`${port}\n`);
if (processes === 1 || cluster.isWorker) serve(cluster.isWorker ? () => undefined : printPort);
else {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  for (let i = 0; i < processes; i++) cluster.fork();
  let listening = 0;
  cluster.on('listening', (_worker, { port }) => {
    listening += 1;
    if (listening === processes) printPort(port);
  });
  process.on('SIGTERM', () => cluster.disconnect(() => process.exit(0)));
}
