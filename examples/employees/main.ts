import { runCluster } from '@tonearm/runtime';
import { api } from './roles/api.ts';
import { storage } from './roles/storage.ts';

await runCluster({ appName: 'employees', roles: [storage, api] });
