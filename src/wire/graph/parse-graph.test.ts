import assert from 'node:assert/strict'
import { suite, test } from 'node:test'

import { compileExpression } from './expression.ts'
import { parseGraph } from './parse-graph.ts'

const VOTE = `version: 1
graph:
  scatter:
    branches:
      tree: { endpoint: fruit-tree }
      linear: { node: lin, weight: 2 }
    aggregate: weighted-vote
    quorum: 1
nodes:
  lin:
    endpoint: fruit-linear
    timeoutMs: 20
    fallback: { expression: "'apple'" }
`

test('a description becomes a plan with every default in place', () => {
  const { root, nodes, report } = parseGraph(VOTE)
  assert.ok(root.step.kind === 'scatter')
  assert.deepEqual(
    root.step.branches.map(({ name, weight, node }) => [name, weight, node.name]),
    [
      ['tree', 1, 'graph.tree'],
      ['linear', 2, 'lin'],
    ],
  )
  assert.deepEqual([root.step.quorum, root.step.waitFor, report], [1, 'all', 'header'])
  assert.deepEqual(
    nodes.map(({ name }) => name),
    ['graph.tree', 'lin.fallback', 'lin', 'graph'],
  )
})

const REFUSED = [
  {
    given: 'a cycle',
    text: VOTE.replace('{ expression: "\'apple\'" }', 'lin'),
    says: /^graph\.yaml is not a valid graph\. Line 13, column 5 \(nodes\.lin\.fallback\): Node lin reaches itself: lin → lin\.$/,
  },
  {
    given: 'a name that nobody has',
    text: VOTE.replace('node: lin', 'node: len'),
    says: /Line 6, column 7 .*There is no node len\. Named nodes: lin\. .*Node lin is used by nobody/,
  },
  {
    given: 'an unknown key',
    text: VOTE.replace('quorum', 'quorom'),
    says: /Line 8, column 5 \(graph\.scatter\.quorom\): quorom is not known here; quorum is\.$/,
  },
  {
    given: 'two unknown keys, one of which is like none',
    text: VOTE.replace('quorum: 1', 'waitfor: all\n    colour: red'),
    says: /waitfor is not known here; waitFor is\. Line 9, column 5 \(graph\.scatter\.colour\): colour is not known here\.$/,
  },
  {
    given: 'an unknown kind of node',
    text: VOTE.replace('scatter', 'scater'),
    says: /Line 3, column 3 \(graph\.scater\): scater is not known here; scatter is\. A node has one of the keys /,
  },
  {
    given: 'another aggregate',
    text: VOTE.replace('weighted-vote', 'votes'),
    says: /Line 7, column 5 \(graph\.scatter\.aggregate\): .*majority-vote/,
  },
  {
    given: 'a quorum of more than all',
    text: VOTE.replace('quorum: 1', 'quorum: 3'),
    says: /quorum is 3, more than the 2 branches/,
  },
  {
    given: 'a weight that nothing uses',
    text: VOTE.replace('weighted-vote', 'majority-vote'),
    says: /Branch linear has a weight, which majority-vote does not use/,
  },
  {
    given: 'an expression that is wrong',
    text: VOTE.replace(`"'apple'"`, '"1 +"'),
    says: /Line 13, column 17 .*The expression is wrong: Unexpected token: EOF/,
  },
  { given: 'no YAML', text: 'graph: [', says: /Line 1, column/ },
  {
    given: 'a bomb of aliases',
    text: `a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [${'*a,'.repeat(9)}]\nc: &c [${'*b,'.repeat(9)}]\nd: [${'*c,'.repeat(9)}]`,
    says: /alias/,
  },
]

suite('what is wrong is told with line and column', () => {
  for (const { given, text, says } of REFUSED) {
    test(given, () => assert.throws(() => parseGraph(text), { message: says }))
  }
})

test('a deep description is refused, and soon', () => {
  let node = '{"endpoint":"a"}'
  for (let depth = 0; depth < 200; depth += 1) node = `{"endpoint":"a","fallback":${node}}`
  assert.throws(() => parseGraph(`{"version":1,"graph":${node}}`), { message: /deep/ })
})

suite('expressions', () => {
  const scope = {
    input: { x: 3, list: [1, 2] },
    request: {},
    attributes: { lang: 'de' },
    steps: {},
  }
  const CASES = [
    { text: 'input.x * 2', gives: 6 },
    {
      text: '{"a": input.list.map(v, v * 2), "b": attributes.lang}',
      gives: { a: [2, 4], b: 'de' },
    },
    { text: 'has(input.y) ? 1 : 2', gives: 2 },
  ]
  for (const { text, gives } of CASES) {
    test(text, () => assert.deepEqual(compileExpression(text)(scope), gives))
  }
  for (const text of ['input.constructor', 'input.__proto__', 'input.x / 0', 'b"x"']) {
    test(`${text} gives nothing`, () => {
      const evaluate = compileExpression(text)
      assert.throws(() => evaluate(scope), { name: 'Error' })
    })
  }
  test('what an expression does not speak of is not read: an image has no value', () => {
    const image = {
      get input(): never {
        throw new Error('the input was read')
      },
      get request(): never {
        throw new Error('the request was read')
      },
      attributes: scope.attributes,
      steps: {},
    }
    assert.equal(compileExpression('attributes.lang')(image), 'de')
  })
  test('there is no way to the world', () => {
    assert.throws(() => compileExpression('process.exit()'), { message: /process/ })
  })
})
