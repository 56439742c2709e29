import { createHash } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sizeOf, writeTar, type Entry } from './tar.ts';

export interface ImageSource {
  readonly tags: readonly string[];
  readonly architecture: string;
  /** The `config` of the image. */
  readonly config: object;
  /** The date of the image, in seconds since 1970. */
  readonly seconds: number;
  readonly layers: readonly { readonly what: string; readonly entries: readonly Entry[] }[];
}

export interface WrittenImage {
  /** `sha256:…`, as `docker images --no-trunc` shows it. */
  readonly id: string;
  /** The sum of all files. */
  readonly unpackedBytes: number;
}

/** Writes an image as `docker load` takes it. The same source gives the same bytes, and so the same id. */
export function writeImage(target: string, source: ImageSource): WrittenImage {
  const folder = mkdtempSync(join(dirname(target), '.image-'));
  try {
    const layers = source.layers.map(({ what, entries }, at) => {
      const path = join(folder, `layer-${at}`);
      return { what, entries, path, digest: writeTar(path, entries) };
    });
    const created = new Date(source.seconds * 1000).toISOString();
    const config = Buffer.from(
      JSON.stringify({
        architecture: source.architecture,
        os: 'linux',
        created,
        config: source.config,
        history: layers.map(({ what }) => ({ created, created_by: what })),
        rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => `sha256:${digest}`) },
      }),
    );
    const id = createHash('sha256').update(config).digest('hex');
    const manifest = {
      Config: `${id}.json`,
      RepoTags: source.tags,
      Layers: layers.map(({ digest }) => `${digest}/layer.tar`),
    };
    const bytes = (path: string, data: Buffer): Entry => ({ kind: 'bytes', path, bytes: data, mode: 0o644 });
    const parts: Entry[] = [
      bytes('manifest.json', Buffer.from(JSON.stringify([manifest]))),
      bytes(`${id}.json`, config),
      ...layers.flatMap(({ digest, path }): Entry[] => [
        { kind: 'folder', path: digest, mode: 0o755 },
        { kind: 'file', path: `${digest}/layer.tar`, from: path, mode: 0o644 },
      ]),
    ];
    // Whoever reads the target meanwhile sees the old one or the new one.
    writeTar(join(folder, 'archive'), parts);
    renameSync(join(folder, 'archive'), target);
    const unpackedBytes = layers.flatMap(({ entries }) => entries).reduce((sum, one) => sum + sizeOf(one), 0);
    return { id: `sha256:${id}`, unpackedBytes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
