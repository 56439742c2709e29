type Labels = Readonly<Record<string, string>>;

const PROJECT = 'com.docker.compose.project';
const SERVICE = 'com.docker.compose.service';
const NUMBER = 'com.docker.compose.container-number';
const ONE_OFF = 'com.docker.compose.oneoff';

/**
 * Tells which containers the one with these labels comes to replace; undefined when it replaces none. Compose makes
 * the new container of a service before it removes the old one, which has the same project, service and number. The
 * two never run at the same time, so the new one may have what the old one holds.
 */
export function replacedBy(labels: Labels): ((former: Labels) => boolean) | undefined {
  const says = (of: Labels, key: string): string => (Object.hasOwn(of, key) ? (of[key] ?? '') : '');
  const isService = (of: Labels): boolean => says(of, ONE_OFF).toLowerCase() !== 'true';
  const keys = [PROJECT, SERVICE, NUMBER];
  if (!isService(labels) || keys.some((key) => says(labels, key) === '')) return undefined;
  return (former) => isService(former) && keys.every((key) => says(former, key) === says(labels, key));
}
