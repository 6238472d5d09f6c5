/** Rules that change nothing and tell people: health, old templates, a pause. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANNOTATIONS } from '../../api/names.ts';
import { buildCluster } from '../../testing/cluster-objects.ts';
import {
  editSet,
  editSetSpec,
  editStatus,
  removePod,
  settledWorld,
  silence,
  tell,
} from '../../testing/snapshots.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { awaitLeavingPods } from './await-leaving-pods.ts';
import { reportHealth } from './report-health.ts';
import { reportNoCoordinator } from './report-no-coordinator.ts';
import { reportOldTemplates } from './report-old-templates.ts';
import { skipWhenPaused } from './skip-when-paused.ts';

const SET = 'employees-storage-1';
const POD = `${SET}-0`;
const settled = settledWorld().snapshot();

describe('reportHealth', () => {
  const cases: readonly {
    readonly name: string;
    readonly edit: (snapshot: ClusterSnapshot) => ClusterSnapshot;
    readonly want: readonly string[];
  }[] = [
    { name: 'a healthy cluster', edit: (snapshot) => snapshot, want: [] },
    {
      name: 'an instance without a pod',
      edit: (snapshot) => removePod(snapshot, POD),
      want: [
        `complain InstanceMissing: Instance ${POD} has no pod: kubectl describe sts tells why.`,
      ],
    },
    {
      name: 'an instance that is silent',
      edit: (snapshot) => silence(snapshot, POD),
      want: [
        `complain InstanceSilent: Instance ${POD} does not answer: kubectl describe pod ${POD} and kubectl logs ${POD} tell why.`,
      ],
    },
    {
      name: 'a state with an error, and the error',
      edit: (snapshot) =>
        editStatus(snapshot, POD, (status) => ({
          ...status,
          state: 'OperationError',
          error: 'Role "a" failed: no',
        })),
      want: [`complain InstanceBroken: Instance ${POD} is in OperationError: Role "a" failed: no.`],
    },
    {
      name: 'a state with an error that gives no reason',
      edit: (snapshot) =>
        editStatus(snapshot, POD, (status) => ({ ...status, state: 'BootError', error: null })),
      want: [`complain InstanceBroken: Instance ${POD} is in BootError: no reason given.`],
    },
    {
      name: 'critical issues, and no warnings',
      edit: (snapshot) =>
        editStatus(snapshot, POD, (status) => ({
          ...status,
          issues: [
            { level: 'warning', topic: 'lost_rows', message: 'Rows were lost.' },
            { level: 'critical', topic: 'disk', message: 'The disk is full.' },
          ],
        })),
      want: [`complain CriticalIssue: Instance ${POD}: The disk is full.`],
    },
    {
      name: 'nothing of a blank one that replaces an instance: it is about to join',
      edit: (snapshot) =>
        editStatus(snapshot, POD, (status) => ({
          ...status,
          uuid: '0e000000-0000-4000-8000-000000000009',
          issues: [{ level: 'critical', topic: 'disk', message: 'The disk is full.' }],
        })),
      want: [],
    },
    {
      name: 'nothing before the first config: nobody serves yet',
      edit: (snapshot) => ({ ...silence(snapshot, POD), config: undefined }),
      want: [],
    },
  ];

  for (const { name, edit, want } of cases) {
    it(`tells of ${name}`, () => assert.deepEqual(tell(reportHealth(edit(settled))), want));
  }
});

describe('reportOldTemplates', () => {
  /** The StatefulSet is at revision `two`; pods are at what `pods` says. */
  function revised(pods: Readonly<Record<string, string>>): ClusterSnapshot {
    return {
      ...settled,
      statefulSets: settled.statefulSets.map((set) =>
        set.metadata.name === SET ? { ...set, status: { updateRevision: 'two' } } : set,
      ),
      pods: settled.pods.map((pod) => {
        const revision = pods[pod.metadata.name];
        const labels = {
          ...pod.metadata.labels,
          ...(revision === undefined ? {} : { 'controller-revision-hash': revision }),
        };
        return { ...pod, metadata: { ...pod.metadata, labels } };
      }),
    };
  }

  it('says nothing while all pods run the present template, or nobody knows which that is', () => {
    assert.deepEqual(reportOldTemplates(revised({ [POD]: 'two', [`${SET}-1`]: 'two' })), []);
    assert.deepEqual(reportOldTemplates(settled), []);
  });

  it('counts the pods of an older one, and names the last of them', () => {
    const hint =
      'pods run an older template, and rolling updates are not supported yet: delete them one at a time, each when the one before is ready; next is kubectl delete pod';
    assert.deepEqual(tell(reportOldTemplates(revised({ [POD]: 'one', [`${SET}-1`]: 'one' }))), [
      `refuse PodsRunOldTemplate: 2 ${hint} ${SET}-1.`,
    ]);
    assert.deepEqual(tell(reportOldTemplates(revised({ [POD]: 'one', [`${SET}-1`]: 'two' }))), [
      `refuse PodsRunOldTemplate: 1 ${hint} ${POD}.`,
    ]);
  });
});

