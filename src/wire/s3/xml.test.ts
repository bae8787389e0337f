import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { childText, element, encodeDocument, parseXml } from './xml.ts'

test('any text survives encoding and parsing', () => {
  // XML 1.0 has no other control characters, and a parser normalises bare carriage returns unless they are escaped.
  const text = fc
    .string({ unit: 'grapheme', maxLength: 30 })
    .filter((it) => !/[^\P{Cc}\t\n\r]/u.test(it))
  const property = fc.property(text, (value) => {
    const root = parseXml(encodeDocument('Delete', [element('Key', value)]), 'Delete')
    assert.equal(childText(root, 'Key') ?? '', value)
  })
  fc.assert(property)
})

test('what SDKs send is read: declaration, namespace, prefix, references, blanks', () => {
  const root = parseXml(
    '<?xml version="1.0" encoding="UTF-8"?>\n<s:Delete xmlns:s="http://s3.amazonaws.com/doc/2006-03-01/">\n' +
      ' <Object><Key> a&#13;&amp;&#xE9;&quot; </Key></Object>\n <Object><Key>1e3</Key></Object>\n</s:Delete>',
    'Delete',
  )
  const keys = root.children.get('Object')?.map((object) => childText(object, 'Key'))
  assert.deepEqual(keys, [' a\r&é" ', '1e3'])
})

test('what is not plain XML with the expected root is MalformedXML', () => {
  const bodies = [
    '',
    'text',
    '<Delete>',
    '<Delete></Other>',
    '<Other/>',
    '<!DOCTYPE Delete><Delete/>',
    '<!doctype x [<!ENTITY e SYSTEM "file:///etc/passwd">]><Delete>&e;</Delete>',
    `${'<a>'.repeat(2000)}`,
  ]
  for (const body of bodies)
    assert.throws(() => parseXml(body, 'Delete'), { name: 'MalformedXML' }, body)
})

test('names that mean something to JavaScript are refused or only names', () => {
  for (const name of ['__proto__', 'constructor', 'prototype']) {
    const body = `<Delete><${name}><polluted>x</polluted></${name}></Delete>`
    assert.throws(() => parseXml(body, 'Delete'), { name: 'MalformedXML' })
    assert.equal(Reflect.get({}, 'polluted'), undefined)
  }
  const root = parseXml('<Delete><Object><Key>x</Key></Object></Delete>', 'Delete')
  assert.equal(childText(root, 'hasOwnProperty'), undefined)
})
