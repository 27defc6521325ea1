#!/usr/bin/env python3
"""CONFORMANCE.md says which test shows which statement of MQTT. Goal: it cannot say more than there
is. Method: its rows against the vectors and the sources of the unit tests, in both directions."""

import collections
import glob
import os
import re
import sys
import unittest

ROW = re.compile(r'\| \[MQTT-([^\]]+)\] \| (.+) \| (.+) \|')
CASE = re.compile(r'=== (\S+) \| (.+)')
STATEMENT = re.compile(r'(3\.1\.1 )?MQTT-([0-9][0-9.-]*)')
SUITE = re.compile(r'^class (\w+)\(.*\):\n((?:[ \t].*\n|\n)*)', re.MULTILINE)
SCRIPT_TEST = re.compile(r'^    def (test_\w+)\(', re.MULTILINE)
TEST = re.compile(r'^TEST(?:_F)?\((\w+), (\w+)\)', re.MULTILINE)

# MQTT 5.0, appendix B, by section.
SECTIONS = {
    '1.5.4': 3, '1.5.5': 1, '1.5.7': 1, '2.1.3': 1, '2.2.1': 5, '2.2.2': 1, '3.1.0': 2, '3.1.2': 30,
    '3.1.3': 12, '3.1.4': 6, '3.2.0': 2, '3.2.2': 22, '3.3.1': 13, '3.3.2': 20, '3.3.4': 10,
    '3.4.2': 3, '3.5.2': 3, '3.6.1': 1, '3.6.2': 3, '3.7.2': 3, '3.8.1': 1, '3.8.3': 5, '3.8.4': 8,
    '3.9.2': 2, '3.9.3': 2, '3.10.1': 1, '3.10.3': 2, '3.10.4': 6, '3.11.2': 2, '3.11.3': 2,
    '3.12.4': 1, '3.14.0': 1, '3.14.1': 1, '3.14.2': 4, '3.14.4': 3, '3.15.1': 1, '3.15.2': 3,
    '4.1.0': 2, '4.2.0': 1, '4.3.1': 1, '4.3.2': 5, '4.3.3': 13, '4.4.0': 2, '4.5.0': 2, '4.6.0': 6,
    '4.7.0': 1, '4.7.1': 2, '4.7.2': 1, '4.7.3': 4, '4.8.2': 6, '4.9.0': 3, '4.12.0': 7,
    '4.12.1': 2, '4.13.1': 1, '4.13.2': 1, '6.0.0': 4,
}


def read(*path):
    with open(os.path.join(os.environ['PABAL_SOURCE_DIR'], *path), encoding='utf-8') as file:
        return file.read()


def rows_of(text):
    """Statement -> what shows it; a statement that stands there twice is an error."""
    rows = {}
    for statement, _, shown_by in ROW.findall(text):
        if statement in rows:
            raise AssertionError(f'MQTT-{statement} stands there twice')
        rows[statement] = shown_by
    return rows


class ConformanceTable(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        version_5, version_4 = read('protocols/mqtt/CONFORMANCE.md').split('## MQTT 5.0')[1].split(
            '## MQTT 3.1.1')
        cls.tables = {'': rows_of(version_5), '3.1.1 ': rows_of(version_4)}
        cls.cases = {}
        root = os.path.join(os.environ['PABAL_SOURCE_DIR'], 'tests', 'conformance', 'mqtt')
        for path in sorted(glob.glob(os.path.join(root, '*.vector'))):
            for name, clause in CASE.findall(read(path)):
                if name in cls.cases:
                    raise AssertionError(f'{name} stands there twice')
                cls.cases[name] = [(version, statement.rstrip('.-'))
                                   for version, statement in STATEMENT.findall(clause)]
        cls.tests = set()
        root = os.path.join(os.environ['PABAL_SOURCE_DIR'], 'tests', 'unit', 'mqtt')
        for path in glob.glob(os.path.join(root, '*.cc')):
            cls.tests |= {f'{suite}.{name}' for suite, name in TEST.findall(read(path))}
        for folder in ('interop', 'system'):
            root = os.path.join(os.environ['PABAL_SOURCE_DIR'], 'tests', folder)
            for path in glob.glob(os.path.join(root, '*.py')):
                for suite, body in SUITE.findall(read(path)):
                    cls.tests |= {f'{suite}.{name}' for name in SCRIPT_TEST.findall(body)}

    def test_there_are_cases_and_tests(self):
        self.assertGreater(len(self.cases), 300)
        self.assertGreater(len(self.tests), 40)

    def test_every_statement_of_version_5_has_its_row(self):
        sections = collections.Counter(statement.rsplit('-', 1)[0] for statement in self.tables[''])
        self.assertEqual(dict(sections), SECTIONS)
        self.assertEqual(sum(SECTIONS.values()), 251)

    def test_what_is_named_exists(self):
        for version, table in self.tables.items():
            for statement, shown_by in table.items():
                with self.subTest(version + statement):
                    names = re.findall(r'`([^`]+)`', shown_by)
                    # Without a test there is a reason, or nothing for a broker to do.
                    reason = re.search(r'\b(because \w+ \w+|client$|copies are sent)', shown_by)
                    self.assertTrue(names or reason, shown_by)
                    self.assertNotRegex(shown_by, r'\bsession$')
                    for name in names:
                        self.assertTrue(name in self.tests or name in self.cases, name)
                        if name in self.cases:
                            self.assertIn((version, statement), self.cases[name])

    def test_every_statement_of_a_case_is_in_the_table(self):
        for name, statements in self.cases.items():
            for version, statement in statements:
                with self.subTest(name):
                    self.assertIn(statement, self.tables[version])


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
