/**
 * The certificates of one cluster: a CA, a CA of the aggregation layer, a key of service accounts, and one
 * certificate and kubeconfig for each identity. All are elliptic (P-256), all end after a month.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  apiServer,
  apiServiceAddress,
  hostAddress,
  kubeconfigOf,
  type Layout,
  type NodeAddresses,
  pkiFile,
} from './layout.ts';
import { run } from './processes.ts';

interface Certificate {
  readonly name: string;
  readonly subject: string;
  readonly issuer?: string;
  readonly alternativeNames?: readonly string[];
}

const apiServerNames = [
  ...['', '.default', '.default.svc', '.default.svc.cluster.local'].map(
    (suffix) => `DNS:kubernetes${suffix}`,
  ),
  'DNS:localhost',
  `IP:${hostAddress}`,
  `IP:${apiServiceAddress}`,
  'IP:127.0.0.1',
];

const identities: readonly Certificate[] = [
  { name: 'apiserver', subject: '/CN=kube-apiserver', alternativeNames: apiServerNames },
  { name: 'apiserver-kubelet', subject: '/O=system:masters/CN=apiserver-kubelet-client' },
  { name: 'front-proxy', subject: '/CN=front-proxy-client', issuer: 'front-ca' },
  { name: 'admin', subject: '/O=system:masters/CN=admin' },
  { name: 'controller-manager', subject: '/CN=system:kube-controller-manager' },
  { name: 'scheduler', subject: '/CN=system:kube-scheduler' },
  { name: 'proxy', subject: '/CN=system:kube-proxy' },
  { name: 'coredns', subject: '/CN=system:coredns' },
];
const clients = ['admin', 'controller-manager', 'scheduler', 'proxy', 'coredns'];

export async function makeCertificates(layout: Layout): Promise<void> {
  mkdirSync(path.dirname(pkiFile(layout, '')), { recursive: true });
  mkdirSync(pkiFile(layout, ''), { recursive: true });
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(pkiFile(layout, 'sa.key'), privateKey.export({ type: 'sec1', format: 'pem' }));
  writeFileSync(pkiFile(layout, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  await Promise.all([makeAuthority(layout, 'ca'), makeAuthority(layout, 'front-ca')]);
  await Promise.all(identities.map(async (identity) => makeCertificate(layout, identity)));
  for (const user of clients) writeKubeconfig(layout, user);
}

/** The kubelet of a node serves and calls with the same certificate. */
export async function makeNodeCertificate(layout: Layout, node: NodeAddresses): Promise<void> {
  await makeCertificate(layout, {
    name: node.name,
    subject: `/O=system:nodes/CN=system:node:${node.name}`,
    alternativeNames: [`DNS:${node.name}`, `IP:${node.address}`],
  });
  writeKubeconfig(layout, node.name);
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

async function makeAuthority(layout: Layout, name: string): Promise<void> {
  await run('openssl', [
    ...['req', '-x509', ...newKey, '-days', '30', '-subj', `/CN=tonearm-test-${name}`],
    ...['-keyout', pkiFile(layout, `${name}.key`), '-out', pkiFile(layout, `${name}.crt`)],
    ...['-addext', 'basicConstraints=critical,CA:TRUE'],
    ...['-addext', 'keyUsage=critical,keyCertSign,digitalSignature,cRLSign'],
  ]);
}

async function makeCertificate(layout: Layout, certificate: Certificate): Promise<void> {
  const { name, subject, issuer = 'ca', alternativeNames } = certificate;
  const file = (ending: string): string => pkiFile(layout, `${name}.${ending}`);
  const extensions = [
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=serverAuth,clientAuth',
    ...(alternativeNames === undefined ? [] : [`subjectAltName=${alternativeNames.join(',')}`]),
  ];
  writeFileSync(file('extensions'), extensions.join('\n'));
  await run('openssl', [
    ...['req', ...newKey, '-subj', subject, '-keyout', file('key'), '-out', file('request')],
  ]);
  await run('openssl', [
    ...['x509', '-req', '-days', '30', '-in', file('request'), '-out', file('crt')],
    ...['-CA', pkiFile(layout, `${issuer}.crt`), '-CAkey', pkiFile(layout, `${issuer}.key`)],
    // Random, because certificates are made at the same time and a counter in a file would race.
    ...['-set_serial', `0x${randomBytes(8).toString('hex')}`, '-extfile', file('extensions')],
  ]);
}

function writeKubeconfig(layout: Layout, user: string): void {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'box',
        cluster: { server: apiServer, 'certificate-authority': pkiFile(layout, 'ca.crt') },
      },
    ],
    users: [
      {
        name: user,
        user: {
          'client-certificate': pkiFile(layout, `${user}.crt`),
          'client-key': pkiFile(layout, `${user}.key`),
        },
      },
    ],
    contexts: [{ name: 'box', context: { cluster: 'box', user } }],
    'current-context': 'box',
  };
  writeFileSync(kubeconfigOf(layout, user), JSON.stringify(config));
}
