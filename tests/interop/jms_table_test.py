#!/usr/bin/env python3
"""protocols/openwire/CONFORMANCE.md names only tests that there are, and every test of the plain JMS
suite but those that JMS says nothing about."""

import glob
import os
import re
import sys
import unittest

from broker import SOURCE_DIR

HERE = os.path.join(SOURCE_DIR, 'tests', 'interop')
PLAIN = os.path.join(HERE, 'jms')
STOCK = os.path.join(HERE, 'openwire')
OWN = os.path.join(SOURCE_DIR, 'jmx-bridge', 'src', 'test', 'java', 'org', 'pabal', 'jms')


def tests(folder):
    found = set()
    for path in glob.glob(os.path.join(folder, '*Test.java')):
        with open(path, encoding='utf-8') as file:
            names = re.findall(r'@Test\s+public void (\w+)\(', file.read())
        kind = os.path.basename(path)[:-len('.java')]
        found |= {f'{kind}.{name}' for name in names} | ({f'{kind}.*'} if names else set())
    return found


class JmsTableTest(unittest.TestCase):
    def setUp(self):
        path = os.path.join(SOURCE_DIR, 'protocols', 'openwire', 'CONFORMANCE.md')
        with open(path, encoding='utf-8') as file:
            self.named = set(re.findall(r'`(\w+Test\.[\w*]+)`', file.read()))

    def test_what_is_named_is_there(self):
        self.assertEqual(self.named - tests(PLAIN) - tests(STOCK) - tests(OWN), set())

    def test_what_is_there_is_named(self):
        plain = {name for name in tests(PLAIN) if not name.endswith('*')}
        wholes = tuple(name[:-1] for name in self.named if name.endswith('.*'))
        unnamed = {name for name in plain - self.named
                   if not name.startswith(('SpringTest.', *wholes))}
        self.assertEqual(unnamed, set())


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
