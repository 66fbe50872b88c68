// The packages lie in the repository's eng/npm, which is not above these files. TOOLS is that folder.
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.TOOLS}/package.json`);

export const load = async (name) => require(name);
