/** For the dependency checker: each name of package.json "imports" leads to the source that it was built from. */
const { resolve } = require('node:path');
const { imports } = require('../../package.json');

const root = resolve(__dirname, '../..');

module.exports = {
  resolve: {
    alias: Object.fromEntries(
      Object.entries(imports).map(([name, built]) => [
        `${name}$`,
        resolve(root, built.replace(/^[.]\/dist\//, '').replace(/[.]js$/, '.ts')),
      ]),
    ),
  },
};