describe('reportNoCoordinator', () => {
  const ROUTER = 'employees-router-1';
  const complaint =
    'complain NoCoordinator: No instance has the role failover-coordinator, so nobody appoints leaders: add it to the roles of a template with at least one replica.';

  it('says nothing while an instance appoints leaders, or nobody needs one who does', () => {
    assert.deepEqual(reportNoCoordinator(settled), []);
    const disabled = settledWorld(buildCluster({ failover: { mode: 'Disabled' } })).snapshot();
    const without = editSetSpec(disabled, ROUTER, { roles: ['app.roles.api'] });
    assert.deepEqual(reportNoCoordinator(without), []);
  });

  it('counts a role that brings it along', () => {
    const roles = [{ name: 'app.roles.api', dependencies: ['failover-coordinator'] }];
    const brought = editSetSpec({ ...settled, roles }, ROUTER, { roles: ['app.roles.api'] });
    assert.deepEqual(reportNoCoordinator(brought), []);
  });

  it('complains when the role, its instances or their set are gone', () => {
    for (const gone of [
      editSetSpec(settled, ROUTER, { roles: ['app.roles.api'] }),
      editSetSpec(settled, ROUTER, { replicas: 0 }),
      editSet(settled, ROUTER, (set) => ({
        ...set,
        metadata: { ...set.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
      })),
    ]) {
      assert.deepEqual(tell(reportNoCoordinator(gone)), [complaint]);
    }
  });
});

describe('awaitLeavingPods', () => {
  const lowered = editSetSpec(settled, SET, { replicas: 1 });
  const last = `${SET}-1`;

  it('waits for the pod of an instance that the config knows no more', () => {
    const expelled = { ...lowered, config: topologyless(lowered) };
    assert.deepEqual(tell(awaitLeavingPods(expelled)), [
      `wait InstanceLeaving: Pod ${last} is being removed.`,
    ]);
    assert.deepEqual(awaitLeavingPods(removePod(expelled, last)), []);
  });

  it('leaves an instance that the config knows to the rule that expels it', () => {
    assert.deepEqual(awaitLeavingPods(lowered), []);
  });

  it('has nothing to wait for while every seat is wanted', () => {
    assert.deepEqual(awaitLeavingPods(settled), []);
  });

  function topologyless({ config }: ClusterSnapshot): ClusterSnapshot['config'] {
    return config === undefined ? undefined : { ...config, sections: {} };
  }
});

describe('skipWhenPaused', () => {
  function annotated(annotations: Record<string, string> | undefined): ClusterSnapshot {
    const { cluster } = settled;
    return { ...settled, cluster: { ...cluster, metadata: { ...cluster.metadata, annotations } } };
  }

  it('stops the round for any value of the annotation, and tells how to go on', () => {
    for (const value of ['', 'true', 'false']) {
      assert.deepEqual(tell(skipWhenPaused(annotated({ [ANNOTATIONS.paused]: value }))), [
        `stop Paused: The operator leaves this cluster alone until kubectl annotate tcl/employees ${ANNOTATIONS.paused}- is run.`,
      ]);
    }
  });

  it('does not stop without it', () => {
    assert.deepEqual(skipWhenPaused(annotated({ other: 'true' })), []);
    assert.deepEqual(skipWhenPaused(annotated(undefined)), []);
  });
});
