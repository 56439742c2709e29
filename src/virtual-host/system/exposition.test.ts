import { describe, expect, it } from 'vitest';
import { Counter, Histogram, expositionText, gauge } from './exposition.ts';

describe('the text of metrics', () => {
  it('has a head for each family and a line for each sample, with labels escaped', () => {
    const counter = new Counter('c_total', 'What\nand \\ why.', [{ kind: 'a' }]);
    counter.inc({ kind: 'say "x"\\\n' }, 2);
    counter.inc({ kind: 'a' });
    expect(expositionText([counter, gauge('g', 'Now.', () => 1.5)])).toBe(
      '# HELP c_total What\\nand \\\\ why.\n# TYPE c_total counter\n' +
        'c_total{kind="a"} 1\nc_total{kind="say \\"x\\"\\\\\\n"} 2\n' +
        '# HELP g Now.\n# TYPE g gauge\ng 1.5\n',
    );
  });

  it('has the buckets of a histogram added up, and its sum and count', () => {
    const histogram = new Histogram('h_seconds', 'How long.', [0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 3]) histogram.observe(value, { route: '/x' });
    expect(expositionText([histogram]).split('\n').slice(2, -1)).toEqual([
      'h_seconds_bucket{route="/x",le="0.1"} 2',
      'h_seconds_bucket{route="/x",le="1"} 3',
      'h_seconds_bucket{route="/x",le="+Inf"} 4',
      'h_seconds_sum{route="/x"} 3.65',
      'h_seconds_count{route="/x"} 4',
    ]);
  });
});
