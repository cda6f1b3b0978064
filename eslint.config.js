// Only what Biome cannot see: promises and unsafe `any`, which need types.
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      ...['**/dist', 'build', 'coverage', '**/node_modules', '**/generated', '**/*.js', '**/*.mjs'],
      // Programs of other projects: one sees only the packages, one needs the output of generators.
      ...['test/fixtures/types', 'test/fixtures/generators'],
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['src/**', 'packages/*/src/**'],
    rules: { 'max-lines-per-function': ['error', { max: 60 }] },
  },
  {
    // Browsers have no globals of Node. The types of Node are there for the shared buffers.
    files: ['packages/client/src/**'],
    ignores: ['packages/client/src/shared-buffer/**'],
    rules: {
      'no-restricted-globals': ['error', 'Buffer', 'process', 'global', 'require', 'setImmediate'],
    },
  },
  {
    files: ['test/**'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['it', 'describe', 'test', 'suite'], package: 'node:test' },
          ],
        },
      ],
      '@typescript-eslint/require-await': 'off',
      // Tests build partial objects, spread strings into characters and print whole values.
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['src/native/abi/abi.ts', 'src/os/libc.ts'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
);
