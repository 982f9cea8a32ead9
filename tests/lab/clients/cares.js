// What a Node.js program gets from dns.resolve*, which is c-ares: it reads /etc/resolv.conf but applies no search list.
// Same output as getaddrinfo.c; with a second argument SRV "SRV priority weight port target" lines.
const dns = require('node:dns').promises;

function printError(label, error) {
  if (error.code === 'ENOTFOUND' || error.code === 'ENODATA') console.log(label, 'none');
  else if (error.code === 'ESERVFAIL' || error.code === 'ETIMEOUT') console.log(label, 'again');
  else console.log(label, 'failed', error.code);
}

async function main(name, type) {
  if (type === 'SRV') {
    try {
      for (const r of await dns.resolveSrv(name)) console.log('SRV', r.priority, r.weight, r.port, r.name);
    } catch (error) { printError('SRV', error); }
    return;
  }
  for (const [label, resolve] of [['A', dns.resolve4], ['AAAA', dns.resolve6]]) {
    try {
      for (const address of await resolve(name)) console.log(label, address);
    } catch (error) { printError(label, error); }
  }
}

main(process.argv[2], process.argv[3]);
