#!/usr/bin/env python3
"""pom.xml makes the jar, and runs the tests that need no broker, as its comment says: with Debian's
repository alone."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

from broker import SOURCE_DIR, WAIT_SECONDS


class PomTest(unittest.TestCase):
    def test_package(self):
        with tempfile.TemporaryDirectory() as directory:
            for name in ('pom.xml', 'src'):
                path = os.path.join(SOURCE_DIR, 'jmx-bridge', name)
                (shutil.copytree if os.path.isdir(path) else shutil.copy)(
                    path, os.path.join(directory, name))
            done = subprocess.run(
                ['mvn', '-o', '-B', '-s', '/etc/maven/settings-debian.xml',
                 '-Dmaven.repo.local=/usr/share/maven-repo', 'package'], cwd=directory,
                capture_output=True, text=True, timeout=5 * WAIT_SECONDS, check=False)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertRegex(done.stdout, r'Tests run: [1-9]\d*, Failures: 0')
            with zipfile.ZipFile(os.path.join(directory, 'target', 'pabal-jms-0.1.0.jar')) as jar:
                self.assertIn('org/pabal/jms/PabalConnectionFactory.class', jar.namelist())
                self.assertIn(b'Automatic-Module-Name: org.pabal.jms',
                              jar.read('META-INF/MANIFEST.MF'))


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
