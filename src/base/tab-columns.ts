/**
 * Lines up tab-separated cells with tabs, as Go's tabwriter does with tab stops of 8: a column is as wide as its widest cell
 * over consecutive lines that have it. The text behind a line's last tab belongs to no column.
 */
export function tabColumns(lines: readonly string[]): string[] {
  const rows = lines.map((line) => line.split('\t'));
  align(rows, 0);
  return rows.map((cells) => cells.join(''));
}

const TAB_STOP = 8;

function align(rows: string[][], column: number): void {
  let start = 0;
  while (start < rows.length) {
    const block: string[][] = [];
    while (start + block.length < rows.length) {
      const row = rows[start + block.length];
      if (row === undefined || row.length <= column + 1) break;
      block.push(row);
    }
    if (block.length === 0) {
      start += 1;
      continue;
    }
    const widest = Math.max(...block.map((row) => (row[column] ?? '').length));
    const stops = Math.ceil((widest + 1) / TAB_STOP);
    align(block, column + 1);
    for (const row of block) {
      const cell = row[column] ?? '';
      row[column] = cell + '\t'.repeat(stops - Math.floor(cell.length / TAB_STOP));
    }
    start += block.length;
  }
}
