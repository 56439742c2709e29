import { describe, expect, it } from 'vitest';
import { expressionText } from './expression.ts';
import { extractBuildArgExpressions, extractExpressions } from './extract.ts';

describe('extractExpressions', () => {
  it('takes expressions out of the environment and keeps them as labels', () => {
    const found = extractExpressions({
      env: [
        'PATH=/bin',
        'constraint:node==core-01',
        'affinity:container!=~web',
        'reschedule:on-node-failure',
        'A:b=c',
      ],
      labels: {
        app: 'x',
        'com.docker.swarm.constraints': '["zone==a"]',
        'com.docker.swarm.whitelists': '["node==a|b"]',
      },
    });
    expect(found.env).toEqual(['PATH=/bin', 'A:b=c']);
    expect(found.labels).toEqual({
      app: 'x',
      'com.docker.swarm.constraints': '["zone==a","node==core-01"]',
      'com.docker.swarm.affinities': '["container!=~web"]',
      'com.docker.swarm.reschedule-policies': '["on-node-failure"]',
      'com.docker.swarm.whitelists': '["node==a|b"]',
    });
    expect(found.constraints.map(expressionText)).toEqual(['zone==a', 'node==core-01']);
    expect(found.affinities.map(({ soft }) => soft)).toEqual([true]);
    expect(found.whitelists).toHaveLength(1);
    expect(found.reschedulePolicies).toEqual(['on-node-failure']);
  });

  it('leaves alone what has none, and what it was given', () => {
    const config = {
      env: ['constraints:x', 'Constraint:node==a'],
      labels: { 'com.docker.swarm.constraints': 'null' },
    };
    expect(extractExpressions(config)).toMatchObject({ ...config, constraints: [] });
    const given = { env: ['constraint:node==a'], labels: {} };
    extractExpressions(given);
    expect(given).toEqual({ env: ['constraint:node==a'], labels: {} });
  });

  it.each(['', '{', '{}', '"node==a"', '[1]', '[["node==a"]]', 'node==a'])('refuses the label %j', (json) => {
    expect(() => extractExpressions({ env: [], labels: { 'com.docker.swarm.affinities': json } })).toThrow(
      "Label 'com.docker.swarm.affinities' must be a JSON array of strings",
    );
  });

  it('refuses wrong expressions and policies', () => {
    const from = (...env: string[]) => extractExpressions({ env, labels: {} });
    expect(() => from('constraint:node')).toThrow('One of operator ==, != is expected');
    expect(() => from('affinity:1a==b')).toThrow("Key '1a' is invalid");
    expect(() => from('whitelist:node==a;b')).toThrow("Value 'a;b' is invalid");
    expect(() => from('reschedule:often')).toThrow('invalid reschedule policy: often');
    expect(() => from('reschedule:off', 'reschedule:off')).toThrow('too many reschedule policies');
  });

  it('is not led astray by labels named like parts of the language', () => {
    const labels = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
    expect(Object.entries(extractExpressions({ env: [], labels }).labels)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });
});

describe('extractBuildArgExpressions', () => {
  it.each<[string, string | null, string]>([
    ['constraint:node', '=core-01', 'node==core-01'],
    ['constraint:node=', 'core-01', 'node==core-01'],
    ['constraint:node=', '=core-01', 'node==core-01'],
    ['constraint:node==', 'core-01', 'node==core-01'],
    ['constraint:node==core-01', null, 'node==core-01'],
    ['constraint:node==core-01', '', 'node==core-01'],
    ['constraint:node!', 'core-01', 'node!=core-01'],
    ['constraint:node!=', 'core-01', 'node!=core-01'],
    ['constraint:node!=core-01', null, 'node!=core-01'],
    ['constraint:node', '=~core-01', 'node==core-01'],
  ])('puts %j and %j together', (key, value, text) => {
    const found = extractBuildArgExpressions({ VERSION: '1', HTTP_PROXY: null, [key]: value });
    expect(found.buildArgs).toEqual({ VERSION: '1', HTTP_PROXY: null });
    expect(found.constraints.map(expressionText)).toEqual([text]);
  });

  it('refuses what is cut short', () => {
    expect(() => extractBuildArgExpressions({ 'constraint:node': null })).toThrow('One of operator');
    expect(() => extractBuildArgExpressions({ 'constraint:node': '' })).toThrow('One of operator');
    expect(() => extractBuildArgExpressions({ 'constraint:node=': '' })).toThrow("Value '' is invalid");
  });
});
