const FIRST = [
  'amber',
  'bold',
  'brisk',
  'calm',
  'clever',
  'dusky',
  'early',
  'fond',
  'gentle',
  'golden',
  'happy',
  'keen',
  'light',
  'merry',
  'mild',
  'neat',
  'patient',
  'quick',
  'quiet',
  'ready',
  'steady',
  'sunny',
  'swift',
  'warm',
];
const SECOND = [
  'alder',
  'apiary',
  'aster',
  'balsam',
  'borage',
  'clover',
  'comb',
  'drone',
  'fennel',
  'forager',
  'heather',
  'hive',
  'hyssop',
  'lavender',
  'linden',
  'mallow',
  'meadow',
  'nectar',
  'pollen',
  'sage',
  'skep',
  'swarm',
  'thyme',
  'willow',
];

/** A name for what its user did not name, `calm_clover`; with a number where `isTaken` says so. */
export function randomName(isTaken: (name: string) => boolean, random: () => number = Math.random): string {
  const one = (words: readonly string[]): string => words[Math.floor(random() * words.length)] ?? '';
  const name = `${one(FIRST)}_${one(SECOND)}`;
  if (!isTaken(name)) return name;
  for (let number = 2; ; number += 1) if (!isTaken(`${name}${number}`)) return `${name}${number}`;
}
