import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeOf, silentNode } from '../../../test/placement/samples.ts';
import { SwarmError } from '../../base/errors.ts';
import type { Node } from '../../model/index.ts';
import { nodeMatches, parseConstraint } from './constraint.ts';

describe('parseConstraint', () => {
  it.each([
    ['node.id==2ivku8v2gvtg4', 'node.id', '==', '2ivku8v2gvtg4'],
    [' node.labels.a.b-c_d  !=  x y ', 'node.labels.a.b-c_d', '!=', 'x y'],
    ['NoDe.Role == Manager', 'NoDe.Role', '==', 'Manager'],
    ['_node==_node1', '_node', '==', '_node1'],
    ['node==[a-b]+c*(n|b)/', 'node', '==', '[a-b]+c*(n|b)/'],
    ['node.ip==2001:db8::/32', 'node.ip', '==', '2001:db8::/32'],
  ])('reads %j', (text, key, operator, value) => {
    expect(parseConstraint(text)).toMatchObject({ key, operator, value });
  });

  it.each([
    ['', 'constraint expected one operator from ==, !='],
    [' ', 'constraint expected one operator from ==, !='],
    ['nodeabc', 'constraint expected one operator from ==, !='],
    ['node ~ abc', 'constraint expected one operator from ==, !='],
    ['node=a', 'constraint expected one operator from ==, !='],
    ['1node==a2', "key '1node' is invalid"],
    ['no de== node1', "key 'no de' is invalid"],
    ['no*de==node1', "key 'no*de' is invalid"],
    ['no$de==node1', "key 'no$de' is invalid"],
    ['n==node1', "key 'n' is invalid"],
    ['==node1', "key '' is invalid"],
    ['a!=b==c', "key 'a!=b' is invalid"],
    ['node==', "value '' is invalid"],
    ['node== ', "value '' is invalid"],
    ['node==a,b', "value 'a,b' is invalid"],
    ['node==a==b', "value 'a==b' is invalid"],
    ['node==~a', "value '~a' is invalid"],
    ['node==\u00e9', "value '\u00e9' is invalid"],
  ])('refuses %j', (text, message) => {
    expect(() => parseConstraint(text)).toThrow(new SwarmError('invalid', message));
  });

  it('throws nothing but SwarmError, and what it reads can be asked', () => {
    const node = nodeOf('a');
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.constantFrom('node.labels.', 'node.ip', ''),
        (key, value, head) => {
          try {
            expect(typeof parseConstraint(`${head}${key}==${value}`).matches(node)).toBe('boolean');
          } catch (error) {
            expect(error).toBeInstanceOf(SwarmError);
          }
        },
      ),
    );
  });
});

describe('nodeMatches', () => {
  const known = nodeOf('ID1', {
    hostname: 'core-01',
    labels: { zone: 'a', Zone: 'B', ['__proto__']: 'data' },
    engineLabels: { storage: 'ssd', ['com.example.tier']: 'Gold' },
    addr: '192.168.150.5',
  });
  const silent = silentNode('ID2', { addr: '' });

  it.each<[string, Node, boolean]>([
    ['node.id==ID1', known, true],
    ['node.id==id1', known, true],
    ['node.id!=ID1', known, false],
    ['NODE.ID==ID1', known, true],
    ['node.hostname==core-01', known, true],
    ['node.hostname==CORE-01', known, true],
    ['node.hostname==core', known, false],
    ['node.hostname==core*', known, false],
    ['node.hostname==core-01', silent, false],
    ['node.hostname!=core-01', silent, true],
    ['node.role==worker', known, true],
    ['node.role==Worker', known, true],
    ['node.role!=manager', known, true],
    ['node.role==manager', { ...known, role: 'manager' }, true],
    // The role that it has counts, not the one that is wanted.
    ['node.role==manager', { ...known, spec: { ...known.spec, role: 'manager' } }, false],
    ['node.platform.os==Linux', known, true],
    ['node.platform.arch==x86_64', known, true],
    ['node.platform.arch==amd64', known, false],
    ['node.platform.os!=linux', silent, true],
    ['node.labels.zone==A', known, true],
    ['node.labels.Zone==b', known, true],
    ['Node.Labels.zone==a', known, true],
    ['node.labels.ZONE==a', known, false],
    ['node.labels.none==a', known, false],
    ['node.labels.none!=a', known, true],
    ['node.labels.__proto__==data', known, true],
    ['node.labels.constructor!=a', known, true],
    ['node.labels.toString==function', known, false],
    ['engine.labels.storage==SSD', known, true],
    ['engine.labels.com.example.tier==gold', known, true],
    ['engine.labels.storage!=ssd', known, false],
    ['engine.labels.storage==ssd', silent, false],
    ['engine.labels.storage!=ssd', silent, true],
    ['node.ip==192.168.150.5', known, true],
    ['node.ip!=192.168.150.5', known, false],
    ['node.ip==192.168.150.6', known, false],
    ['node.ip==192.168.150.0/24', known, true],
    ['node.ip!=192.168.150.0/24', known, false],
    ['node.ip==192.168.151.0/24', known, false],
    ['node.ip!=2001:db8::/32', known, true],
    ['node.ip==192.168.150.5', silent, false],
    ['node.ip!=192.168.150.5', silent, true],
    // What names no address holds for no node, whatever the operator.
    ['node.ip==192.168.150', known, false],
    ['node.ip!=192.168.150', known, false],
    ['node.ip!=192.168.150.0/33', known, false],
    // Nor does a key that there is not.
    ['node.name==core-01', known, false],
    ['node.name!=core-01', known, false],
    ['node.labels.==a', known, false],
    ['node.labels.!=a', known, false],
    ['engine.version!=1', known, false],
  ])('%s', (text, node, expected) => {
    expect(nodeMatches([parseConstraint(text)], node)).toBe(expected);
  });

  it('wants all of them', () => {
    const constraints = ['node.labels.zone==a', 'node.role==worker'].map(parseConstraint);
    expect(nodeMatches(constraints, known)).toBe(true);
    expect(nodeMatches([...constraints, parseConstraint('node.id!=ID1')], known)).toBe(false);
    expect(nodeMatches([], known)).toBe(true);
  });
});
