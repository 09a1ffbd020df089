// Builds the browser files into dist/, from which the Go binary embeds them.
//
// Every file is named after its content (app.1A2B3C4D.css), so that browsers may
// keep it for ever; dist/manifest.json maps the plain names. Text is stored as
// gzip only: most browsers get it as it is, the others unpacked by the server.
//
// Nothing is done when nothing changed. A change in a template runs Tailwind
// alone; npm runs only when package-lock.json changed.
//
// Tailwind stays at 4.1 while Node.js 18 (Debian 12) is supported: npm 9 leaves
// the native part of later versions out there, as they ask for Node.js 20.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const ui = dirname(here);
const dist = join(here, 'dist');
const stampFile = join(here, '.build.json');
const urlPrefix = '/static/';

const readJSON = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {}; // not built yet, or cut off while writing
  }
};

const hashOf = (files) => {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
};

// The files Tailwind looks for class names in. Generated templates repeat what
// their source says.
function templates(folder = ui) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return path === here ? [] : templates(path);
      return /\.(templ|go)$/.test(entry.name) && !/_(templ|test)\.go$/.test(entry.name) ? [path] : [];
    });
}

function run(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: here, encoding: 'utf8' });
  if (error?.code === 'ENOENT') fail(`${command} is not installed`);
  if (error || status !== 0) fail(`${command} ${args[0]} failed:\n${stdout}${stderr}`);
}

function fail(message) {
  console.error(`assets: ${message}`);
  process.exit(1);
}

const inputs = (...names) => names.map((name) => join(here, name));
const now = {
  packages: hashOf(inputs('package.json', 'package-lock.json', '.npmrc')),
  scripts: hashOf(inputs('build.mjs', 'app.js', 'combobox.js', 'explorer.jsx', 'explorer.css', 'package-lock.json')),
  styles: hashOf([...inputs('build.mjs', 'app.css', 'package-lock.json'), ...templates()]),
};
const before = readJSON(stampFile);
const manifest = readJSON(join(dist, 'manifest.json'));
const built = (names) => names.every((name) => manifest[name] && stored(manifest[name]));
const stored = (file) => existsSync(join(dist, file)) || existsSync(join(dist, `${file}.gz`));

const scriptNames = ['app.js', 'explorer.js', 'explorer.css', 'editor.worker.js', 'json.worker.js', 'graphql.worker.js'];
const needScripts = before.scripts !== now.scripts || !built(scriptNames);
const needStyles = before.styles !== now.styles || !built(['app.css']);
if (!needScripts && !needStyles) process.exit(0);

const started = Date.now();
if (before.packages !== now.packages || !existsSync(join(here, 'node_modules/esbuild'))) {
  console.log('assets: installing npm packages');
  rmSync(stampFile, { force: true });
  run('npm', ['ci']);
}
mkdirSync(dist, { recursive: true });

const esbuild = await import('esbuild');
const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  outdir: dist,
  publicPath: urlPrefix,
  entryNames: '[name].[hash]',
  assetNames: '[name].[hash]',
  target: ['chrome111', 'firefox128', 'safari16.4'], // what Tailwind 4 needs
  loader: { '.woff2': 'file', '.ttf': 'file' },
  legalComments: 'eof', // licences travel with the code
  logLevel: 'warning',
};

// bundle builds entries {plain name: source} and enters them in the manifest.
async function bundle(entries, options = {}) {
  const result = await esbuild.build({ ...shared, ...options, entryPoints: Object.entries(entries).map(([out, source]) => ({ in: source, out: out.replace(/\.\w+$/, '') })) });
  for (const output of result.outputFiles) {
    const file = basename(output.path);
    const plain = file.replace(/\.[A-Z0-9]{8}(\.\w+)$/, '$1');
    manifest[plain] = file;
    if (['.woff2', '.png'].includes(extname(file))) writeFileSync(join(dist, file), output.contents);
    else writeFileSync(join(dist, `${file}.gz`), gzipSync(output.contents, { level: 9 }));
  }
}

if (needScripts) {
  const monaco = 'node_modules/monaco-editor/esm/vs';
  await bundle(
    {
      'editor.worker.js': `${monaco}/editor/editor.worker.js`,
      'json.worker.js': `${monaco}/language/json/json.worker.js`,
      'graphql.worker.js': 'node_modules/monaco-graphql/esm/graphql.worker.js',
    },
    { format: 'iife', define: { 'process.env.NODE_ENV': '"production"' } },
  );
  const worker = (name) => JSON.stringify(urlPrefix + manifest[`${name}.worker.js`]);
  await bundle({ 'app.js': 'app.js' }, { format: 'iife' });
  await bundle(
    { 'explorer.js': 'explorer.jsx' },
    {
      format: 'iife',
      jsx: 'automatic',
      define: {
        'process.env.NODE_ENV': '"production"',
        EDITOR_WORKER: worker('editor'),
        JSON_WORKER: worker('json'),
        GRAPHQL_WORKER: worker('graphql'),
      },
    },
  );
}
if (needStyles) {
  // esbuild then gives the fonts their final names, which Tailwind leaves alone.
  const compiled = join(here, '.tailwind.css');
  run(process.execPath, ['node_modules/@tailwindcss/cli/dist/index.mjs', '--input', 'app.css', '--output', compiled]);
  await bundle({ 'app.css': compiled });
  rmSync(compiled);
}

const keep = new Set(Object.values(manifest).flatMap((file) => [file, `${file}.gz`]).concat('.gitkeep', 'manifest.json'));
for (const file of readdirSync(dist)) if (!keep.has(file)) rmSync(join(dist, file));
writeFileSync(join(dist, 'manifest.json'), JSON.stringify(manifest, Object.keys(manifest).sort(), 2) + '\n');
writeFileSync(stampFile, JSON.stringify(now));
console.log(`assets: built in ${((Date.now() - started) / 1000).toFixed(1)} s`);
