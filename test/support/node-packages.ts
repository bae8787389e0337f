/** Files of a package to depend on by `file:`, so that no registry is asked. */
export const TEST_PACKAGE = {
  'code/vendor/answers/package.json': JSON.stringify({
    name: 'berth-test-answers',
    version: '1.0.0',
    main: 'answers.js',
    scripts: { install: "node -e \"require('fs').writeFileSync('ran.txt', '')\"" },
  }),
  'code/vendor/answers/answers.js':
    "exports.ANSWER = 42\nexports.ran = require('fs').existsSync(__dirname + '/ran.txt')\n",
} as const
