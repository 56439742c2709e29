/** A number as Go prints it with `%g`: an exponent of two digits below 0.0001 and from 10^21 on. */
export function goFloat(value: number): string {
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 21) return String(value);
  return value.toExponential().replace(/(?<=e[+-])(?=\d$)/, '0');
}
